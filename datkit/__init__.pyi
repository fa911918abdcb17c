from .data.cohort import Cohort as Cohort
from .errors import DatkitError as DatkitError
from .io.scan import Scan as Scan
from .io.scan import load_scan as load_scan
from .measure.exam import MEASURES as MEASURES
from .measure.exam import measure_cohort as measure_cohort
from .measure.exam import measure_volume as measure_volume
from .prepare.cohort import prepare_cohort as prepare_cohort
from .prepare.exam import prepare_scan as prepare_scan
from .simulate.cohort import open_cohort as open_cohort

NOT_CLINICAL: str
__version__: str
