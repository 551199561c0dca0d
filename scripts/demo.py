"""Set up a light environment and run ``rtbold demo``; arguments are passed on.

python scripts/demo.py --duration 300
"""

import subprocess
import sys

from environment import ROOT, prepare, require_python


def main() -> int:
    """Install without torch, then run the demo."""
    require_python()
    python = prepare("demo")
    command = [python, "-m", "rtbold", "demo", *sys.argv[1:]]
    try:
        return subprocess.run(command, cwd=ROOT, check=False).returncode
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
