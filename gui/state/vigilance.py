"""Whether the participant may be getting drowsy: an indicator, not a sleep stage. Pure.

The log-ratio of alpha to theta and delta at the back of the head, against its own
first minutes. As wakefulness fades with eyes closed, alpha gives way to slower rhythms
(the first Hori stages; Hori, Hayashi and Morikawa 1994). With eyes open there is little
alpha, and the indicator says little.
"""

import math
import statistics
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from rtbold.gui.state.received_kinds import BandPowers

POSTERIOR: Final = ("O1", "O2", "Oz", "POz", "PO3", "PO4", "PO7", "PO8", "P3", "P4",
                    "Pz", "P7", "P8")  # fmt: skip
BASELINE_S: Final = 120.0
NEWEST_S: Final = 30.0
FALL: Final = math.log(1.5)  # of the ratio, below the least that its scatter explains
SCATTERS: Final = 2.0
MOST_LOOKS: Final = 600  # one comes each second

NAMED_AFTER: Final = "alpha against slow waves at the back of the head"


@dataclass(frozen=True, slots=True)
class Vigilance:
    """What is known now."""

    word: Literal["awake", "drowsy?", "unknown"]
    value: float | None  # log-ratio of the newest seconds against the first minutes
    why: str
    limit: float | None = None  # of `value`; below it the word is "drowsy?"


class VigilanceIndex:
    """Follows the band powers of one session."""

    def __init__(self) -> None:
        self._first: deque[float] = deque(maxlen=MOST_LOOKS)
        self._newest: deque[tuple[float, float]] = deque(maxlen=MOST_LOOKS)
        self._begun_s: float | None = None  # LSL clock
        self._why = "no band powers yet"
        self._settled: tuple[float, float] | None = None  # middle and scatter

    def take(
        self,
        powers: BandPowers,
        channels: tuple[str, ...],
        skip: Collection[str] = (),
    ) -> None:
        """Take one look.

        Parameters
        ----------
        channels : labels of the rows' columns, as in the session's hello.
        skip : labels of channels that are bad now.
        """
        ratio, self._why = _log_ratio(powers, channels, skip)
        if ratio is None:
            return
        if self._begun_s is None or powers.t_end < self._begun_s:
            self._begun_s = powers.t_end
        self._newest.append((powers.t_end, ratio))
        while self._newest[0][0] < powers.t_end - NEWEST_S:
            self._newest.popleft()
        self._learn(powers.t_end - self._begun_s, ratio)

    def _learn(self, since_s: float, ratio: float) -> None:
        if self._settled is not None:
            return
        self._first.append(ratio)
        if since_s >= BASELINE_S:
            middle = statistics.median(self._first)
            scatter = 1.4826 * statistics.median(abs(x - middle) for x in self._first)
            self._settled = middle, scatter

    def now(self, lsl_now_s: float | None) -> Vigilance:
        """Return what the newest half minute says."""
        if not self._newest:
            return Vigilance("unknown", None, self._why)
        newest_s = self._newest[-1][0]
        if lsl_now_s is None or lsl_now_s - newest_s > NEWEST_S:
            return Vigilance("unknown", None, "no band powers for half a minute")
        if self._settled is None:
            left_s = max(0.0, BASELINE_S - (newest_s - (self._begun_s or newest_s)))
            why = f"learning how it is at the start: {left_s:.0f} s to go"
            return Vigilance("unknown", None, why)
        middle, scatter = self._settled
        value = statistics.median(ratio for _, ratio in self._newest) - middle
        limit = -max(FALL, SCATTERS * scatter)
        times = f"{math.exp(value):.2f} times that of the first two minutes"
        why = f"{NAMED_AFTER}: {times}. An indicator, not a sleep stage"
        return Vigilance("drowsy?" if value < limit else "awake", value, why, limit)


def _log_ratio(
    powers: BandPowers, channels: tuple[str, ...], skip: Collection[str]
) -> tuple[float | None, str]:
    """Return the log-ratio, or None and why there is none."""
    rows = {band: k for k, band in enumerate(powers.bands)}
    if not {"alpha", "theta", "delta"} <= set(rows):
        return None, "the session publishes other bands"
    if len(channels) != powers.power_uv2.shape[1]:
        return None, "the channels' names are not known yet"
    names = {name.lower() for name in POSTERIOR} - {name.lower() for name in skip}
    columns = [k for k, label in enumerate(channels) if label.lower() in names]
    if not columns:
        return None, "no good channel at the back of the head"
    power = powers.power_uv2[:, columns]  # (bands, channels)
    slow = power[rows["theta"]] + power[rows["delta"]]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.log(power[rows["alpha"]] / slow)
    ratios = ratios[np.isfinite(ratios)]
    if not len(ratios):
        return None, "no band power at the back of the head"
    return float(np.median(ratios)), ""
