"""The foreign generator's BOLD: a balloon in every region, breath, heart, noise.

The balloon model of Buxton (1998) and Friston (2000) with the output of Stephan (2007);
its parameters differ from region to region and from person to person. The twin
convolves with a double gamma instead.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from rtbold.messages import FloatArray
from rtbold.sim.foreign_brain import SLOW_HZ, Mind, stream
from rtbold.sim.recording import Body, volume_onsets_s
from rtbold.sim.settings import ForeignSettings

STEP_S = 0.1
EFFICACY = 0.18  # of the drive on the flow signal: some 40 % of flow for an sd
STIFFNESS, EXTRACTION, VOLUME = 0.32, 0.4, 0.03
BREATH_SD, COMMON_SD, MOTION_SD, DRIFT_SD, NOISE_SD = 0.25, 0.4, 0.6, 0.25, 0.75
NOISE_KEPT = 0.2  # of the noise from one volume to the next


@dataclass(frozen=True, slots=True, eq=False)
class ForeignBold:
    """(volumes, rois) in units of the neural sd."""

    measured: FloatArray
    neural: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Balloon:
    """A region's vessels: (rois,) each."""

    decay: FloatArray  # of the flow signal, 1/s
    feedback: FloatArray  # of flow on the signal, 1/s^2
    transit_s: FloatArray


def draw_balloons(settings: ForeignSettings, n_rois: int) -> Balloon:
    """Draw a person's vessels; regions differ about as much as people do."""
    rng = stream(settings, "vessels", of_day=False)

    def around(value: float, spread: float) -> FloatArray:
        person = spread * rng.standard_normal()
        return np.asarray(value * np.exp(person + spread * rng.standard_normal(n_rois)))

    return Balloon(around(0.55, 0.12), around(0.2, 0.15), around(1.4, 0.15))


def inflate(drive: FloatArray, balloon: Balloon, rate_hz: float) -> FloatArray:
    """Return the BOLD signal (rois, samples) that a drive makes, from rest."""
    signal = np.zeros(len(drive))
    flow, volume, deoxy = (np.ones(len(drive)) for _ in range(3))
    step_s = 1.0 / rate_hz
    made = np.empty_like(drive)
    weights = np.array([7.0 * EXTRACTION, 2.0, 2.0 * EXTRACTION - 0.2])
    for now in range(drive.shape[1]):
        out = volume ** (1.0 / STIFFNESS)
        extracted = (1.0 - (1.0 - EXTRACTION) ** (1.0 / flow)) / EXTRACTION
        rise = (
            EFFICACY * drive[:, now]
            - balloon.decay * signal
            - balloon.feedback * (flow - 1.0)
        )
        deoxy = deoxy + step_s / balloon.transit_s * (
            flow * extracted - out * deoxy / volume
        )
        volume = volume + step_s / balloon.transit_s * (flow - out)
        flow = np.maximum(flow + step_s * signal, 0.3)
        signal = signal + step_s * rise
        made[:, now] = VOLUME * (
            weights[0] * (1.0 - deoxy)
            + weights[1] * (1.0 - deoxy / volume)
            + weights[2] * (1.0 - volume)
        )
    return made


def simulate_foreign_bold(
    settings: ForeignSettings, mind: Mind, body: Body
) -> ForeignBold:
    """Return what the scanner would export, and what of it is neural."""
    onsets_s = volume_onsets_s(settings)
    fine_s = np.arange(mind.t_s[0], mind.t_s[-1], STEP_S)
    drive = np.stack([np.interp(fine_s, mind.t_s, row) for row in mind.drive])
    swollen = inflate(drive, draw_balloons(settings, len(drive)), 1.0 / STEP_S)
    neural = _unit(np.stack([np.interp(onsets_s, fine_s, row) for row in swollen], 1))
    rng = stream(settings, "scanner", of_day=True)
    n_rois = neural.shape[1]
    person = stream(settings, "veins", of_day=False)
    weight = np.abs(1.0 + 0.5 * person.standard_normal((2, n_rois)))
    breath = np.interp(onsets_s, mind.t_s, _breath(body))[:, None]
    common = _coloured(rng, (onsets_s.size, 1), kept=0.7)
    measured = (
        neural
        + BREATH_SD * weight[0] * breath
        + COMMON_SD * weight[1] * common
        + MOTION_SD * weight[0] * _moved(onsets_s, body)[:, None]
        + DRIFT_SD * _drift(rng, onsets_s, n_rois)
        + NOISE_SD * rng.lognormal(0, 0.2, n_rois) * _coloured(
            rng, neural.shape, kept=NOISE_KEPT
        )
    )  # fmt: skip
    return ForeignBold(measured=measured, neural=neural)


def _breath(body: Body) -> FloatArray:
    """Return what a breath and a fast heart do to all vessels, 3 and 14 s later."""
    t_s = np.arange(0.0, 40.0, 1.0 / SLOW_HZ)
    early = (t_s / 3.0) * np.exp(1.0 - t_s / 3.0)
    late = (t_s / 14.0) ** 4 * np.exp(4.0 * (1.0 - t_s / 14.0))
    air = body.breath_rate_hz * body.breath_depth
    course = lfilter(early - 0.9 * late, [1.0], air - air.mean())
    heart = body.heart_rate_hz - body.heart_rate_hz.mean()
    course = _unit(course[:, None]) + 0.7 * _unit(
        lfilter(early - 0.5 * late, [1.0], heart)[:, None]
    )
    return np.asarray(_unit(course)[:, 0])


def _moved(onsets_s: FloatArray, body: Body) -> FloatArray:
    """Return a dip per movement that the magnetisation forgets over three volumes."""
    dips = np.zeros(onsets_s.size)
    for moved_s, size in zip(body.motion_t_s, body.motion_size, strict=True):
        after = onsets_s - moved_s
        tr_s = float(np.median(np.diff(onsets_s)))
        dips -= np.where(after >= 0, size * np.exp(-np.abs(after) / (1.2 * tr_s)), 0.0)
    return dips


def _drift(rng: np.random.Generator, onsets_s: FloatArray, n_rois: int) -> FloatArray:
    """Return slow cosines of 10 and 5 minutes, of a size of its own in each region."""
    phase = rng.uniform(0, 2 * np.pi, (2, 1, n_rois))
    size = rng.standard_normal((2, 1, n_rois))
    turns = 2 * np.pi * onsets_s[:, None] / np.array([600.0, 300.0])[:, None, None]
    return np.asarray(np.sum(size * np.cos(turns + phase), axis=0))


def _coloured(
    rng: np.random.Generator, shape: tuple[int, int], *, kept: float
) -> FloatArray:
    """Return noise of unit sd whose next volume keeps a share of this one."""
    white = np.sqrt(1 - kept**2) * rng.standard_normal(shape)
    return np.asarray(lfilter([1.0], [1.0, -kept], white, axis=0))


def _unit(columns: FloatArray) -> FloatArray:
    centred = columns - columns.mean(axis=0)
    return np.asarray(centred / centred.std(axis=0))
