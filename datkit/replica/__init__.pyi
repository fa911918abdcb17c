from .run import run_submission as run_submission
from .run_report import RunReport as RunReport
from .scenarios import run_checks as run_checks
