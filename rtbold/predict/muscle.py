"""Whether muscles of the head are tenser than they were at the calibration. Pure.

Tension shows in the EEG at 30 to 80 Hz, most near the temples. A model may read it:
many people relax as they get sleepy, so at the calibration tension and BOLD went
together. A participant who clenches then moves the feedback without the brain. So each
window's tension is held against the calibration's own, on the card; without that
nothing is looked for. What moves all bands alike (gain, contact) is no tension.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from rtbold.bundle import MuscleReference
from rtbold.electrodes import canonical
from rtbold.errors import ConfigError
from rtbold.messages import MODEL_RATE_HZ, Float32Array, FloatArray
from rtbold.predict.lasting import Lasting

MUSCLE_HZ: Final = (30.0, 80.0)
BELOW_HZ: Final = (2.0, 20.0)
NEAR_MUSCLES: Final = ("T7", "T8", "F7", "F8", "FT7", "FT8", "FT9", "FT10", "TP7",
                       "TP8", "TP9", "TP10", "P7", "P8")  # fmt: skip
FEWEST: Final = 2  # of them; a cap with fewer: all channels tell
MAINS_HZ: Final = (50.0, 60.0)
MAINS_WITHIN_HZ: Final = 1.0
PIECE_N: Final = 400  # samples, 2 s: a line fills few bins, a jerk few pieces
TINY_UV2: Final = 1e-9  # a window of zeros has a logarithm

MuscleFact = Literal["tense", "long_tense"]


@dataclass(frozen=True)
class MuscleSettings:
    """How long muscles may be tense before it counts as lasting."""

    sustained_s: float = 60.0  # looked back on
    sustained_share: float = 0.8  # of its windows beyond the limit: lasting
    recovered_share: float = 0.5  # fewer: no longer

    def __post_init__(self) -> None:
        """Refuse what would never or always last."""
        if not 16 <= self.sustained_s <= 3600:
            raise ConfigError(
                f"sustained_s is {self.sustained_s!r}, expected 16 to 3600 seconds"
            )
        if not 0 < self.recovered_share <= self.sustained_share <= 1:
            raise ConfigError(
                f"shares are {self.recovered_share!r} and {self.sustained_share!r}, "
                "expected 0 < recovered_share <= sustained_share <= 1"
            )


@dataclass(frozen=True, slots=True)
class MuscleResult:
    """How tense one window is."""

    fact: MuscleFact | None = None  # None: no tenser than at the calibration
    tension: float | None = None  # above the calibration's mean; 1: the limit


def muscle_channels(channels: Sequence[str]) -> tuple[str, ...]:
    """Return the channels that tell of muscles, by the model's names."""
    near = tuple(name for name in channels if canonical(name).upper() in NEAR_MUSCLES)
    return near if len(near) >= FEWEST else tuple(channels)


def muscle_power(window_uv: Float32Array) -> FloatArray:
    """Return (channels, 2): mean logarithm of power at 30-80 and 2-20 Hz.

    In ln uV^2 a bin. The mean of logarithms over bins and pieces, so that no line and
    no single jerk makes a window tense.

    Parameters
    ----------
    window_uv : (channels, samples), at 200 Hz.
    """
    n = window_uv.shape[1] // PIECE_N
    pieces = window_uv[:, : n * PIECE_N].reshape(len(window_uv), n, PIECE_N)
    taper = np.hanning(PIECE_N).astype(np.float32)
    spectrum = np.fft.rfft(pieces * taper, axis=2)
    hz = np.fft.rfftfreq(PIECE_N, 1 / MODEL_RATE_HZ)
    mains = [np.abs(hz - mains_hz) <= MAINS_WITHIN_HZ for mains_hz in MAINS_HZ]
    power = np.abs(spectrum) ** 2 / float((taper**2).sum())
    log = np.log(power.astype(np.float64) + TINY_UV2).mean(axis=1)
    bands = [
        log[:, (hz >= low) & (hz < high) & ~np.any(mains, axis=0)].mean(axis=1)
        for low, high in (MUSCLE_HZ, BELOW_HZ)
    ]
    return np.stack(bands, axis=1)


def tension_of(power: FloatArray, level: FloatArray) -> FloatArray:
    """Return (...,): how far power at 30-80 Hz has risen, ln.

    Less what power at 2-20 Hz has risen, which gain and contact raise alike. What
    falls there (alpha, as eyes open) makes no tension.

    Parameters
    ----------
    power, level : (..., channels, 2), as `muscle_power`.
    """
    rise = (power - level).mean(axis=-2)
    tension: FloatArray = rise[..., 0] - np.maximum(rise[..., 1], 0.0)
    return tension


class MuscleMonitor:
    """Compares each predicted window with the card; remembers the last minute.

    Parameters
    ----------
    reference : of the card; None: nothing is looked for.
    channels : of the model, in order.
    tr_s : of the session: how many windows a minute holds.
    settings : None: as in sessions that were recorded before muscles were looked for.
    """

    def __init__(
        self,
        reference: MuscleReference | None,
        channels: Sequence[str],
        *,
        tr_s: float,
        settings: MuscleSettings | None,
    ) -> None:
        self._reference = reference if settings is not None else None
        self._rows: tuple[int, ...] = ()
        if self._reference is not None:
            self._rows = tuple(channels.index(c) for c in self._reference.channels)
        s = settings or MuscleSettings()
        n = max(round(s.sustained_s / tr_s), 1)
        self._lasting = Lasting(n, s.sustained_share, s.recovered_share)

    def __call__(
        self, window_uv: Float32Array, skip: Iterable[int] = ()
    ) -> MuscleResult:
        """Judge one window, (channels, 3200) microvolt, as the model got it.

        Parameters
        ----------
        skip : rows that were interpolated: they say nothing of their own.
        """
        if self._reference is None:
            return MuscleResult()
        left_out = set(skip)
        kept = [k for k, row in enumerate(self._rows) if row not in left_out]
        if not kept:
            return MuscleResult()
        power = muscle_power(window_uv[[self._rows[k] for k in kept]])
        level = np.stack([self._reference.level, self._reference.below], axis=1)
        tension = float(tension_of(power, level[kept])) / self._reference.limit
        beyond = not math.isfinite(tension) or tension > 1
        if self._lasting(beyond):
            return MuscleResult("long_tense", tension)
        return MuscleResult("tense" if beyond else None, tension)
