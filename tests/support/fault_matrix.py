"""The matrix of the docs: what the fault bench injected, and what came of it."""

# ruff: noqa: E501  # rows of tables

import datetime
import os
import platform
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "data" / "faults.md"
HEAD = """# Faults

`python -m pytest tests/faults --matrix` runs one session a row or more, with real LSL streams and real processes, and
writes this page. The sender's every sample is known, so that each value is held against that of its true window. A window
that is cut 25 ms off gives an error of 0.03 sd.

- *Seen after*: from the fault to the first message or word of the dashboard that is not "all is well". A dash: nothing
  said so, and no value was wrong.
- *Valid again*: from the fault's end to the end of the first window that is `ok` for good. 16 s of it is the window.
- *Error*: the largest among the values that were `ok`, and among those that were `degraded`, in sd of the values.
- *Recorded*: whether `rtbold replay` of the recording gives what was published, bit for bit. A dash: this session did not
  record.

| fault | injected | seen after, s | status | reasons | dashboard | valid again, s | error, sd: ok; degraded | recorded |
|---|---|---|---|---|---|---|---|---|
"""
ELSEWHERE = """
## Not injected here

| fault | where it is tested |
|---|---|
| 2, 5, 6 at the start | `tests/integration/test_cli_bad_input.py`, `test_acquisition.py` |
| 20 the port is in use | `tests/integration/test_cli_bad_input.py` |
| 22 SIGKILL of the session | `tests/integration/test_faults.py`; many at random: `python -m bench kills` in `scripts/` |
| 23 a wrong or broken bundle | `tests/integration/test_cli_bad_input.py`, `tests/rtbold/bundle/test_seal.py` |

Of fault 13 a minute is run here, not an hour. Fault 25 is a session that gets no time, 26 a clock of Python's that jumps.

## What these runs do not see

Volumes come every 2.1 s, so that a run meets a few moments of each fault. `tests/rtbold/predict/test_ok_beside_faults.py` cranks
a volume into each moment of a loss, of hum, of a pump and of a start. What stays `ok` there and is off: the first second of
a flat channel (up to 0.09 sd), the first one to two seconds of a pump or of slices (up to 0.11 sd).
"""


def number(value, digits=1):
    return "-" if value is None else f"{value:.{digits}f}"


def row(bench, seen):
    fault = seen.fault
    order = ("ok", "degraded", "invalid", "warmup", "paused")
    statuses = [s for s in order if s in seen.statuses()]
    words = [w for w in seen.words() if not w.startswith(("OK", "NO EEG: the newest"))]
    if any(w.startswith("NO EEG: the newest") for w in seen.words()):
        words.insert(0, "NO EEG")
    said = [w.split(";")[0].replace("|", "/") for w in words]
    same = "-"
    if bench.record and bench.compared:
        published, again = bench.compared
        same = "same" if published == again else "differs"
    errors = f"{number(seen.worst('ok'), 3)}; {number(seen.worst('degraded'), 3)}"
    again_s = None if fault.recovery_s is None else seen.valid_again_s()
    cells = (
        f"{fault.number} {fault.title}", fault.injected, number(seen.first_sign_s()),
        ", ".join(statuses), ", ".join(sorted(seen.reasons())) or "-",
        "; ".join(dict.fromkeys(said)) or "-", number(again_s), errors, same,
    )  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


def foot():
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    day = datetime.datetime.now(datetime.UTC).date()
    return (
        f"\nRun on {day}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, "
        f"commit {commit or 'unknown'}.\n"
    )


def write_matrix(done):
    """Write the page from benches and what each saw, in order."""
    rows = "".join(row(bench, each) for bench, seen in done for each in seen)
    PAGE.write_text(HEAD + rows + foot() + ELSEWHERE, encoding="utf-8")
