"""How fast the models are, and how true: one window, interleaved runs.

NeuroBOLT base (26 channels, 64 ROIs, weights drawn from each tensor's name as for the
golden test) is held against the same network as one would first write it down
(tests/support/eager_neurobolt.py). What is compared takes turns within one run, so that
a busy moment falls on all; the ratio of each turn counts.
"""

import contextlib
import functools
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.budget import Budget

ROOT = Path(__file__).resolve().parents[2]
# What the tests hold our NeuroBOLT against: weights drawn from names, and a network.
DRAWN = ROOT / "tests" / "models" / "data" / "neurobolt_golden.py"
EAGER_FILE = ROOT / "tests" / "support" / "eager_neurobolt.py"
N_ROIS = 64
TWIN_SEED = 2950  # of the validation range; in none of the ranges that a card reports
N_WINDOWS = 32
N_RANGE_WINDOWS = 4  # in all their disturbed forms, which are 48
CALLS_PER_TURN = 2
FEWEST_TURNS = 3
TIMED_S = 30.0  # what one comparison in turns may take, unless it is told otherwise
INT8_EXPORTS = 5.0  # as many times as long as the export, int8 may take to be made
PAUSE_S = 0.01  # torch's threads spin for a while after their work
AGREEMENT = 1e-4
EAGER = "PyTorch eager, loop over channels"

Call = Callable[[np.ndarray], np.ndarray]


@dataclass
class Timed:
    """Milliseconds per call, one figure per turn."""

    label: str
    call: Call
    ms: list[float] = field(default_factory=list)

    def spread(self) -> str:
        """Return median, and the middle half."""
        low, middle, high = np.percentile(self.ms, (25, 50, 75))
        return f"**{middle:.1f}** ({low:.1f} to {high:.1f})"


def in_turns(
    rows: list[Timed], window: np.ndarray, *, turns: int, seconds: float = TIMED_S
) -> int:
    """Time all rows once per turn; the first turn warms up and is not kept.

    Parameters
    ----------
    turns : at most.
    seconds : after which no turn begins, unless there were fewer than three.

    Returns
    -------
    The turns that were kept.
    """
    end_s = time.perf_counter() + seconds
    for turn in range(turns + 1):
        if turn > FEWEST_TURNS and time.perf_counter() > end_s:
            return turn - 1
        for row in rows:
            time.sleep(PAUSE_S)
            begun_s = time.perf_counter()
            for _ in range(CALLS_PER_TURN):
                row.call(window)
            ms = 1000 * (time.perf_counter() - begun_s) / CALLS_PER_TURN
            if turn:
                row.ms.append(ms)
    return turns


def ratio(first: Timed, row: Timed) -> float:
    """Return how much faster than `first`: the median over turns."""
    pairs = zip(first.ms, row.ms, strict=True)
    return statistics.median(a / b for a, b in pairs)


@contextlib.contextmanager
def torch_threads(n_threads: int) -> Iterator[None]:
    """Set torch's threads, which are those of the process."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)


def in_torch(model: Callable) -> Call:
    """Return an eager model as a function of arrays."""
    import torch

    return lambda eeg_uv: model(torch.from_numpy(eeg_uv)).numpy()


def module_of(path: Path):  # noqa: ANN201
    """Return a module of the tests."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def drawn_neurobolt(n_rois: int = N_ROIS):  # noqa: ANN201  torch is imported inside
    """Return NeuroBOLT base with the golden test's weights."""
    import torch

    from rtbold.models.neurobolt import NeuroBolt, NeuroBoltConfig

    drawn = module_of(DRAWN)
    model = NeuroBolt(NeuroBoltConfig(n_rois=n_rois)).eval()
    keep = ("mss_module.index", "mss_module.positional_encoding.pe")
    state = {
        name: torch.from_numpy(drawn.tensor(name, tuple(value.shape)))
        for name, value in model.state_dict().items()
        if name not in keep
    }
    model.load_state_dict(state, strict=False)
    return model


def twin_windows(channels: tuple[str, ...], n: int = N_WINDOWS) -> np.ndarray:
    """Return windows of a simulated subject, as the live chain makes them."""
    import msgspec

    from rtbold.calibration.datasets.scan import as_recording, conditioned
    from rtbold.calibration.train.demo import demo_card
    from rtbold.sim.settings import TwinSettings
    from rtbold.sim.twin import simulate

    card = msgspec.structs.replace(demo_card(), channels=channels)
    duration_s = 60.0 + card.tr_s * n  # the chain needs some volumes more than `n`
    settings = TwinSettings(seed=TWIN_SEED, duration_s=duration_s, channels=channels)
    return conditioned(as_recording(simulate(settings)), card).windows_uv()[:n]


def bundle_of(model, folder: Path, name: str):  # noqa: ANN001, ANN201
    """Write a network as a bundle, so that the loop's own engine runs it."""
    from rtbold.bundle import store as bundle
    from rtbold.bundle.card import Card, Origin
    from rtbold.models.registry import name_of, options_of

    card = Card(
        name=name,
        architecture=name_of(model),
        architecture_config=options_of(model.config),
        channels=model.config.channels,
        reference="average",
        tr_s=2.1,
        rois=tuple(f"roi {i}" for i in range(model.config.n_rois)),
        scanner="simulated",
        origin=Origin(kind="simulated", simulated_lineage=True),
    )
    contents = {"model.onnx": _exported(model, len(card.channels))}
    return bundle.write(folder / f"{name}.rtbold", card, contents)


@functools.cache  # an export of the base size takes many seconds
def _exported(model, n_channels: int) -> bytes:  # noqa: ANN001
    from rtbold.models import to_onnx

    return to_onnx(model, n_channels)


class Engines:
    """OpenVINO's engines for one bundle, in every precision that this CPU has."""

    def __init__(self, made, windows: np.ndarray, *, int8: bool = True) -> None:  # noqa: ANN001
        from rtbold.engine.check import range_windows
        from rtbold.engine.openvino import open_core, supported, this_machine
        from rtbold.engine.openvino_compile import quantise, to_files

        self.made, self.core = made, open_core()
        found = supported(this_machine(self.core))
        self.hints = [precision for precision in found if precision != "int8"]
        self.int8: dict[str, bytes] = {}
        if int8 and "int8" in found:
            seen = range_windows(windows[:N_RANGE_WINDOWS], made.card.channels)
            self.int8 = to_files(quantise(self.core, made, seen))

    def opened(self, n_threads: int) -> dict[str, Call]:
        """Return an engine by label; int8 once with each type for what it leaves."""
        from rtbold.engine.openvino import Graph, OpenVinoEngine

        options = {"n_threads": n_threads, "batch_size": 1}
        engines: dict[str, Call] = {
            f"OpenVINO {hint}": OpenVinoEngine(self.made, precision=hint, **options)
            for hint in self.hints
        }
        for hint in self.hints if self.int8 else ():
            model = self.core.read_model(*sorted(self.int8.values(), key=_is_binary))
            graph = Graph(model, hint, "not stored")
            engines[f"OpenVINO int8, the rest {hint}"] = OpenVinoEngine(
                self.made, precision="int8", graph=graph, **options
            )
        return engines


def _is_binary(content: bytes) -> bool:
    return not content.startswith(b"<?xml")


def neurobolt(budget: Budget, *, turns: int) -> Iterator[str]:
    """Give the tables of NeuroBOLT base, for one thread and two.

    One comes first: torch's two threads wait for each other by spinning, so that on a
    busy machine a call with two takes seconds.
    """
    budget.begin("windows of a simulated subject")
    model = drawn_neurobolt()
    eager = module_of(EAGER_FILE).EagerNeuroBolt(
        model.state_dict(), model.position_index
    )
    windows = twin_windows(model.config.channels)
    calls = {EAGER: in_torch(eager), "rtbold in PyTorch": in_torch(model)}
    budget.begin(f"answers of PyTorch to {len(windows)} windows")
    with torch_threads(1):
        reference = answers(calls["rtbold in PyTorch"], windows)
        check_agreement(answers(calls[EAGER], windows[:4]), reference[:4])
    yield (
        "One window, 26 channels, 64 ROIs. Milliseconds: median (middle half) over "
        f"at most {turns} turns. Weights are drawn at random, as in the golden test; "
        f"deviation is on {len(windows)} windows of the twin, rms over the sd of a "
        "ROI's answers over windows: median ROI and worst."
    )
    with tempfile.TemporaryDirectory() as folder:
        engines = _base_engines(budget, model, Path(folder), windows)
        deviations: dict[str, tuple[float, float]] = {}  # the same for any threads
        for n_threads in (1, 2):
            with torch_threads(n_threads):
                named = {**calls, **engines.opened(n_threads)}
                for label in named.keys() - deviations.keys():
                    budget.begin(f"deviation of {label}")
                    found = answers(named[label], windows)
                    deviations[label] = shares(found, reference)
                rows = [Timed(label, call) for label, call in named.items()]
                budget.begin(f"NeuroBOLT base in turns, {_threads(n_threads)}")
                in_turns(rows, windows[:1], turns=turns)
                yield _neurobolt_table(rows, n_threads, deviations)


def _threads(n: int) -> str:
    return f"{n} thread{'s' * (n > 1)}"


def _base_engines(
    budget: Budget,
    model,  # noqa: ANN001
    folder: Path,
    windows: np.ndarray,
) -> Engines:
    budget.begin("NeuroBOLT base is exported")
    begun_s = budget.spent_s()
    made = bundle_of(model, folder, "neurobolt-base")
    may_take_s = INT8_EXPORTS * (budget.spent_s() - begun_s)
    int8 = budget.lasts(may_take_s + 2 * TIMED_S, "int8 of NeuroBOLT base")
    if int8:
        budget.begin("int8 of NeuroBOLT base")
    return Engines(made, windows[::2], int8=int8)


def _neurobolt_table(
    rows: list[Timed], n_threads: int, deviations: dict[str, tuple[float, float]]
) -> str:
    lines = [
        f"| {_threads(n_threads)} | ms | times as fast "
        "| rms deviation / sd, median ROI | worst ROI |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        typical, worst = deviations[row.label]
        lines.append(
            f"| {row.label} | {row.spread()} | {ratio(rows[0], row):.2f} "
            f"| {typical:.1e} | {worst:.1e} |"
        )
    return "\n".join(lines)


def answers(call: Call, windows: np.ndarray) -> np.ndarray:
    """Return (n, rois), one window after the other as in the loop."""
    return np.concatenate([call(window[None]) for window in windows])


def shares(found: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Return rms deviation over the sd of the reference: median ROI and worst."""
    rms = np.sqrt(((found - reference) ** 2).mean(axis=0))
    share = rms / reference.std(axis=0)
    return float(np.median(share)), float(share.max())


def check_agreement(found: np.ndarray, reference: np.ndarray) -> None:
    """Refuse to time two networks against each other that answer differently."""
    error = np.abs(found - reference) / np.maximum(1, np.abs(reference))
    if not error.max() <= AGREEMENT:
        raise SystemExit(
            f"the eager baseline differs from rtbold's network by {error.max():.1e}, "
            f"expected at most {AGREEMENT:g}: they are not the same network"
        )
