from .anatomy import AFFINE as AFFINE
from .head_shape import deform as deform
from .head_shape import standard_shape as standard_shape
from .person import Patient as Patient
from .striata import mean_pose as mean_pose
from .striata import true_striata as true_striata
from .uptake import paint as paint
