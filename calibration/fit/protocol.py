"""What every strategy does: read all windows once, then fit fold after fold."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from torch import Tensor, nn

from rtbold.calibration.fit.base import Base
from rtbold.calibration.fit.ridge import Readings
from rtbold.calibration.fit.split import IntArray
from rtbold.calibration.progress import Pace
from rtbold.messages import Float32Array, FloatArray

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
    readings: Readings
    inputs: tuple[Tensor, ...]  # (windows, ...) each: what training steps are fed with


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One fit: which rows learn, which stop it."""

    targets: Float32Array  # (windows, rois), model units; nan outside of the two parts
    train: IntArray
    stop: IntArray
    seed: int = 0


@dataclass(slots=True)
class Wish:
    """Whether the user wants the fits to end; shared by all folds.

    A Ctrl-C during a training step sets it too.
    """

    asked: Callable[[], bool] = field(default=lambda: False)
    interrupted: bool = False

    def to_stop(self) -> bool:
        """Return whether to stop at this step."""
        self.interrupted = self.interrupted or self.asked()
        return self.interrupted


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """One fitted network, and how it was fitted."""

    network: nn.Module  # evaluation mode; what is exported
    answers: Callable[[IntArray], Float32Array]
    notes: dict[str, float]
    errors: tuple[float, ...] = ()  # by epoch, of the stopping part; first: the start
    interrupted: bool = False

    def predict(self, rows: IntArray) -> Float32Array:
        """Return (rows, rois) in model units, as `module()` would answer."""
        return self.answers(rows)

    def module(self) -> nn.Module:
        """Return the network that gives these answers."""
        return self.network


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

    def fit(self, prepared: Prepared, task: Task, *, pace: Pace, wish: Wish) -> Fitted:
        """Fit one part; deterministic for the task's seed."""
