from .findings import findings_table as findings_table
from .findings import write_findings as write_findings
from .page import all_rules as all_rules
from .submission import Submission as Submission
from .submission import check_submission as check_submission
