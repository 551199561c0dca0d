"""Run one of the evaluations; see run.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from evaluate.run import main  # noqa: E402 - after the path

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
