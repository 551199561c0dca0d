"""The brain: its slow causes, the body that both instruments see, and its rhythms.

The slow ones live on a grid of `SLOW_RATE_HZ` that starts `PREHISTORY_S` before the
recording, so that haemodynamics are in their stride at the first volume.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.signal import hilbert

from rtbold.messages import Float32Array, FloatArray
from rtbold.sim.head import Roi
from rtbold.sim.recording import Body, SourceAmplitudes
from rtbold.sim.settings import (
    BASE_RATE_HZ,
    TwinSettings,
    generator,
    narrow_band,
    power_law,
    standardised,
)

SLOW_RATE_HZ = 5.0
PREHISTORY_S = 60.0
DRIVE_BAND_HZ = (0.01, 0.12)
HIDDEN_BAND_HZ = (0.005, 0.3)  # of what moves a rhythm and not BOLD
NO_NETWORK = "No network found"
# Regions whose BOLD also follows what band power cannot carry, by kind of code.
DECLARED: dict[str, tuple[str, ...]] = {
    "bursts": ("Lingual gyrus", "Precuneus superior", "Central sulcus"),
    "theta_gamma": (
        "Superior frontal gyrus medial",
        "Middle frontal gyrus anterior",
        "Supramarginal gyrus",
    ),
    "phase_lock": (  # each locks to the next; the last one to the first
        "Superior parietal lobule",
        "Superior occipital gyrus",
        "Precentral gyrus superior",
    ),
}
DECLARED_ROIS = tuple(name for names in DECLARED.values() for name in names)


@dataclass(frozen=True, slots=True, eq=False)
class Brain:
    """The latent state that drives one instrument, or both."""

    drive: FloatArray  # (rois, slow samples), unit sd: the ground truth
    band_drive: FloatArray  # (rois, slow samples): the part that band power carries
    declared: FloatArray  # (rois, slow samples): the part that it does not; else 0
    arousal: FloatArray  # (slow samples,)


def slow_times_s(duration_s: float) -> FloatArray:
    """Return the slow grid: from before the recording to just after it."""
    n = int(np.ceil((PREHISTORY_S + duration_s + 5.0) * SLOW_RATE_HZ)) + 1
    grid: FloatArray = np.arange(n) / SLOW_RATE_HZ - PREHISTORY_S
    return grid


def draw_brain(settings: TwinSettings, rois: tuple[Roi, ...], whose: str) -> Brain:
    """Draw the latent state named `whose` of this seed."""
    level = settings.parameters
    t_s = slow_times_s(settings.duration_s)
    arousal = _arousal(settings, t_s, whose)
    networks = sorted({roi.network for roi in rois} - {NO_NETWORK})
    rng = generator(settings.seed, f"{whose}/networks")
    network_rows = _slow(rng, len(networks), t_s.size)
    local = _slow(generator(settings.seed, f"{whose}/local"), len(rois), t_s.size)
    shared = np.zeros_like(local)
    for row, roi in enumerate(rois):
        if roi.network != NO_NETWORK:
            shared[row] = network_rows[networks.index(roi.network)]
    band_drive = standardised(
        level.network_weight * shared
        + level.local_weight * local
        + level.arousal_weight
        * (_arousal_share(rois, level.arousal_spread) + _own_share(settings, rois))
        * arousal
    )
    declared = np.zeros_like(band_drive)
    if level.declared_share > 0:
        names = [roi.name for roi in rois]
        rows = [names.index(name) for name in DECLARED_ROIS]
        rng = generator(settings.seed, f"{whose}/declared")
        declared[rows] = _slow(rng, len(rows), t_s.size)
    is_declared = declared.any(axis=1)
    share = np.where(is_declared, level.declared_share, 0.0)[:, None]
    drive = np.sqrt(1 - share) * band_drive + np.sqrt(share) * declared
    return Brain(standardised(drive), band_drive, declared, arousal)


def _arousal_share(rois: tuple[Roi, ...], spread: float) -> FloatArray:
    """Return (rois, 1): how much of arousal each region has, 1 on average.

    Everybody's regions differ alike, and each network has 1 on average: so arousal
    outlasts a global regression, and not a difference of two networks.
    """
    lean = generator(0, "population/arousal").standard_normal(len(rois))
    network = np.array([roi.network for roi in rois])
    for name in set(network):
        lean[network == name] -= lean[network == name].mean()
    return np.asarray(1.0 + spread * lean)[:, None]


def _own_share(settings: TwinSettings, rois: tuple[Roi, ...]) -> FloatArray:
    """Return (rois, 1): what arousal has more or less in this person's regions."""
    lean = generator(settings.seed, "own arousal").standard_normal(len(rois))
    return np.asarray(settings.parameters.own_arousal_spread * lean)[:, None]


def _arousal(settings: TwinSettings, t_s: FloatArray, whose: str) -> FloatArray:
    """Wander below 0.02 Hz, plus the fall that everybody's session has."""
    rng = generator(settings.seed, f"{whose}/arousal")
    wander = power_law(
        rng, (1, t_s.size), rate_hz=SLOW_RATE_HZ, band_hz=(0.002, 0.02), exponent=1.0
    )[0]
    # Steep at first: a straight fall would vanish with the detrending of the target.
    fall = settings.parameters.vigilance_drift * (1.0 - np.exp(-t_s / 240.0))
    return standardised(wander.astype(np.float64)) - fall


def _slow(rng: np.random.Generator, n_rows: int, n: int) -> FloatArray:
    rows = power_law(
        rng, (n_rows, n), rate_hz=SLOW_RATE_HZ, band_hz=DRIVE_BAND_HZ, exponent=0.5
    )
    return standardised(rows.astype(np.float64))


def draw_body(settings: TwinSettings, arousal: FloatArray) -> Body:
    """Draw heart, breath and head motion; the heart follows arousal a little."""
    rng = generator(settings.seed, "body")
    n = arousal.size
    wander = standardised(
        power_law(
            rng, (3, n), rate_hz=SLOW_RATE_HZ, band_hz=(0.01, 0.1), exponent=0.5
        ).astype(np.float64)
    )
    heart_hz = rng.uniform(0.9, 1.25) + 0.04 * wander[0] + 0.015 * arousal
    breath_hz = rng.uniform(0.2, 0.3) * (1.0 + 0.08 * wander[1])
    n_events = int(rng.poisson(settings.duration_s / 75.0))
    return Body(
        heart_rate_hz=heart_hz,
        breath_rate_hz=breath_hz,
        breath_depth=np.exp(0.25 * wander[2]),
        motion_t_s=np.sort(rng.uniform(0.0, settings.duration_s, n_events)),
        motion_size=rng.lognormal(0.0, 0.4, n_events),
    )


# The brain's EEG: rhythms whose amplitude follows the drive, over a 1/f background.

BACKGROUND_EXPONENT = 1.1
BACKGROUND_BAND_HZ = (0.3, 88.0)  # inside what 200 Hz holds, so upsampling adds nothing
SOURCES_AT_ONCE = 16  # bounds the memory of a long session


@dataclass(frozen=True, slots=True)
class Rhythm:
    """One rhythm: where it is strong, and which way BOLD moves with it."""

    peak_hz: tuple[float, float]  # range over subjects
    width_hz: float
    amplitude: dict[str, float]  # by Yeo network, relative to the background's sd
    sign: dict[str, float]  # by Yeo network; the coupling's mean weight
    arousal: float  # log-amplitude per sd of arousal


# Signs: alpha falls with BOLD in visual and parietal cortex and rises in the thalamus
# (Goldman 2002); beta falls in sensorimotor cortex; gamma rises a little.
RHYTHMS: dict[str, Rhythm] = {
    "alpha": Rhythm(
        (8.8, 11.2), 0.7,
        {"VisCent": 0.8, "DorsAttnB": 0.6, "SomMotA": 0.4, "": 0.25},
        {"VisCent": -1.0, "DorsAttnB": -1.0, "SomMotA": -0.6, "thalamus": 0.8,
         "": -0.4},
        0.1,
    ),
    "beta": Rhythm(
        (16.0, 25.0), 1.8,
        {"SomMotA": 0.35, "ContA": 0.25, "": 0.15},
        {"SomMotA": -1.0, "": -0.3},
        0.05,
    ),
    "theta": Rhythm(
        (4.5, 7.0), 0.6,
        {"DefaultB": 0.35, "SalVentAttnA": 0.3, "": 0.2},
        {"DefaultB": -0.6, "": 0.4},
        -0.1,
    ),
    "gamma": Rhythm((35.0, 45.0), 3.0, {"": 0.1}, {"": 0.4}, 0.0),
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class RhythmWeights:
    """One subject's rhythms: (rois,) each, by name of the rhythm."""

    peak_hz: dict[str, float]
    amplitude: dict[str, FloatArray]
    weight: dict[str, FloatArray]


def draw_weights(settings: TwinSettings, rois: tuple[Roi, ...]) -> RhythmWeights:
    """Draw a subject's peak frequencies and coupling weights (Goncalves 2005)."""
    rng = generator(settings.seed, "rhythm weights")
    level = settings.parameters
    peaks, amplitudes, weights = {}, {}, {}
    factor = generator(settings.seed, "own signs").standard_normal(len(RHYTHMS))
    factor = 1.0 + level.own_sign_sd * factor
    for own, (name, rhythm) in zip(factor, RHYTHMS.items(), strict=True):
        peaks[name] = float(rng.uniform(*rhythm.peak_hz))
        spread = rng.standard_normal((2, len(rois)))
        base = np.array([_of_region(rhythm.amplitude, roi) for roi in rois])
        sign = np.array([_of_region(rhythm.sign, roi) for roi in rois])
        # Amplitude varies over subjects only where the coupling does.
        amplitudes[name] = base * np.exp(0.6 * level.coupling_sd * spread[0])
        weights[name] = own * sign + level.coupling_sd * spread[1]
    return RhythmWeights(peaks, amplitudes, weights)


def _of_region(table: dict[str, float], roi: Roi) -> float:
    if roi.name == "Thalamus" and "thalamus" in table:
        return table["thalamus"]
    return table.get(roi.network, table[""])


class SourceActivity:
    """Makes the time courses of all sources, region by region."""

    def __init__(
        self, settings: TwinSettings, brain: Brain, rois: tuple[Roi, ...]
    ) -> None:
        self._settings = settings
        self._brain = brain
        self._rois = rois
        self._names = [roi.name for roi in rois]
        self._weights = draw_weights(settings, rois)
        self._n = round(settings.duration_s * BASE_RATE_HZ)
        self._t_s = np.arange(self._n) / BASE_RATE_HZ
        self._slow_t_s = slow_times_s(settings.duration_s)

    def groups(self) -> Iterator[Float32Array]:
        """Yield (sources, samples) in the lead field's order, a few at a time."""
        waiting: list[Float32Array] = []
        for roi in range(len(self._rois)):
            if self._rois[roi].sources_mni_mm:
                waiting.append(self._region(roi))
            if sum(len(rows) for rows in waiting) >= SOURCES_AT_ONCE:
                yield np.concatenate(waiting)
                waiting = []
        if waiting:
            yield np.concatenate(waiting)

    def _region(self, roi: int) -> Float32Array:
        """Return the region's sources: background plus four rhythms."""
        n_sources = len(self._rois[roi].sources_mni_mm)
        activity = power_law(
            generator(self._settings.seed, f"background/{roi}"),
            (n_sources, self._n),
            rate_hz=BASE_RATE_HZ,
            band_hz=BACKGROUND_BAND_HZ,
            exponent=BACKGROUND_EXPONENT,
        )
        gain = self._settings.parameters.rhythm_gain
        for name in RHYTHMS:
            amplitude = gain * self._amplitude(name, roi)
            activity += amplitude * self._coded_carrier(name, roi)
        return activity

    def _amplitude(self, name: str, roi: int) -> Float32Array:
        """Return the rhythm's amplitude at the base rate."""
        slow = self._weights.amplitude[name][roi] * np.exp(self._log(name, roi))
        return self._fast(slow)

    def _log(self, name: str, roi: int) -> FloatArray:
        """Return what moves the rhythm's log-amplitude, on the slow grid."""
        level = self._settings.parameters
        log_amplitude: FloatArray = (
            level.coupling
            * self._weights.weight[name][roi]
            * self._brain.band_drive[roi]
            + level.rhythm_arousal * RHYTHMS[name].arousal * self._brain.arousal
        )
        if level.hidden_sd > 0:
            hidden = power_law(
                generator(self._settings.seed, f"hidden/{name}/{roi}"),
                (1, self._slow_t_s.size),
                rate_hz=SLOW_RATE_HZ,
                band_hz=HIDDEN_BAND_HZ,
                exponent=0.5,
            )[0]
            log_amplitude = log_amplitude + level.hidden_sd * hidden
        return log_amplitude

    def amplitudes(self) -> SourceAmplitudes:
        """Return the log-amplitude of every rhythm, without making any EEG."""
        logs = [
            [
                np.log(self._weights.amplitude[name][roi]) + self._log(name, roi)
                for name in RHYTHMS
            ]
            for roi in range(len(self._rois))
        ]
        return SourceAmplitudes(
            roi_names=tuple(self._names),
            rhythms=tuple(RHYTHMS),
            t_s=self._slow_t_s,
            log_amplitude=np.array(logs),
            in_eeg=np.array([bool(roi.sources_mni_mm) for roi in self._rois]),
        )

    def _fast(self, slow: FloatArray) -> Float32Array:
        return np.interp(self._t_s, self._slow_t_s, slow).astype(np.float32)

    def _carrier(self, name: str, roi: int) -> Float32Array:
        n_sources = len(self._rois[roi].sources_mni_mm)
        return narrow_band(
            generator(self._settings.seed, f"carrier/{name}/{roi}"),
            self._n,
            rate_hz=BASE_RATE_HZ,
            peaks_hz=np.full(n_sources, self._weights.peak_hz[name]),
            width_hz=RHYTHMS[name].width_hz,
        )

    def _coded_carrier(self, name: str, roi: int) -> Float32Array:
        """Return the carrier, with what band power cannot carry put into it."""
        carrier = self._carrier(name, roi)
        code = self._code(roi)
        if code == "bursts" and name in ("alpha", "beta"):
            return carrier * self._bursts(roi)
        if code == "theta_gamma" and name == "gamma":
            return carrier * self._theta_coupling(roi)
        if code == "phase_lock" and name == "beta":
            return self._locked(carrier, roi)
        return carrier

    def _code(self, roi: int) -> str:
        if self._settings.parameters.declared_share == 0:
            return ""
        name = self._names[roi]
        return next((code for code, names in DECLARED.items() if name in names), "")

    def _strength(self, roi: int) -> Float32Array:
        """Return the declared part as a strength in (0, 1)."""
        return self._fast(1.0 / (1.0 + np.exp(-2.0 * self._brain.declared[roi])))

    def _bursts(self, roi: int) -> Float32Array:
        """Return a modulation of unit mean power that grows more bursty."""
        flicker = power_law(
            generator(self._settings.seed, f"flicker/{roi}"),
            (1, self._n),
            rate_hz=BASE_RATE_HZ,
            band_hz=(0.5, 3.0),
            exponent=0.0,
        )[0]
        spread = np.float32(0.9) * self._strength(roi)
        # E[exp(2 s n)] = exp(2 s^2): the mean power stays 1 whatever the spread.
        bursts: Float32Array = np.exp(spread * flicker - spread**2)
        return bursts

    def _theta_coupling(self, roi: int) -> Float32Array:
        """Return a modulation of gamma by theta's phase, of unit mean power."""
        theta = hilbert(self._carrier("theta", roi), axis=1)
        cosine = (theta.real / np.maximum(np.abs(theta), 1e-6)).astype(np.float32)
        depth = self._strength(roi)
        coupled = (1 + depth * cosine) / np.sqrt(1 + depth**2 / 2)
        return np.asarray(coupled, dtype=np.float32)

    def _locked(self, carrier: Float32Array, roi: int) -> Float32Array:
        """Lock the carrier to the next region's, at equal power."""
        ring = DECLARED["phase_lock"]
        partner = ring[(ring.index(self._names[roi]) + 1) % len(ring)]
        leader = self._carrier("beta", self._names.index(partner))[:1]
        locking = np.float32(0.95) * self._strength(roi)
        locked: Float32Array = locking * leader + np.sqrt(1 - locking**2) * carrier
        return locked
