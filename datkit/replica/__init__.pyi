from .run import RunReport as RunReport
from .run import run_submission as run_submission
from .sandbox import Limits as Limits
from .scenarios import SCENARIOS as SCENARIOS
