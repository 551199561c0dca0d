"""Run the demo and keep its last live view as docs/img/demo.svg.

    python scripts/make_demo_picture.py [--duration 180]

Needs the environment of scripts/test.py or scripts/demo.py.
"""

import argparse
import subprocess
import sys
from pathlib import Path

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "img" / "demo.svg"


def main() -> int:
    """Run it headless; the picture is the same as on a terminal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--duration", default="180")
    arguments = parser.parse_args()
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "rtbold", "demo", "--headless"]
    command += ["--duration", arguments.duration, "--picture", str(PICTURE)]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
