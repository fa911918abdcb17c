from .fedbiomed import export_fed_biomed as export_fed_biomed
from .plan_rules import check_plan as check_plan
