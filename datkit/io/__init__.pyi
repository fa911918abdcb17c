from .scan import Scan as Scan
from .scan import load_scan as load_scan
from .scan import save_scan as save_scan
