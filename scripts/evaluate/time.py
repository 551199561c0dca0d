"""Time and memory of `rtbold calibrate` for a 20-minute scan, stage by stage.

Each case is a process of its own that does what the command does, on files. In the same
process, after the peak of memory was noted, a few training steps of all weights are
timed: what fitting everything, and the published way, would take is extrapolated.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from measure_calibration_log import Job, done_or_do

from rtbold.sim.seeds import TIMED_SEEDS
from rtbold.sim.session_files import write_session
from rtbold.sim.settings import NEUROBOLT_CHANNELS, TwinSettings

if TYPE_CHECKING:
    from rtbold.calibration.progress import Progress
    from rtbold.calibration.result import CalibrationResult

SEVEN = (
    "Cuneus", "Heschl's gyrus", "Middle frontal gyrus anterior",
    "Precuneus anterior", "Putamen", "Thalamus", "Precentral gyrus superior",
)  # fmt: skip
CASES = (("demo", 7), ("demo", 64), ("base size", 7), ("base size", 64))
DEFAULT_N = len(CASES)
MINUTES, RATE_HZ = 20.0, 1000.0
PUBLISHED_EPOCHS = 20
THREADS = 2
REPORT = "finding out what the model reads, and the report"
N_TIMED, N_STOP = 96, 24  # windows; six steps an epoch


@dataclass(frozen=True)
class Case:
    """What one process is told."""

    folder: str  # of the session
    base: str
    rois: tuple[str, ...]
    root: str


def work(item: Sequence, cache: Path) -> dict:
    """Time one case in a process of its own."""
    base, n_rois = item
    folder = session(cache)
    case = Case(
        str(folder),
        str(untrained(cache)) if base == "base size" else base,
        SEVEN if n_rois == len(SEVEN) else (),
        str(cache / "subjects"),
    )
    environment = {**os.environ, "OMP_NUM_THREADS": str(THREADS)}
    start_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, __file__, json.dumps(asdict(case))],
        env=environment, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    return {**found, "process_s": round(time.monotonic() - start_s, 1)}


def session(cache: Path) -> Path:
    """Return a folder with one subject's EEG and BOLD."""
    folder = cache / f"session-{MINUTES:g}min-{RATE_HZ:g}hz"
    if not folder.exists():
        settings = TwinSettings(
            seed=TIMED_SEEDS[0], duration_s=60 * MINUTES, rate_hz=RATE_HZ
        )
        write_session(settings, folder)
    return folder


def untrained(cache: Path) -> Path:
    """Return a start bundle of NeuroBOLT's base size: random weights take as long."""
    import torch

    from rtbold import bundle
    from rtbold.card import Card, Origin
    from rtbold.electrodes import canonical
    from rtbold.models.export import to_safetensors
    from rtbold.models.registry import build, options_of, preset

    folder = cache / "untrained.rtbold"
    if folder.exists():
        return folder
    channels = tuple(map(canonical, NEUROBOLT_CHANNELS))
    torch.manual_seed(0)
    network = build(
        "neurobolt", preset("neurobolt", "base"), channels=channels, n_rois=1
    )
    card = Card(
        name="untrained",
        architecture="neurobolt",
        architecture_config=options_of(network.config),
        channels=channels,
        reference="average",
        tr_s=TwinSettings(seed=0).tr_s,
        rois=("none",),
        scanner="unknown",
        origin=Origin(kind="start", simulated_lineage=False),
        note="Random weights, to take the time of its size.",
    )
    contents = {"weights.safetensors": to_safetensors(network)}
    return bundle.write(folder, card, contents).path


class Stages:
    """Notes when each stage began."""

    def __init__(self) -> None:
        self._begun: list[tuple[float, str]] = []

    def say(self, text: str) -> None:
        """Begin a stage of that name."""
        self._begun.append((time.monotonic(), text))

    def tell(self, progress: "Progress") -> None:
        """Begin a stage where the steps are of another one."""
        if not self._begun or self._begun[-1][1] != progress.stage:
            self.say(progress.stage)

    def explain(self, share: float) -> None:
        """Begin the report, of which finding out what the model reads is most."""
        if self._begun[-1][1] != REPORT:
            self.say(REPORT)

    def seconds(self) -> list[tuple[str, float]]:
        """Return each stage with its length; the last one's end is now."""
        ends = [t for t, _ in self._begun[1:]] + [time.monotonic()]
        return [
            (name, round(end - t, 2))
            for (t, name), end in zip(self._begun, ends, strict=True)
        ]


def timed(case: Case) -> dict:
    """Calibrate, save, compile; return stages, peak memory, steps of all weights."""
    import datetime

    from rtbold.calibration.outcome import save
    from rtbold.calibration.recipe import Hooks, calibrate
    from rtbold.calibration.settings import CalibrationSettings, ScanFiles
    from rtbold.domain import parse_cleaning
    from rtbold.engine.openvino_compile import CompileSettings, compile_precisions

    folder = Path(case.folder)
    settings = CalibrationSettings(
        subject="T01",
        scan=ScanFiles(
            eeg=folder / "eeg.vhdr", bold=str(folder / "bold.tsv"), rois=case.rois
        ),
        cleaning=parse_cleaning("none"),
        root=Path(case.root),
        base=case.base,
        n_threads=THREADS,
    )
    stages = Stages()
    stages.say("start")
    hooks = Hooks(say=stages.say, tell=stages.tell, now_s=time.monotonic)
    result = calibrate(settings, hooks)
    stages.say("exporting the model")
    saved = save(result, datetime.datetime.now(datetime.UTC), stages.explain)
    stages.say("compiling it for this machine")
    compile_precisions(saved.bundle, ["f32"], CompileSettings(now_s=time.perf_counter))
    seconds = stages.seconds()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "stages": seconds,
        "calibrate_s": round(sum(s for _, s in seconds), 1),
        "peak_mb": round(peak_mb),
        "kept": result.choice.kept,
        "n_windows": len(result.windows),
        "n_channels": len(result.gathered.card.channels),
        **training(result),
    }


def training(result: "CalibrationResult") -> dict:
    """Time steps of all weights, and extrapolate two ways of fitting everything."""
    step_s, window_s = steps(result)
    parts = [fold.part for fold in result.folded.folds] + [result.final.part]
    sizes = [(len(part.train), len(part.stop)) for part in parts]
    sizes.append((result.published.n_train, 0))
    n_rois = len(result.measured.rois)
    published_steps = PUBLISHED_EPOCHS * (result.published.n_train // 16) * n_rois
    return {
        "step_s": round(step_s, 4),
        "window_s": round(window_s, 5),
        "all_s": round(fits_s(sizes, step_s=step_s, window_s=window_s), 1),
        "published_way_s": round(published_steps * step_s, 1),
        "published_steps": published_steps,
    }


def fits_s(
    sizes: Sequence[tuple[int, int]], *, step_s: float, window_s: float
) -> float:
    """Return what fits of these (training, stopping) volumes take at most.

    Parameters
    ----------
    window_s : of one forward pass, for the stopping part after each epoch.
    """
    from rtbold.calibration.strategies.training import TrainingSettings, n_steps

    settings = TrainingSettings()
    return sum(
        n_steps(n_train, settings) * step_s + (settings.epochs + 1) * n_stop * window_s
        for n_train, n_stop in sizes
    )


def steps(result: "CalibrationResult") -> tuple[float, float]:
    """Return the median seconds of a step of 16 windows, and of one forward window."""
    from rtbold.calibration.base import adapt_base
    from rtbold.calibration.progress import Pace
    from rtbold.calibration.strategies.protocol import Material, Task, Wish
    from rtbold.calibration.strategies.training import TrainingSettings
    from rtbold.calibration.strategies.tuned import Tuned

    scan, n = result.gathered.scan, N_TIMED + N_STOP
    base = adapt_base(result.base, result.gathered.card.channels, scan.rois)
    few = Material(scan.windows[:n], result.measured.onsets_s[:n], scan.volume[:n])
    strategy = Tuned("all", TrainingSettings(epochs=2))
    at: list[float] = []

    def pace(name: str, total: int) -> Pace:
        return Pace(
            name,
            total,
            now_s=time.monotonic,
            tell=lambda _: at.append(time.monotonic()),
        )

    start_s = time.monotonic()
    prepared = strategy.prepare(base, few, pace("features", 1))
    window_s = (time.monotonic() - start_s) / n
    at.clear()
    rng = np.random.default_rng(0)
    targets = rng.standard_normal((n, len(scan.rois))).astype(np.float32)
    task = Task(targets, np.arange(N_TIMED), np.arange(N_TIMED, n))
    strategy.fit(prepared, task, pace=pace("steps", 12), wish=Wish())
    return float(np.median(np.diff(at))), window_s


def measure(n: int, cache: Path, *, processes: int) -> dict:
    """Return stages, memory and extrapolations of each case, one after another."""
    job = Job("time", CASES[:n], work, cache.absolute())
    return {"cases": done_or_do(job), "minutes": MINUTES, "rate_hz": RATE_HZ}


if __name__ == "__main__":
    print(json.dumps(timed(Case(**json.loads(sys.argv[1])))))
