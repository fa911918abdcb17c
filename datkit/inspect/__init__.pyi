from .findings import findings_table as findings_table
from .findings import write_findings as write_findings
from .submission import check_submission as check_submission
