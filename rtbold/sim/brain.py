"""Slow causes: arousal, networks, regions; and the body, which both instruments see.

All live on a grid of `SLOW_RATE_HZ` that starts `PREHISTORY_S` before the recording, so
that haemodynamics are in their stride at the first volume.
"""

from dataclasses import dataclass

import numpy as np

from rtbold.messages import FloatArray
from rtbold.sim.head import Roi
from rtbold.sim.noise import generator, power_law, standardised
from rtbold.sim.settings import TwinSettings

SLOW_RATE_HZ = 5.0
PREHISTORY_S = 60.0
DRIVE_BAND_HZ = (0.01, 0.12)
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


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """Heart, lungs and head: what enters EEG and BOLD alike (item 8)."""

    heart_rate_hz: FloatArray  # (slow samples,)
    breath_rate_hz: FloatArray
    breath_depth: FloatArray  # around 1
    motion_t_s: FloatArray  # (events,), recording time
    motion_size: FloatArray  # (events,), around 1


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
    band_drive = standardised(0.64 * shared + 0.64 * local + 0.42 * arousal)
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
