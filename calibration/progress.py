"""How far a long fit is, and how long it will still take. Pure; time is an argument."""

from collections.abc import Callable
from dataclasses import dataclass

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


def untold(progress: Progress) -> None:
    """Tell nobody."""


def untimed() -> float:
    """Return a time that stands still, where nobody is told."""
    return 0.0
