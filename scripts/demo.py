"""Set up a light environment and run ``rtbold demo``; arguments are passed on.

python scripts/demo.py --duration 300
python scripts/demo.py --view terminal      # without the dashboard and its packages
"""

import itertools
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from environment import ROOT, prepare, require_python

NO_WINDOW = ("--headless", "--view=terminal", "--view=lines")


def extras(arguments: Sequence[str], environ: Mapping[str, str], platform: str) -> str:
    """Return what to install beside the loop: the dashboard where it can be shown."""
    joined = [*arguments, *map("=".join, itertools.pairwise(arguments))]
    if any(word in NO_WINDOW for word in joined):
        return ""
    names = ("DISPLAY", "WAYLAND_DISPLAY")
    display = platform in ("win32", "darwin") or any(environ.get(n) for n in names)
    return "gui" if display or "--view=dashboard" in joined else ""


def main() -> int:
    """Install without torch, then run the demo."""
    require_python()
    python = prepare("demo", extras(sys.argv[1:], os.environ, sys.platform))
    command = [python, "-m", "rtbold", "demo", *sys.argv[1:]]
    try:
        return subprocess.run(command, cwd=ROOT, check=False).returncode
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
