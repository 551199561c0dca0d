"""Causal smoothing of the target's value, void after whatever breaks the series. Pure.

A mean of the last N is there once N volumes in a row are; an exponential once its time
constant has passed. What comes before is no value: a mean of one volume beside means of
three would look like an effect.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from rtbold.config import FeedbackSettings

_TOLERANCE: Final = 0.5  # of a TR, by which the next volume may begin early or late
_SETTLED: Final = 1 - math.exp(-1.0) - 1e-9  # of the weights: one time constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value of a series, and what tells whether the next one follows it."""

    value: float
    t_s: float  # onset of its volume
    next_due_s: float | None  # onset of the next; None: not known

    def is_followed_by(self, other: "Sample") -> bool:
        """Return whether no volume lies between."""
        if self.next_due_s is None:
            return False
        tr_s = self.next_due_s - self.t_s
        return abs(other.t_s - self.next_due_s) <= _TOLERANCE * tr_s


class Smoother:
    """Takes values one by one; `void` says that the series is broken.

    Parameters
    ----------
    settings : how to smooth.
    """

    def __init__(self, settings: FeedbackSettings) -> None:
        self._settings = settings
        self._last: Sample | None = None
        self._recent: deque[float] = deque(maxlen=settings.smooth_n)
        self._sum = self._weight = 0.0

    def void(self) -> None:
        """Forget everything: the next value begins a new series."""
        self._last = None
        self._recent.clear()
        self._sum = self._weight = 0.0

    def __call__(self, sample: Sample) -> float | None:
        """Return the smoothed value; None: there is not enough behind it yet."""
        last = self._last
        if last is not None and not last.is_followed_by(sample):
            self.void()
            last = None
        self._last = sample
        if self._settings.smooth == "mean":
            return self._mean(sample.value)
        if self._settings.smooth == "exponential":
            return self._exponential(sample, last)
        return sample.value

    def _mean(self, value: float) -> float | None:
        self._recent.append(value)
        if len(self._recent) < self._settings.smooth_n:
            return None
        return math.fsum(self._recent) / len(self._recent)

    def _exponential(self, sample: Sample, last: Sample | None) -> float | None:
        if last is not None:
            step_s = sample.t_s - last.t_s
        else:
            step_s = (sample.next_due_s or sample.t_s) - sample.t_s
        keep = math.exp(-max(step_s, 0.0) / self._settings.smooth_s)
        self._sum = keep * self._sum + (1 - keep) * sample.value
        self._weight = keep * self._weight + (1 - keep)
        if self._weight < _SETTLED:
            return None
        return self._sum / self._weight


def smoothed(samples: Iterable[Sample], settings: FeedbackSettings) -> Iterator[float]:
    """Yield what a series becomes, without what has not enough behind it."""
    smooth = Smoother(settings)
    for sample in samples:
        if (value := smooth(sample)) is not None:
            yield value
