from .combat import harmonise_here as harmonise_here
from .combat import message_of_sums as message_of_sums
from .combat import pool_messages as pool_messages
from .fedbiomed import export_fed_biomed as export_fed_biomed
from .plan_rules import check_plan as check_plan
