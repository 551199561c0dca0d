"""Time and memory of `rtbold calibrate` for a 20-minute scan, stage by stage.

Each case is the command itself, on files. A stage lasts from the line that names it to
the next one. The base size starts from nothing: random weights take as long.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rtbold.bundle.store import load
from rtbold.sim.settings import TIMED_SEEDS, TwinSettings
from rtbold.sim.twin import write_session

SEVEN = (
    "Cuneus", "Heschl's gyrus", "Middle frontal gyrus anterior",
    "Precuneus anterior", "Putamen", "Thalamus", "Precentral gyrus superior",
)  # fmt: skip
BASES = {"demo": ("--base", "demo"), "base size": ("--size", "base")}
DEFAULT_N = 2 * len(BASES)
MINUTES, RATE_HZ = 20.0, 1000.0
THREADS = 2
STAGE = re.compile(r" *\d+ s  (.+)")


def items(n: int) -> list[tuple[str, int]]:
    """Return (base, number of ROIs)."""
    return [(base, n_rois) for base in BASES for n_rois in (len(SEVEN), 64)][:n]


def work(item: Sequence, cache: Path) -> dict:
    """Time one case."""
    base, n_rois = item
    scan = session(cache)
    words = ["--subject", "T01", "--cleaning", "none", "--threads", str(THREADS)]
    words += ["--eeg", str(scan / "eeg.vhdr"), "--bold", str(scan / "bold.tsv")]
    words += [*BASES[base], "--root", str(cache / "subjects"), "--json"]
    words += ["--target", SEVEN[0]]
    for roi in SEVEN if n_rois == len(SEVEN) else ():
        words += ["--roi", roi]
    begun_s = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "rtbold", "calibrate", *words],
        env={**os.environ, "OMP_NUM_THREADS": str(THREADS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    said = [(line, time.monotonic()) for line in process.stderr]
    answer = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    if status != 0:
        raise RuntimeError(f"rtbold calibrate said: {''.join(t for t, _ in said)}")
    whole_s = time.monotonic() - begun_s
    return {
        "stages": stages(said, begun_s=begun_s, end_s=begun_s + whole_s),
        "process_s": round(whole_s, 1),
        "peak_mb": round(used.ru_maxrss / 1024),
        "n_channels": len(load(json.loads(answer)["bundle"]).card.channels),
    }


def stages(
    said: Sequence[tuple[str, float]], *, begun_s: float, end_s: float
) -> list[tuple[str, float]]:
    """Return each stage with its length.

    Parameters
    ----------
    said : lines of the command, and when each came.
    """
    found = [(STAGE.fullmatch(line.rstrip()), t) for line, t in said]
    begun = [("start", begun_s)] + [(m[1], t) for m, t in found if m]
    ends = [t for _, t in begun[1:]] + [end_s]
    return [
        (name, round(end - t, 2)) for (name, t), end in zip(begun, ends, strict=True)
    ]


def session(cache: Path) -> Path:
    """Return a folder with one subject's EEG and BOLD."""
    folder = cache / f"session-{MINUTES:g}min-{RATE_HZ:g}hz"
    if not folder.exists():
        settings = TwinSettings(
            seed=TIMED_SEEDS[0], duration_s=60 * MINUTES, rate_hz=RATE_HZ
        )
        write_session(settings, folder)
    return folder


def summary(lines: Sequence[dict]) -> dict:
    """Return the cases as they are."""
    return {"cases": lines, "minutes": MINUTES, "rate_hz": RATE_HZ}
