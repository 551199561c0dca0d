"""What an EEG window shows of muscle, movement, pulse, scanner and vigilance. Pure.

Features of windows (volumes, channels, 3200), all natural logarithms, so that an
amplitude's share and not its size counts. Some are of the whole window, some of each
2 s piece, because BOLD answers to a body's events later by seconds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rtbold.errors import ConfigError
from rtbold.messages import MODEL_RATE_HZ, WINDOW_S, Float32Array, FloatArray

N_PIECES: Final = 8
TEMPORAL: Final = ("T7", "T8", "T3", "T4", "F7", "F8", "FT9", "FT10", "TP9", "TP10")
POSTERIOR: Final = ("O1", "O2", "OZ", "POZ", "P3", "PZ", "P4")
MUSCLE: Final = "temporal 30-80 Hz"  # its name among the artefacts
MUSCLE_HZ: Final = (30.0, 80.0)
MOVEMENT_HZ: Final = (0.5, 2.5)  # pieces of 2 s resolve no less
ALPHA_HZ: Final = (8.0, 13.0)
THETA_HZ: Final = (4.0, 8.0)
HEART_HZ: Final = (0.7, 1.8)  # 42 to 108 beats a minute
N_HEART_HARMONICS: Final = 5
COMB_HZ: Final = (5.0, 75.0)  # below, the comb of 1/TR drowns in the background
_TINY_UV2: Final = 1e-12


@dataclass(frozen=True, slots=True)
class ConfoundSettings:
    """What the features need to know of the recording."""

    channels: tuple[str, ...]
    tr_s: float
    slices_per_tr: int | None = (
        None  # of slice groups with one slice each; None: unknown
    )

    def __post_init__(self) -> None:
        """Refuse a repetition time that is none."""
        if not 0 < self.tr_s < 10:
            raise ConfigError(
                f"tr_s is {self.tr_s!r}, expected seconds in (0, 10); 2100 looks "
                "like ms"
            )
        if self.slices_per_tr is not None and not (
            COMB_HZ[0] < self.slices_per_tr / self.tr_s < COMB_HZ[1]
        ):
            raise ConfigError(
                f"slices_per_tr is {self.slices_per_tr}: a slice rate of "
                f"{self.slices_per_tr / self.tr_s:g} Hz, expected {COMB_HZ[0]:g} to "
                f"{COMB_HZ[1]:g} Hz (count groups of a multiband sequence, not slices)"
            )


@dataclass(frozen=True, slots=True, eq=False)
class WindowConfounds:
    """Features of each window, by name: (volumes, columns)."""

    artefacts: dict[str, FloatArray]
    vigilance: dict[str, FloatArray]

    def summaries(self) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
        """Return artefacts and vigilance with one column each, for partial R."""
        return _means(self.artefacts), _means(self.vigilance)

    def features(self) -> tuple[FloatArray, FloatArray]:
        """Return every column of artefacts and of vigilance, for the controls."""
        return (
            np.concatenate(list(self.artefacts.values()), axis=1),
            np.concatenate(list(self.vigilance.values()), axis=1),
        )


def window_confounds(
    batches: Iterable[Float32Array], settings: ConfoundSettings
) -> WindowConfounds:
    """Return the features of all windows.

    Parameters
    ----------
    batches : windows in order, (volumes, channels, 3200) each, microvolt.
    """
    spectra, pieces, movement, muscle = [], [], [], []
    temporal = _rows(settings.channels, TEMPORAL)
    posterior = _rows(settings.channels, POSTERIOR)
    for windows in batches:
        spectra.append(_mean_spectrum(windows))
        powers = _piece_spectra(windows)  # (volumes, channels, pieces, bins)
        movement.append(_log_band(powers, MOVEMENT_HZ))
        muscle.append(_log_band(powers[:, temporal], MUSCLE_HZ))
        ratio = _log_band(powers[:, posterior], ALPHA_HZ) - _log_band(powers, THETA_HZ)
        pieces.append(ratio)
    spectrum = np.concatenate(spectra)
    heart_hz, pulse = _pulse(spectrum)
    artefacts = {
        MUSCLE: np.concatenate(muscle),
        "movement 0.5-2.5 Hz": np.concatenate(movement),
        "pulse artefact": pulse,
        "heart rate in EEG": np.log(heart_hz),
        "comb at 1/TR": _comb(spectrum, 1 / settings.tr_s, offset=0.5),
    }
    if settings.slices_per_tr is not None:
        slice_hz = settings.slices_per_tr / settings.tr_s
        # Beside a slice harmonic, but not on the lines of 1/TR around it.
        offset = 0.5 / settings.slices_per_tr
        artefacts["comb at slice rate"] = _comb(spectrum, slice_hz, offset=offset)
    return WindowConfounds(artefacts, {"alpha/theta": np.concatenate(pieces)})


def _means(features: dict[str, FloatArray]) -> dict[str, FloatArray]:
    return {
        name: columns.mean(axis=1, keepdims=True) for name, columns in features.items()
    }


def _rows(channels: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Return the rows of the wanted electrodes; all rows where none is there."""
    found = [i for i, name in enumerate(channels) if name.upper() in wanted]
    return found or list(range(len(channels)))


def _mean_spectrum(windows: Float32Array) -> FloatArray:
    """Return (volumes, bins) of 1/16 Hz, mean power over channels (Hann)."""
    taper = np.hanning(windows.shape[2]).astype(np.float32)
    power = np.abs(np.fft.rfft(windows * taper, axis=2)) ** 2
    mean: FloatArray = power.mean(axis=1, dtype=np.float64)
    return mean


def _piece_spectra(windows: Float32Array) -> FloatArray:
    """Return (volumes, channels, pieces, bins of 0.5 Hz)."""
    n, n_channels, n_samples = windows.shape
    pieces = windows.reshape(n, n_channels, N_PIECES, n_samples // N_PIECES)
    taper = np.hanning(pieces.shape[3]).astype(np.float32)
    power = np.abs(np.fft.rfft(pieces * taper, axis=3)) ** 2
    return np.asarray(power, dtype=np.float64)


def _log_band(powers: FloatArray, band_hz: tuple[float, float]) -> FloatArray:
    """Return (volumes, pieces): log power in a band, mean of the channels' logs."""
    hz = np.fft.rfftfreq(2 * (powers.shape[3] - 1), 1 / MODEL_RATE_HZ)
    inside = (hz >= band_hz[0]) & (hz < band_hz[1])
    band = powers[..., inside].sum(axis=3)
    log: FloatArray = np.log(band + _TINY_UV2).mean(axis=1)
    return log


def _pulse(spectrum: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return heart rate (Hz) and log power of its harmonics, (volumes, 1) each.

    The rate is where harmonics stand out most against the frequencies halfway between
    them; relative, so that the background's own rise and fall does not count.
    """
    candidates = np.arange(HEART_HZ[0], HEART_HZ[1], 0.5 / WINDOW_S)
    harmonics = np.arange(1, N_HEART_HARMONICS + 1)
    on = np.log(_at(spectrum, candidates[:, None] * harmonics)).mean(axis=2)
    between = np.log(_at(spectrum, candidates[:, None] * (harmonics + 0.5))).mean(
        axis=2
    )
    excess = on - between  # (volumes, candidates)
    best = excess.argmax(axis=1)
    return candidates[best][:, None], excess.max(axis=1)[:, None]


def _comb(spectrum: FloatArray, line_hz: float, *, offset: float) -> FloatArray:
    """Return log power on the multiples of `line_hz` against beside them.

    Parameters
    ----------
    offset : of the frequencies beside, in multiples of `line_hz`.
    """
    orders = np.arange(np.ceil(COMB_HZ[0] / line_hz), COMB_HZ[1] / line_hz)
    on, beside = (_at(spectrum, line_hz * (orders + o)) for o in (0.0, offset))
    ratio: FloatArray = np.log(on).mean(axis=1) - np.log(beside).mean(axis=1)
    return ratio[:, None]


def _at(spectrum: FloatArray, hz: FloatArray) -> FloatArray:
    """Return the power at the nearest bins; the taper's main lobe is wider than one."""
    at: FloatArray = spectrum[:, np.rint(hz * WINDOW_S).astype(np.int64)] + _TINY_UV2
    return at
