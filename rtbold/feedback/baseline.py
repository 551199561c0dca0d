"""What a value is held against: the card's baseline, a block's, or a running one. Pure.

A baseline that is measured holds predictions of volumes in which nobody regulates. A
running one that took regulation in would follow it, and success would erase itself.
"""

import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

import numpy as np

from rtbold.bundle import Baseline, Card
from rtbold.config import FeedbackSettings
from rtbold.feedback.smoothing import Sample, smoothed
from rtbold.feedback.target import Target
from rtbold.messages import Float32Array
from rtbold.protocol import BlockNow, Task
from rtbold.truth import effective_n_of_mean

ENOUGH_BASELINE_N: Final = 60  # volumes; below, mean and sd are too loose to call z ok
LEAST_BASELINE_N: Final = 10  # volumes; below, a measured baseline is none
LEAST_SD: Final = 1e-6
NOBODY_REGULATES: Final[frozenset[Task]] = frozenset({"rest", "baseline"})
_MAD_TO_SD: Final = 1.4826  # of a normal distribution
FLOAT32_MAX: Final = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Mean and sd of predictions, and how many they rest on."""

    name: str
    mean: float  # of what is normalised: smoothed, if values are
    sd: float
    n: int
    n_eff: float | None  # independent volumes
    raw_mean: float  # before smoothing: what an outlier is held against
    raw_sd: float
    ordered: tuple[float, ...] = ()  # rising, for percentiles; empty: not known
    n_winsorised: int = 0

    def z(self, value: float) -> float:
        """Return by how many sd a value lies above the mean."""
        return (value - self.mean) / self.sd

    def percentile(self, value: float) -> float:
        """Return which percentage of the baseline lies below; ties count half."""
        below, up_to = (
            bisect_left(self.ordered, value),
            bisect_right(self.ordered, value),
        )
        return 50.0 * (below + up_to) / len(self.ordered)

    def drawn_in(self, value: float, limit_sd: float) -> float:
        """Return a value before smoothing, no further out than `limit_sd`."""
        reach = limit_sd * self.raw_sd
        return min(max(value, self.raw_mean - reach), self.raw_mean + reach)


def card_reference(card: Card, target: Target) -> Reference | None:
    """Return what the card knows of a target; None: nothing to hold a value against.

    A contrast has a mean and an sd only if the card was calibrated for it: the sd of a
    weighted sum does not follow from those of its parts.
    """
    whole, contrast = card.baseline, card.contrast
    if contrast is not None and target.is_of_card(card):
        mean, sd = contrast.mean, contrast.sd
    elif (roi := target.roi_of(card)) is not None and has_baseline(whole, roi):
        mean, sd = whole.mean[roi], whole.sd[roi]
    else:
        return None
    if whole.n < 1 or not (math.isfinite(mean) and math.isfinite(sd) and sd > 0):
        return None
    return Reference(
        name=whole.name, mean=mean, sd=sd, n=whole.n, n_eff=whole.n_eff,
        raw_mean=mean, raw_sd=sd,
    )  # fmt: skip


def measured_reference(
    samples: Sequence[Sample], settings: FeedbackSettings, *, name: str
) -> Reference | None:
    """Return the baseline of measured values; None: too few, or they do not vary.

    Outliers are drawn in first: a mean and an sd follow a single one. Their limits come
    from the median and the median deviation, which do not.
    """
    kept, n_out = _winsorised([s.value for s in samples], settings.winsorise_sd)
    drawn = [replace(s, value=v) for s, v in zip(samples, kept, strict=True)]
    values = list(smoothed(drawn, settings))
    if len(values) < LEAST_BASELINE_N:
        return None
    mean, sd = _mean_sd(values)
    raw_mean, raw_sd = _mean_sd(kept)
    if min(sd, raw_sd) < LEAST_SD:
        return None
    return Reference(
        name=name,
        mean=mean,
        sd=sd,
        n=len(values),
        n_eff=_independent(values, mean),
        raw_mean=raw_mean,
        raw_sd=raw_sd,
        ordered=tuple(sorted(values)),
        n_winsorised=n_out,
    )


class BlockBaseline:
    """The values of the newest baseline block of the protocol.

    A block that was broken off takes the place of none, nor of a shorter one.

    Parameters
    ----------
    settings : how the feedback is made.
    carried : from an earlier run; None: there was none.
    """

    def __init__(
        self, settings: FeedbackSettings, carried: Reference | None = None
    ) -> None:
        self._settings = settings
        self._block: BlockNow | None = None  # its newest volume
        self._samples: list[Sample] = []
        self.reference = carried

    def take(self, sample: Sample | None, now: BlockNow | None) -> None:
        """Take one volume, after it was normalised; None: it had no value."""
        if self._block is not None and not _same_block(self._block, now):
            self._close(self._block, whole=False)
        if now is None or now.task != "baseline":
            return
        self._block = now
        if sample is not None and now.volume_in_block >= self._settings.skip_n:
            self._samples.append(sample)
        if now.last_of_block:
            self._close(now, whole=True)

    def finish(self) -> None:
        """Take word that no volume follows."""
        if self._block is not None:
            self._close(self._block, whole=False)

    def _close(self, block: BlockNow, *, whole: bool) -> None:
        found = measured_reference(self._samples, self._settings, name=block.name)
        self._block = None
        self._samples = []
        if found is not None and (whole or _is_as_good(found, self.reference)):
            self.reference = found


class RunningBaseline:
    """The newest values in which nobody regulated; it remembers `memory_n` of them.

    Parameters
    ----------
    settings : how the feedback is made.
    carried : from an earlier run, until this one has enough; None: there was none.
    """

    def __init__(
        self, settings: FeedbackSettings, carried: Reference | None = None
    ) -> None:
        self._settings = settings
        self._samples: deque[Sample] = deque(maxlen=settings.memory_n)
        self._is_own = carried is None
        self.reference = carried

    def take(self, sample: Sample | None, now: BlockNow | None) -> None:
        """Take one volume, after it was normalised; None: it had no value."""
        if sample is None or now is None or now.task not in NOBODY_REGULATES:
            return
        if now.volume_in_block < self._settings.skip_n:
            return
        self._samples.append(sample)
        found = measured_reference(tuple(self._samples), self._settings, name="running")
        if found is not None and (self._is_own or _is_as_good(found, self.reference)):
            self._is_own, self.reference = True, found

    def finish(self) -> None:
        """Take word that no volume follows."""


class CardBaseline:
    """The card's own, which nothing changes.

    Parameters
    ----------
    card, target : of the session.
    """

    def __init__(self, card: Card, target: Target) -> None:
        self.reference = card_reference(card, target)

    def take(self, sample: Sample | None, now: BlockNow | None) -> None:
        """Take one volume and learn nothing from it."""

    def finish(self) -> None:
        """Take word that no volume follows."""


# Of all ROIs at once, against the card: what `pred.roi` says.


def has_baseline(baseline: Baseline, roi: int) -> bool:
    """Return whether a z against `baseline` means anything for ROI number `roi`."""
    if baseline.n < 1 or min(len(baseline.mean), len(baseline.sd)) <= roi:
        return False
    sd = baseline.sd[roi]
    return bool(np.isfinite(baseline.mean[roi]) and np.isfinite(sd) and sd > 0)


def z_values(values: Float32Array, baseline: Baseline) -> tuple[float | None, ...]:
    """Return z per ROI, None where the baseline has nothing to say."""
    return tuple(
        (float(value) - baseline.mean[roi]) / baseline.sd[roi]
        if has_baseline(baseline, roi)
        else None
        for roi, value in enumerate(values)
    )


def _is_as_good(found: Reference, known: Reference | None) -> bool:
    return known is None or found.n >= min(known.n, ENOUGH_BASELINE_N)


def _winsorised(
    values: Sequence[float], limit_sd: float | None
) -> tuple[list[float], int]:
    """Return values with the outer ones drawn in, and how many those were."""
    if limit_sd is None or not values:
        return list(values), 0
    middle = median(values)
    reach = limit_sd * _MAD_TO_SD * median(abs(v - middle) for v in values)
    if reach == 0:  # most are alike: nothing says what an outlier is
        return list(values), 0
    kept = [min(max(v, middle - reach), middle + reach) for v in values]
    return kept, sum(a != b for a, b in zip(values, kept, strict=True))


def _mean_sd(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and sd, exactly summed: the same on every machine."""
    mean = math.fsum(values) / len(values)
    squares = math.fsum((v - mean) ** 2 for v in values)
    return mean, math.sqrt(squares / max(len(values) - 1, 1))


def _independent(values: Sequence[float], mean: float) -> float:
    series = (np.array(values) - mean)[:, None]
    mask = np.ones(len(values), dtype=np.bool_)
    return round(float(effective_n_of_mean(series, mask)[0]), 1)


def _same_block(a: BlockNow, b: BlockNow | None) -> bool:
    return b is not None and (a.run, a.attempt, a.block) == (b.run, b.attempt, b.block)
