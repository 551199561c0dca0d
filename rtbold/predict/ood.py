"""Whether the EEG of a session is like the one that the model was calibrated on.

Each window is reduced to a few numbers; each number is compared with its quantiles over
the calibration windows (on the card). `unlikeness` is the worst of them, in units in
which 1 is the 99.5 % quantile of calibration windows. A narrow-band line beyond its own
limit counts likewise. Pure; lives in the pipeline, so that a replay finds the same.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from rtbold.bundle import LikenessReference, Spread, Statistic
from rtbold.condition import WindowStatistics, window_statistics
from rtbold.errors import ConfigError
from rtbold.messages import Float32Array, FloatArray
from rtbold.predict.lasting import Lasting
from rtbold.predict.lines import LineCheck, LineSettings

# This window is beyond the limit; too many of the last minute are.
OodFact = Literal["unlike", "long_unlike"]
SHRINKAGE: Final = 0.02  # of the mean variance, onto the diagonal of each covariance
TINY: Final = 1e-9  # a window of zeros has a logarithm
SMALLEST_SPREAD: Final = 1e-3  # of a statistic; a constant one must not rule


@dataclass(frozen=True)
class OodSettings:
    """How much of what lies beyond the limit is too much."""

    sustained_s: float = 60.0  # looked back on
    sustained_share: float = 0.8  # of its windows beyond the limit: long unlike
    recovered_share: float = 0.5  # fewer: no longer
    # After a window beyond the limit: what made it so may still be in the next ones,
    # too little of it to be seen. 0: as in sessions that were recorded before.
    held_s: float = 0.0
    # None: not looked for, as in sessions that were recorded before lines were.
    lines: LineSettings | None = None

    def __post_init__(self) -> None:
        """Refuse what would never or always be too much."""
        if not 16 <= self.sustained_s <= 3600:
            raise ConfigError(
                f"sustained_s is {self.sustained_s!r}, expected 16 to 3600: windows "
                "are 16 s long, so neighbours within that are nearly the same EEG"
            )
        if not 0 < self.recovered_share <= self.sustained_share <= 1:
            raise ConfigError(
                f"shares are {self.recovered_share!r} and {self.sustained_share!r}, "
                "expected 0 < recovered_share <= sustained_share <= 1"
            )
        if not 0 <= self.held_s < math.inf:
            raise ConfigError(f"held_s is {self.held_s!r}, expected seconds from 0 up")


@dataclass(frozen=True, slots=True)
class OodResult:
    """How one window compares with those of the calibration."""

    fact: OodFact | None  # None: it is like them
    unlikeness: float | None  # 1: the limit; None: nothing to compare with


class Comparison:
    """Reduces a window to its statistics; frozen settings and a cached matrix.

    Parameters
    ----------
    reference : a known one, of the card.
    """

    def __init__(self, reference: LikenessReference) -> None:
        self._log_power = np.array(reference.log_power)  # (channels, bands)
        self._log_power_sd = np.array(reference.log_power_sd)
        self._slope = np.array(reference.slope)  # (channels,)
        self._slope_sd = np.array(reference.slope_sd)
        self._covariance = np.array(reference.covariance)
        self._whitened_for: tuple[int, ...] = ()
        self._whitening = np.empty((0, 0))

    def __call__(
        self, window: WindowStatistics, skip: Iterable[int] = ()
    ) -> dict[Statistic, float]:
        """Return every statistic but ``features``.

        Parameters
        ----------
        skip : rows of channels that were interpolated: they say nothing of their own.
        """
        left_out = set(skip)
        kept = [row for row in range(len(self._slope)) if row not in left_out]
        deviation = (window.log_power - self._log_power) / self._log_power_sd
        slope = (window.slope - self._slope) / self._slope_sd
        by_channel = np.sqrt(np.mean(deviation[kept] ** 2, axis=1))
        return {
            "level": float(deviation[kept].mean()),
            "channels": float(by_channel.max()),
            "slope": float(slope[kept].mean()),
            "pattern": self._pattern(window.covariance, tuple(kept)),
        }

    def _pattern(self, covariance: FloatArray, kept: tuple[int, ...]) -> float:
        """Return how far a covariance is from the mean one, as a logarithm.

        Frobenius distance from the identity of what the mean one's inverse root makes
        of it; a Cholesky factor does as well as the root.
        """
        if kept != self._whitened_for:
            root = np.linalg.cholesky(_shrunk(self._covariance, kept))
            self._whitened_for, self._whitening = kept, np.linalg.inv(root)
        w = self._whitening
        whitened = np.einsum("ij,jk,lk->il", w, _shrunk(covariance, kept), w)
        off = whitened - np.eye(len(kept))
        return float(np.log(np.sqrt(np.mean(off**2)) + TINY))


def _shrunk(covariance: FloatArray, kept: tuple[int, ...]) -> FloatArray:
    part = covariance[np.ix_(kept, kept)]
    mean = float(np.trace(part)) / len(kept) + TINY
    return np.asarray(part / mean + SHRINKAGE * np.eye(len(kept)))


def ood_score(
    statistics: dict[Statistic, float], spreads: dict[Statistic, Spread]
) -> float:
    """Return the worst statistic; 1: as far out as its own 99.5 % quantile.

    Statistics without quantiles, or that are not there, are left out.
    """
    return max(
        (_scaled(value, spreads[name]) for name, value in statistics.items()
         if name in spreads),
        default=0.0,
    )  # fmt: skip


def _scaled(value: float, spread: Spread) -> float:
    if not np.isfinite(value):
        return float("inf")
    if value >= spread.middle:
        return (value - spread.middle) / _width(spread.high - spread.middle)
    if spread.low is None:
        return 0.0
    return (spread.middle - value) / _width(spread.middle - spread.low)


def _width(difference: float) -> float:
    return max(difference, SMALLEST_SPREAD)


class OodMonitor:
    """Compares each predicted window with the card; remembers the last minute.

    Parameters
    ----------
    reference : of the card; an empty one makes every window ok.
    tr_s : of the session: how many windows a minute holds.
    slices_per_tr : groups of slices in a volume, where that is known.
    """

    def __init__(
        self,
        reference: LikenessReference,
        *,
        tr_s: float,
        slices_per_tr: int | None = None,
        settings: OodSettings | None = None,
    ) -> None:
        self._reference = reference
        self._settings = settings or OodSettings()
        self._compare = Comparison(reference) if reference.known else None
        self._lines: LineCheck | None = None
        if reference.known and self._settings.lines is not None:
            self._lines = LineCheck(
                reference,
                self._settings.lines,
                tr_s=tr_s,
                slices_per_tr=slices_per_tr,
            )
        n = max(round(self._settings.sustained_s / tr_s), 1)
        self._lasting = Lasting(
            n, self._settings.sustained_share, self._settings.recovered_share
        )
        self._held_n = math.ceil(self._settings.held_s / tr_s)  # windows
        self._n_since = self._held_n  # windows within the limit since one beyond it

    def __call__(
        self,
        window_uv: Float32Array,
        *,
        features: float | None = None,
        skip: Iterable[int] = (),
    ) -> OodResult:
        """Judge one window, (channels, 3200) microvolt, as the model got it.

        Parameters
        ----------
        features : the engine's distance of the last layer, where it gives one.
        skip : rows that were interpolated.
        """
        if self._compare is None:
            return OodResult(None, None)
        left_out = tuple(skip)
        found = self._compare(window_statistics(window_uv), left_out)
        if features is not None:
            found["features"] = features
        value = ood_score(found, self._reference.spreads) / self._reference.limit
        if self._lines is not None:
            value = max(value, self._lines(window_uv, left_out))
        long_unlike = self._lasting(value > 1)
        held = value <= 1 and self._n_since < self._held_n
        self._n_since = self._n_since + 1 if value <= 1 else 0
        if long_unlike:
            return OodResult("long_unlike", value)
        return OodResult("unlike" if value > 1 or held else None, value)
