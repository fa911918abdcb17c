"""`python -m datkit.cli …` does what `datkit …` does."""

import sys

from datkit.cli import main

if __name__ == "__main__":
    sys.exit(main())
