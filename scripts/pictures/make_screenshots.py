"""Pictures of the dashboard for README and docs, from the running program.

    python scripts/pictures/make_screenshots.py                 # all, some 15 minutes
    python scripts/pictures/make_screenshots.py session dialogs # some

Fake sessions and the simulated brain feed a real window that is drawn on no screen.
Each part is a process of its own. Pictures go to docs/img/dashboard, dark and light.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

OUT = Path(__file__).resolve().parents[2] / "docs" / "img" / "dashboard"
PARTS = ("session", "states", "participant", "double", "setup", "rehearsal")
USUAL_S = 240.0


def main() -> None:
    """Draw the parts that were named, or all."""
    arguments = _parser().parse_args()
    if arguments.here:
        _draw(arguments.here, Path(arguments.out).resolve(), arguments.history)
        return
    for part in arguments.parts or PARTS:
        scale = "2" if part == "double" else "1"
        command = [
            sys.executable,
            str(Path(__file__).resolve()),
            "--here",
            part,
            "--out",
            arguments.out,
        ]
        command += ["--history", str(arguments.history)]
        environment = {
            **os.environ,
            "QT_QPA_PLATFORM": "offscreen",
            "QT_SCALE_FACTOR": scale,
        }
        print(f"-- {part}", flush=True)
        subprocess.run(command, env=environment, check=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=[])
    parser.add_argument("--out", default=str(OUT), help="Folder of the pictures.")
    parser.add_argument(
        "--history",
        type=float,
        default=USUAL_S,
        help="Seconds that a session has run before its picture.",
    )
    parser.add_argument("--here", choices=PARTS, help=argparse.SUPPRESS)
    return parser


def _draw(part: str, out: Path, history_s: float) -> None:
    import screenshots_session as session
    import screenshots_setup as setup
    from screenshots_stage import Stage

    parts = {
        "session": session.good,
        "states": session.states,
        "participant": session.participant,
        "double": session.double,
        "setup": setup.setup,
        "rehearsal": setup.rehearsal,
    }
    with Stage(out) as stage:
        parts[part](stage, history_s)


if __name__ == "__main__":
    main()
