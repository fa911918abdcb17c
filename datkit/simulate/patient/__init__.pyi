from .anatomy import AFFINE as AFFINE
from .head_shape import deform as deform
from .head_shape import standard_shape as standard_shape
from .person import Patient as Patient
from .uptake import paint as paint
