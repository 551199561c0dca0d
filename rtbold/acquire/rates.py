"""How the samples of a stream come: at which rate, by their stamps; in bursts. Pure.

A sender that declares the wrong rate sends samples that look whole. Its stamps tell.
"""

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

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


LOOKS_HZ = 4.0  # at the stamps, by the declared rate
LOOKS_KEPT = 65
ENOUGH_S = 3.0  # of stamps, or four declared seconds, show a rate
ENOUGH_LOOKS = 17
_PARTS = 3  # of them, which must agree
_STEADY = 0.15  # relative, by which one part may differ from the mean


class RateWatch:
    """Whether samples come at quite another rate than the stream declares.

    It looks at the stamp of every so many samples, counted, so that what it says does
    not depend on chunks. Losses now and then make no rate: all parts must agree.

    Parameters
    ----------
    declared_hz : by the stream.
    """

    def __init__(self, declared_hz: float) -> None:
        self._declared_hz = declared_hz
        self._every_n = max(round(declared_hz / LOOKS_HZ), 1)
        self._looks: deque[tuple[int, float]] = deque(maxlen=LOOKS_KEPT)

    def push(self, stamps_s: FloatArray, source_index: int) -> None:
        """Take the raw stamps of the next samples.

        Parameters
        ----------
        source_index : of the first of them.
        """
        n = self._every_n
        for at in range(-source_index % n, len(stamps_s), n):
            number = (source_index + at) // n
            if self._looks and self._looks[-1][0] != number - 1:
                self._looks.clear()  # samples were lost, and counted
            self._looks.append((number, float(stamps_s[at])))

    @property
    def rate_hz(self) -> float | None:
        """The rate that comes, if it is quite another one than declared; else None."""
        looks = list(self._looks)
        newest = max(len(looks) - ENOUGH_LOOKS, 0)
        while newest > 0 and looks[-1][1] - looks[newest][1] < ENOUGH_S:
            newest -= 1
        # Chunks with stamps of their own blur the newest seconds, but not all of them
        return self._rate_of(looks[newest:]) or self._rate_of(looks)

    def _rate_of(self, looks: list[tuple[int, float]]) -> float | None:
        n = len(looks) - 1
        all_s = looks[-1][1] - looks[0][1] if looks else 0.0
        if n < _PARTS or not all_s > 0:
            return None
        if all_s < ENOUGH_S and n < ENOUGH_LOOKS - 1:
            return None
        cuts = [round(n * part / _PARTS) for part in range(_PARTS + 1)]
        steady = all(
            abs((looks[b][1] - looks[a][1]) / (b - a) / (all_s / n) - 1) <= _STEADY
            for a, b in pairwise(cuts)
        )
        rate_hz = n * self._every_n / all_s
        off_s = abs(n * self._every_n / self._declared_hz - all_s)
        other = off_s - _blur_s(looks, all_s / n) > OTHER_RATE * all_s
        return rate_hz if steady and other else None

    @property
    def text(self) -> str:
        """What is declared and what comes, and what to do; empty: nothing differs."""
        if (rate_hz := self.rate_hz) is None:
            return ""
        return (
            f"{self._declared_hz:g} Hz declared, {rate_hz:.4g} arrive by their stamps: "
            "correct the rate in the sender, or look where samples are lost"
        )


def _blur_s(looks: list[tuple[int, float]], step_s: float) -> float:
    """Return by how much the ends of looks may be off: as much as all of them are.

    Chunks whose samples share a stamp put each look up to a chunk too late.
    """
    off_s = [t_s - number * step_s for number, t_s in looks]
    return max(off_s) - min(off_s)


LONGEST_BURST_S = 1.0  # then a stream counts as stalled
PAUSES = 2  # in a row that make bursts
_PAUSE_S = 0.25  # shorter, and the chunks are one burst's
_SHORT_FLOW = 0.5  # of the pause after it: a burst takes no longer
_ALIKE = 0.3  # relative, by which bursts may differ
_BROKEN_S = 10.0  # no burst is so long: the stream was gone


class Bursts:
    """Whether samples arrive in bursts, and how far apart."""

    def __init__(self) -> None:
        self._last_s: float | None = None
        self._begun_s = 0.0  # the newest burst
        self._apart_s: deque[float] = deque(maxlen=PAUSES)

    def heard(self, t_arrived_s: float) -> None:
        """Take the arrival of some samples."""
        last_s, self._last_s = self._last_s, t_arrived_s
        if last_s is None:
            self._begun_s = t_arrived_s
            return
        pause_s, flow_s = t_arrived_s - last_s, last_s - self._begun_s
        if pause_s < _PAUSE_S:
            if t_arrived_s - self._begun_s > LONGEST_BURST_S:
                self._apart_s.clear()  # they flow
            return
        if flow_s > _SHORT_FLOW * pause_s or pause_s > _BROKEN_S:
            self._apart_s.clear()
        else:
            self._apart_s.append(t_arrived_s - self._begun_s)
        self._begun_s = t_arrived_s

    @property
    def every_s(self) -> float | None:
        """How far apart bursts begin that are too long; None: there are none."""
        if len(self._apart_s) < PAUSES:
            return None
        usual_s = sum(self._apart_s) / PAUSES
        alike = all(abs(x / usual_s - 1) <= _ALIKE for x in self._apart_s)
        return usual_s if alike and usual_s >= 0.95 * LONGEST_BURST_S else None

    @property
    def text(self) -> str:
        """What comes and what is expected; empty: no bursts."""
        if (every_s := self.every_s) is None:
            return ""
        return f"samples come in bursts of {every_s:.2g} s, expected below 1 s"
