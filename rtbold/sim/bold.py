"""From drive to BOLD: nonlinearity, response functions, vessels, body, drift, noise."""

from dataclasses import dataclass

import numpy as np
from scipy.signal import detrend, fftconvolve
from scipy.stats import gamma

from rtbold.errors import ConfigError
from rtbold.messages import FloatArray
from rtbold.sim.brain import SLOW_RATE_HZ, slow_times_s
from rtbold.sim.recording import Body, volume_onsets_s
from rtbold.sim.settings import TwinSettings, generator, power_law, standardised
from rtbold.truth import TARGET_CUTOFF_HZ, lowpassed

HRF_LENGTH_S = 32.0
SATURATION = 0.4  # of the static nonlinearity


@dataclass(frozen=True, slots=True, eq=False)
class Bold:
    """One session's BOLD at its volumes; (volumes, rois) in units of the neural sd."""

    measured: FloatArray
    neural: FloatArray  # the noise-free truth: drive through nonlinearity and HRF
    body: FloatArray  # what heart, breath and motion put into it


def filtered_target(bold: FloatArray, tr_s: float) -> FloatArray:
    """Return the target of training and scoring: detrended, zero-phase low-passed.

    Butterworth order 5 at 0.15 Hz, forwards and backwards, after a linear detrend, as
    NeuroBOLT's targets are made (Li et al. 2024). It sees the whole session, so it is
    for targets only and never for anything that runs live.

    Parameters
    ----------
    bold : (volumes, rois).
    """
    if bold.shape[0] < 20:
        raise ConfigError(
            f"{bold.shape[0]} volumes are too few to filter at {TARGET_CUTOFF_HZ} Hz, "
            "expected at least 20; simulate or record for longer"
        )
    straight = detrend(bold, axis=0, type="linear")
    return lowpassed(np.asarray(straight), tr_s, TARGET_CUTOFF_HZ)


def simulate_bold(settings: TwinSettings, drive: FloatArray, body: Body) -> Bold:
    """Return what the scanner would export, and what of it is neural."""
    level = settings.parameters
    onsets_s = volume_onsets_s(settings)
    rng = generator(settings.seed, "haemodynamics")
    neural = _at(onsets_s, settings, _neural(settings, drive, rng))
    vessels = _at(onsets_s, settings, _vascular(drive.shape, rng))
    physiology = _at(onsets_s, settings, _physiology(body)[None])
    weights = rng.lognormal(0.0, 0.3, (1, drive.shape[0]))
    measured = (
        neural
        + level.vascular_sd * vessels
        + level.physiology_sd * weights * physiology
        + level.motion_sd * weights * _motion_spikes(onsets_s, body)[:, None]
        + level.drift_sd * _drift(neural.shape, rng)
        + level.noise_sd * _scanner_noise(neural.shape, rng)
    )
    spikes = _motion_spikes(onsets_s, body)[:, None]
    of_body = weights * (level.physiology_sd * physiology + level.motion_sd * spikes)
    return Bold(measured=measured, neural=neural, body=of_body)


def canonical_hrf(peak_s: float, dispersion: float, undershoot: float) -> FloatArray:
    """Return a double-gamma response on the slow grid, unit area of its absolute.

    Parameters
    ----------
    peak_s : time to peak, 4 to 6.5.
    dispersion : scale of the gammas, about 1 s.
    undershoot : its share of the peak, about 1/6.
    """
    t_s = np.arange(0.0, HRF_LENGTH_S, 1.0 / SLOW_RATE_HZ)
    rise = gamma.pdf(t_s, peak_s / dispersion + 1.0, scale=dispersion)
    fall = gamma.pdf(t_s, (peak_s + 10.0) / dispersion + 1.0, scale=dispersion)
    response = rise - undershoot * fall
    unit: FloatArray = response / np.abs(response).sum()
    return unit


def _neural(
    settings: TwinSettings, drive: FloatArray, rng: np.random.Generator
) -> FloatArray:
    spread_s = settings.parameters.hrf_peak_sd_s
    subject_peak_s = 5.2 + spread_s * rng.standard_normal()
    peaks_s = subject_peak_s + 0.5 * spread_s * rng.standard_normal(drive.shape[0])
    peaks_s = np.clip(peaks_s, 4.0, 6.5)
    dispersion = rng.uniform(0.85, 1.15)
    undershoot = rng.uniform(0.1, 0.22)
    saturated = (1.0 - np.exp(-SATURATION * drive)) / SATURATION
    rows = [
        _convolved(row, canonical_hrf(peak_s, dispersion, undershoot))
        for row, peak_s in zip(saturated, peaks_s, strict=True)
    ]
    return standardised(np.array(rows))


def _vascular(shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """Vasomotion at 0.02-0.06 Hz: half common to all regions, half of each alone."""
    rows = power_law(
        rng,
        (shape[0] + 1, shape[1]),
        rate_hz=SLOW_RATE_HZ,
        band_hz=(0.02, 0.06),
        exponent=0.0,
    ).astype(np.float64)
    return standardised(np.sqrt(0.5) * rows[0] + np.sqrt(0.5) * rows[1:])


def _physiology(body: Body) -> FloatArray:
    """Cardiac (Chang 2009) and respiratory (Birn 2008) response of the whole brain."""
    t_s = np.arange(0.0, 60.0, 1.0 / SLOW_RATE_HZ)
    cardiac = 0.6 * t_s**2.7 * np.exp(-t_s / 1.6) - 16.0 / np.sqrt(
        18.0 * np.pi
    ) * np.exp(-((t_s - 12.0) ** 2) / 18.0)
    respiratory = 0.6 * t_s**2.1 * np.exp(-t_s / 1.6) - 0.0023 * t_s**3.54 * np.exp(
        -t_s / 4.25
    )
    volume = body.breath_rate_hz * body.breath_depth
    heart = _convolved(standardised(body.heart_rate_hz), cardiac)
    breath = _convolved(standardised(volume), respiratory)
    return standardised(standardised(heart) + standardised(breath))


def _motion_spikes(onsets_s: FloatArray, body: Body) -> FloatArray:
    """Return a spike per movement, then spin history of the other sign."""
    spikes = np.zeros(onsets_s.size)
    hit = np.searchsorted(onsets_s, body.motion_t_s, side="right") - 1
    for volume, size in zip(hit, body.motion_size, strict=True):
        if volume < 0:
            continue  # moved before the scanner ran
        after = np.arange(onsets_s.size - volume)
        spikes[volume:] += size * np.where(after == 0, 1.0, -0.6 * 0.5**after)
    return spikes


def _drift(shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """Slow scanner drift: a random quadratic per region."""
    t = np.linspace(-1.0, 1.0, shape[0])[:, None]
    slopes, bends = rng.standard_normal((2, 1, shape[1]))
    drift: FloatArray = slopes * t + bends * (t**2 - 1.0 / 3.0)
    return drift


def _scanner_noise(shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """White noise of the receiver; a tenth of its power is common to all regions."""
    own = rng.standard_normal(shape)
    common = rng.standard_normal((shape[0], 1))
    noise: FloatArray = np.sqrt(0.9) * own + np.sqrt(0.1) * common
    return noise


def _convolved(row: FloatArray, response: FloatArray) -> FloatArray:
    """Causal convolution on the slow grid."""
    return np.asarray(fftconvolve(row, response)[: row.size])


def _at(onsets_s: FloatArray, settings: TwinSettings, rows: FloatArray) -> FloatArray:
    """Sample slow rows at the volumes: (volumes, rows)."""
    t_s = slow_times_s(settings.duration_s)
    return np.stack([np.interp(onsets_s, t_s, row) for row in rows], axis=1)
