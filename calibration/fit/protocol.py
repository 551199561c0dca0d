"""What every strategy does: read all windows once, then fit fold after fold."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from torch import Tensor, nn

from rtbold.calibration.fit.base import Base
from rtbold.calibration.fit.ridge import FitFeatures
from rtbold.calibration.fit.split import IntArray
from rtbold.messages import Float32Array, FloatArray

# How far a long fit is, and how long it will still take. Pure; time is an argument.

Clock = Callable[[], float]  # monotonic seconds


@dataclass(frozen=True, slots=True)
class Progress:
    """One stage of a fit."""

    stage: str  # "features", "folds", "final"
    done: int  # steps of this stage
    total: int
    left_s: float | None  # of this stage, at its pace so far; None: not known yet

    @property
    def share(self) -> float:
        """How much of the stage is done, 0 to 1."""
        return min(self.done / self.total, 1.0) if self.total else 1.0


Tell = Callable[[Progress], None]


class Pace:
    """Counts the steps of one stage and tells how long the rest takes.

    Parameters
    ----------
    total : steps of the stage if none is saved by stopping early.
    now_s : asked at the start and after every step.
    """

    def __init__(self, stage: str, total: int, *, now_s: Clock, tell: Tell) -> None:
        self._stage, self._total = stage, total
        self._now_s, self._tell = now_s, tell
        self._done, self._start_s = 0, now_s()

    def step(self, n: int = 1) -> None:
        """Count `n` steps and tell."""
        self._done += n
        spent_s = self._now_s() - self._start_s
        left_s = spent_s / self._done * max(self._total - self._done, 0)
        self._tell(Progress(self._stage, self._done, self._total, left_s))

    def saved(self, n: int) -> None:
        """Take `n` steps off that will not be needed."""
        self._total -= n


def ignore_progress(progress: Progress) -> None:
    """Tell nobody."""


def untimed() -> float:
    """Return a time that stands still, where nobody is told."""
    return 0.0


StrategyName = Literal["head", "last", "adapters", "all"]


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """The windows of one scan, as `calibration.inputs` gives them."""

    windows_uv: Float32Array  # (windows, channels, 3200)
    onsets_s: FloatArray  # (windows,), ascending
    volume: IntArray  # (windows,), number of each window's volume


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What all folds share."""

    base: Base
    fit_features: FitFeatures
    inputs: tuple[Tensor, ...]  # (windows, ...) each: what training steps are fed with


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One fit: which rows learn, which stop it."""

    targets: Float32Array  # (windows, rois), model units; nan outside of the two parts
    train: IntArray
    stop: IntArray
    seed: int = 0


@dataclass(slots=True)
class CancellationToken:
    """Whether the user wants the fits to end; shared by all folds.

    A Ctrl-C during a training step sets it too.
    """

    requested: Callable[[], bool] = field(default=lambda: False)
    interrupted: bool = False

    def to_stop(self) -> bool:
        """Return whether to stop at this step."""
        self.interrupted = self.interrupted or self.requested()
        return self.interrupted


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """One fitted network, and how it was fitted."""

    network: nn.Module  # evaluation mode; what is exported
    predictions: Callable[[IntArray], Float32Array]
    notes: dict[str, float]
    errors: tuple[float, ...] = ()  # by epoch, of the stopping part; first: the start
    interrupted: bool = False

    def predict(self, rows: IntArray) -> Float32Array:
        """Return (rows, rois) in model units, as `module()` would answer."""
        return self.predictions(rows)

    def module(self) -> nn.Module:
        """Return the network that gives these answers."""
        return self.network


@dataclass(frozen=True, slots=True)
class Hooks:
    """How whoever started a calibration is told, and may end it."""

    say: Callable[[str], None] = lambda text: None
    tell: Tell = ignore_progress
    now_s: Clock = untimed
    cancel: CancellationToken | None = None  # None: only Ctrl-C inside a training step


class Strategy(Protocol):
    """A way to fit; frozen settings, no state."""

    @property
    def name(self) -> StrategyName:
        """The option's word."""

    def n_batches(self, n_windows: int) -> int:
        """Return how many steps `prepare` counts."""

    def n_steps(self, n_train: int) -> int:
        """Return how many steps a fit on so many volumes counts at most."""

    def prepare(self, base: Base, material: Material, pace: Pace) -> Prepared:
        """Read all windows; nothing of the targets is known here."""

    def fit(
        self, prepared: Prepared, task: Task, *, pace: Pace, cancel: CancellationToken
    ) -> Fitted:
        """Fit one part; deterministic for the task's seed."""
