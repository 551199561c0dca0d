"""Whether the lines of a window are more than the calibration had. Pure.

A network reads band powers up to 80 Hz in one way or another. A line that was not there
at calibration moves them, and the values with them, while everything else looks as
usual. What a line is, is found from the window alone (`rtbold.condition`); here its
size is held against the card.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from rtbold.bundle import KnownLine, LikenessReference
from rtbold.condition import MONITOR_BANDS_HZ, Line, window_lines
from rtbold.errors import ConfigError
from rtbold.messages import Float32Array, FloatArray

MAINS_HZ: Final = (50.0, 60.0)
MAINS_WITHIN_HZ: Final = 0.2
KNOWN_WITHIN_HZ: Final = 0.3  # of a line on the card; the mains wander by half of it


@dataclass(frozen=True, slots=True)
class LineSettings:
    """How large a line may be: its power over the card's power of that band.

    Of the head: summed over channels. Of a channel: the channel's own.
    """

    share: float = 0.03  # of the head
    channel_share: float = 0.2
    # On a card that does not list its lines, for what every scan leaves in the EEG.
    locked_share: float = 1.9  # at multiples of 1/TR: slices, gradients
    locked_channel_share: float = 9.0
    between_slices_share: float = 0.2  # of them, where the slice rate is known
    between_slices_channel_share: float = 2.0
    mains_share: float = 0.25
    mains_channel_share: float = 2.0
    comb: float = 1.0  # mean logarithm, as `WindowLines.comb`
    # On a card that does: how far above the calibration's largest.
    growth: float = 3.0  # power
    comb_growth: float = 0.5  # logarithm

    def __post_init__(self) -> None:
        """Refuse what would make every window unlike."""
        for each in fields(self):
            if not (value := getattr(self, each.name)) > 0:
                raise ConfigError(f"{each.name} is {value!r}, expected more than 0")


class LineCheck:
    """Scores the lines of windows by one card; 1 is the limit.

    Parameters
    ----------
    reference : a known one, of the card.
    tr_s : of the session.
    slices_per_tr : groups of a multiband sequence; None: not known.
    """

    def __init__(
        self,
        reference: LikenessReference,
        settings: LineSettings,
        *,
        tr_s: float,
        slices_per_tr: int | None = None,
    ) -> None:
        self._power_uv2 = np.exp(np.array(reference.log_power))  # (channels, bands)
        self._upper_hz = [high for _, high in MONITOR_BANDS_HZ.values()][:-1]
        self._known = reference.lines
        self._settings = settings
        self._tr_s = tr_s
        self._slices_per_tr = slices_per_tr or 1

    def __call__(self, window_uv: Float32Array, skip: Iterable[int] = ()) -> float:
        """Return the worst line of a window, (channels, 3200) microvolt.

        Parameters
        ----------
        skip : rows that were interpolated: their lines are their neighbours'.
        """
        left_out = set(skip)
        rows = [row for row in range(len(window_uv)) if row not in left_out]
        found = window_lines(window_uv, tr_s=self._tr_s, rows=rows)
        comb = 0.0 if found.comb is None else found.comb / self._comb_limit()
        return max([comb, *(self._scored(line, rows) for line in found.lines)])

    def _comb_limit(self) -> float:
        if self._known is None or self._known.comb is None:
            return self._settings.comb
        return max(self._known.comb, 0.0) + self._settings.comb_growth

    def _shares(self, line: Line) -> tuple[float, float]:
        """Return how large a line may be that the card does not list."""
        settings = self._settings
        if self._known is None and not line.drifting:
            if min(abs(line.hz - mains) for mains in MAINS_HZ) < MAINS_WITHIN_HZ:
                return settings.mains_share, settings.mains_channel_share
            cycles = line.hz * self._tr_s
            if abs(cycles - round(cycles)) < line.known_to_hz * self._tr_s:
                if round(cycles) % self._slices_per_tr == 0:
                    return settings.locked_share, settings.locked_channel_share
                return (
                    settings.between_slices_share,
                    settings.between_slices_channel_share,
                )
        return settings.share, settings.channel_share

    def _scored(self, line: Line, rows: list[int]) -> float:
        settings, power_uv2 = self._settings, self._band_uv2(line, rows)
        share, channel_share = self._shares(line)
        head_uv2 = share * float(power_uv2.mean())
        channel_uv2 = channel_share * power_uv2
        for known in self._listed(line):
            head_uv2 = max(head_uv2, settings.growth * known.mean_uv2)
            channel_uv2 = np.maximum(channel_uv2, settings.growth * known.channel_uv2)
        of_channels = float((line.excess_uv2 / channel_uv2).max())
        if not line.widespread:
            return of_channels
        return max(of_channels, float(line.excess_uv2.mean()) / head_uv2)

    def _band_uv2(self, line: Line, rows: list[int]) -> FloatArray:
        """Return the card's power of each channel in the band of a line."""
        band = int(np.searchsorted(self._upper_hz, line.hz, side="right"))
        return np.asarray(self._power_uv2[rows, band])

    def _listed(self, line: Line) -> list[KnownLine]:
        return [
            known
            for known in (self._known.lines if self._known else ())
            if known.low_hz - KNOWN_WITHIN_HZ <= line.hz
            and line.hz <= known.high_hz + KNOWN_WITHIN_HZ
        ]
