from .record import Input as Input
from .record import Record as Record
from .record import read_record as read_record
from .record import record as record
from .trace import Part as Part
from .trace import Step as Step
from .trace import trace as trace
