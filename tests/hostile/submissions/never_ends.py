"""A run that outlives its time."""

import time

time.sleep(600)
