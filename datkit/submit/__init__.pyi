from .pack import PackReport as PackReport
from .pack import pack_submission as pack_submission
from .pack import write_prior as write_prior
from .predictions import check_predictions as check_predictions
from .score import score_submission as score_submission
