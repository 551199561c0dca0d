"""How fast a training is: NeuroBOLT base against a plain loop, in one run.

The plain loop is in the manner of the published code: epochs of all windows in double
precision in memory, a dataset that hands out one window after the other, a loader that
stacks them, the network with its loop over channels and its attention written out
(tests/support/eager_neurobolt.py), AdamW tensor by tensor. It has no dropout, which
spares it some work. All take turns within one run.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from bench.models import EAGER_FILE, TWIN_SEED, drawn_neurobolt, module_of

BATCH = 16
CHANNELS_N = 26
PLAIN = "plain loop, float32"
INPUT_PLAIN = "dataset and loader"
INPUT_OURS = "gathers in a thread's turn"


@dataclass(frozen=True)
class TrainPlan:
    """How long is measured."""

    turns: int = 3
    steps: int = 3  # of a turn
    n_threads: int = 2


@dataclass
class Row:
    """Windows a second, one figure a turn."""

    label: str
    work: Callable[[], float]
    rates: list[float] = field(default_factory=list)

    def facts(self, first: "Row") -> dict[str, object]:
        """Return the medians: windows a second, and times as fast as the first."""
        pairs = zip(self.rates, first.rates, strict=True)
        return {
            "label": self.label,
            "rate": statistics.median(self.rates),
            "low": min(self.rates),
            "high": max(self.rates),
            "times": statistics.median(a / b for a, b in pairs),
        }


def measure(plan: TrainPlan) -> dict[str, object]:
    """Train by each loop in turns; return the rates."""
    import torch

    from rtbold.calibration.train.machines import join_machines

    before = torch.get_num_threads()
    machines = join_machines("cpu", n_threads=plan.n_threads)
    try:
        scans = _scans(plan)
        loader = _loader(scans)
        waits: list[float] = []
        rows = [
            Row(PLAIN, _plain(loader)),
            Row("rtbold, float32", _ours(scans, machines, "float32", waits)),
            Row("rtbold, bfloat16", _ours(scans, machines, "bfloat16", waits)),
        ]
        _in_turns(rows, plan.turns)
        inputs = [
            Row(INPUT_PLAIN, lambda: _rate(len(windows) for windows, _ in loader)),
            Row(INPUT_OURS, lambda: _rate(_gathered(scans))),
        ]
        _in_turns(inputs, plan.turns)
    finally:
        torch.set_num_threads(before)
    return {
        "rows": [row.facts(rows[0]) for row in rows],
        "inputs": [row.facts(inputs[0]) for row in inputs],
        "waiting_share": max(waits),
        "batch": BATCH,
        "threads": plan.n_threads,
        "turns": plan.turns,
        "steps": plan.steps,
    }


def _in_turns(rows: list[Row], turns: int) -> None:
    """Time all rows once a turn; the first turn warms up and is not kept."""
    for turn in range(turns + 1):
        for row in rows:
            rate = row.work()
            if turn:
                row.rates.append(rate)


def _scans(plan: TrainPlan):  # noqa: ANN202 - imported inside
    """Return one simulated scan, as a part with just as many windows as a turn."""
    import msgspec

    from rtbold.calibration.datasets.scan import as_recording, conditioned
    from rtbold.calibration.train.batches import Part
    from rtbold.calibration.train.demo import demo_card
    from rtbold.models.montage import PUBLISHED_CHANNELS
    from rtbold.sim.settings import TwinSettings
    from rtbold.sim.twin import simulate

    card = msgspec.structs.replace(demo_card(), channels=PUBLISHED_CHANNELS)
    n = plan.steps * BATCH
    settings = TwinSettings(
        seed=TWIN_SEED, duration_s=60.0 + 2.1 * n, channels=PUBLISHED_CHANNELS
    )
    scan = conditioned(as_recording(simulate(settings)), card)
    target = (scan.bold - scan.bold.mean(axis=0)) / scan.bold.std(axis=0)
    return Part([scan], [target.astype(np.float32)], [np.arange(n)])


# The plain loop.


def _loader(part):  # noqa: ANN001, ANN202
    import torch
    from torch.utils.data import DataLoader, Dataset

    epochs = part.scans[0].windows_uv(range(len(part))).astype(np.float64)
    measured = part.targets[0].astype(np.float64)

    class Windows(Dataset):
        def __len__(self) -> int:
            return len(epochs)

        def __getitem__(self, at: int):  # noqa: ANN204
            window = epochs[at] - epochs[at].mean(axis=1, keepdims=True)
            return torch.tensor(window).float(), torch.tensor(measured[at]).float()

    return DataLoader(Windows(), batch_size=BATCH, shuffle=True, drop_last=True)


def _plain(loader) -> Callable[[], float]:  # noqa: ANN001
    import torch

    drawn = drawn_neurobolt()
    eager = module_of(EAGER_FILE).EagerNeuroBolt(
        drawn.state_dict(), drawn.position_index
    )
    learned = {name for name, _ in drawn.named_parameters()}
    for name in learned:
        eager.w[name].requires_grad_(True)
    optimiser = torch.optim.AdamW(
        [{"params": [eager.w[name]]} for name in sorted(learned)], lr=1e-5
    )

    def work() -> float:
        begun_s, n = time.perf_counter(), 0
        for windows, target in loader:
            loss = torch.nn.functional.mse_loss(eager(windows), target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            n += len(windows)
        return n / (time.perf_counter() - begun_s)

    return work


# rtbold's own.


def _gathered(part) -> Iterator[int]:  # noqa: ANN001
    """Yield the size of each batch that is gathered."""
    from rtbold.calibration.train.batches import LostChannels, Share, TrainingBatches

    lost = LostChannels(("CZ",), "average", expected=0.0, windows=0.5)
    batches = TrainingBatches(part, lost, size=BATCH, jitter=0.0, seed=0, share=Share())
    for batch in batches.epoch(0):
        yield len(batch.windows_uv)


def _rate(sizes: Iterator[int]) -> float:
    begun_s = time.perf_counter()
    n = sum(sizes)
    return n / (time.perf_counter() - begun_s)


def _ours(part, machines, precision: str, waits: list[float]):  # noqa: ANN001, ANN202
    import msgspec

    from rtbold.calibration.train.batches import Part
    from rtbold.calibration.train.recipe import load_recipe
    from rtbold.calibration.train.trainer import Run, Watch, fit

    recipe = load_recipe("neurobolt-published")
    how = msgspec.structs.replace(
        recipe.training, epochs=1, warmup_epochs=0.0, precision=precision
    )
    recipe = msgspec.structs.replace(recipe, training=how)
    few = Part(part.scans, part.targets, [np.arange(4)])
    network = drawn_neurobolt()

    def work() -> float:
        watch = Watch(now_s=time.perf_counter)
        run = Run(machines=machines)
        course = fit(network, (part, few), recipe, run=run, watch=watch)
        waits.append(course.waiting_share)
        return course.windows_per_s

    return work
