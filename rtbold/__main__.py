"""``python -m rtbold`` is the same as ``rtbold``."""

import sys

from rtbold.cli import main

if __name__ == "__main__":
    sys.exit(main())
