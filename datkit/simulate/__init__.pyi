from .cohort import SIZES as SIZES
from .cohort import TEST_SETS as TEST_SETS
from .cohort import open_simulated as open_simulated
from .cohort import simulate_cohort as simulate_cohort
from .cohort import simulate_volume as simulate_volume
from .exam import simulate_exam as simulate_exam
