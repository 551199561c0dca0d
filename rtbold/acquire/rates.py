"""The rate of a stream: the one that it declares, and the one of its stamps. Pure.

A sender that declares the wrong rate sends samples that look whole. Its stamps tell.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from rtbold.messages import MODEL_RATE_HZ, FloatArray

MOST_PHASES = 2000  # of the resampler
_SAME_RATE = 1e-9  # relative
_MEASURED = 5e-4  # relative: so far a measured rate is from the one that was set
PAUSE_S = 1.0  # stamps further apart are a gap, and say nothing of the rate
_BLOCK_S = 2.0  # over which a regular stream keeps its rate
_REGULAR_SHARE = 0.8  # of these blocks
_REGULAR = 0.05  # relative: so well it keeps it
_EVEN_SHARE = 0.9  # of the steps between stamps
_EVEN = 0.25  # of a period: so near to it such a step is
LEAST_STEPS = 10
RATE_DIFFERS = 0.002  # relative: what is worth a word
SURELY_OTHER_RATE = 0.01  # relative: the same where samples are even
OTHER_RATE = 0.1  # relative: no clock is so wrong, and hardly a network


def is_simple(rate_hz: float) -> bool:
    """Whether the resampler can take this rate."""
    wanted = Fraction(rate_hz) / Fraction(MODEL_RATE_HZ)
    ratio = wanted.limit_denominator(MOST_PHASES)
    return wanted > 0 and abs(ratio / wanted - 1) <= _SAME_RATE


def simple_rate_hz(rate_hz: float) -> float:
    """Return the rate that was set, where a sender declares a measured one.

    That is the whole number beside it; a rate that is near none comes back as it is.
    """
    whole_hz = float(round(rate_hz))
    if whole_hz <= 0 or is_simple(rate_hz):
        return rate_hz
    near = abs(rate_hz / whole_hz - 1) <= _MEASURED
    return whole_hz if near else rate_hz


@dataclass(frozen=True, slots=True)
class StampedRate:
    """What the stamps of a recording say of its rate."""

    rate_hz: float  # mean, long gaps left out
    step_hz: float | None  # of one sample after the other; None: they are not even
    regular: bool  # the mean is kept all the time
    duration_s: float  # over which it was measured

    def off(self, declared_hz: float) -> float:
        """Return by which share the mean differs from a rate; 0: not for sure."""
        off = abs(self.rate_hz / declared_hz - 1)
        return off if off > RATE_DIFFERS + 0.1 / self.duration_s else 0.0


def set_rate_hz(measured_hz: float) -> float:
    """Return the whole number beside a measured rate, which was set; or as it is."""
    whole_hz = float(round(measured_hz))
    near = whole_hz > 0 and abs(measured_hz / whole_hz - 1) <= RATE_DIFFERS
    return whole_hz if near else measured_hz


def stamped_rate(stamps_s: FloatArray) -> StampedRate | None:
    """Return the rate by (samples,) stamps; None: they are too few to have one."""
    steps_s = np.diff(stamps_s[np.isfinite(stamps_s)])
    kept_s = steps_s[np.abs(steps_s) <= PAUSE_S]
    duration_s = float(kept_s.sum())
    if len(kept_s) < LEAST_STEPS or duration_s <= 0:
        return None
    period_s = duration_s / len(kept_s)
    return StampedRate(
        rate_hz=1 / period_s,
        step_hz=_step_hz(kept_s),
        regular=2 * len(kept_s) > len(steps_s) and _is_regular(kept_s, period_s),
        duration_s=duration_s,
    )


def _step_hz(steps_s: FloatArray) -> float | None:
    median_s = float(np.median(steps_s))
    near = np.abs(steps_s - median_s) <= _EVEN * median_s
    if median_s <= 0 or np.mean(near) < _EVEN_SHARE:
        return None
    return 1 / float(np.mean(steps_s[near]))


def _is_regular(steps_s: FloatArray, period_s: float) -> bool:
    n = max(round(_BLOCK_S / period_s), 2)
    n_blocks = len(steps_s) // n
    if n_blocks < 2:
        return _step_hz(steps_s) is not None
    blocks_s = steps_s[: n_blocks * n].reshape(n_blocks, n).sum(axis=1)
    kept = np.abs(blocks_s / (n * period_s) - 1) <= _REGULAR
    return bool(np.mean(kept) >= _REGULAR_SHARE)
