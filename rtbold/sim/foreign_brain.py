"""The foreign generator's brain: its causes, and how rhythms follow them.

States that come and go, regions that pull on their neighbours, and an arousal that
lifts some regions and lowers others; everything in the time domain, on a grid of
`SLOW_HZ`. What all subjects share is drawn once, from a stream of its own.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.signal import lfilter

from rtbold.messages import FloatArray
from rtbold.sim.foreign_head import patches
from rtbold.sim.head import read_rois
from rtbold.sim.recording import Body, SourceAmplitudes
from rtbold.sim.settings import ForeignSettings

SALT = 0x0F0E16  # so that no other stream of numbers is the same
POPULATION = "population"
SLOW_HZ = 4.0
BEFORE_S = 48.0  # of the slow grid before the recording
N_CENTRES, REACH = 9, 0.55  # of what regions share with their neighbours
N_STATES, DWELL_S = 6, 14.0
STATE_SHARE, NEAR_SHARE, OWN_SHARE = 0.5, 0.5, 0.55
AROUSAL_MEAN, AROUSAL_SD = 0.3, 0.5  # weights of arousal over regions
FOLLOWS = 0.22  # log-amplitude per sd of drive, where a region and a rhythm follow by 1
SUBJECT_SD = 0.35  # of how a subject's regions and rhythms follow, beside 1
HIDDEN_SD = 0.45  # slow part of log-amplitude that BOLD never sees


@dataclass(frozen=True, slots=True)
class Band:
    """One rhythm: where it sits, and how it moves."""

    name: str
    low_hz: float  # a subject's frequency is drawn between; both alike: no peak
    high_hz: float
    size: float  # relative to the 1/f process
    place: tuple[float, float, float]  # where on the head it is large
    follows: float  # of the drive: activity shifts power from slow to fast
    arousal: float  # log-amplitude per sd of arousal


# The first and the last are the slow and the fast part of the 1/f process itself.
BANDS = (
    Band("slow", 0.0, 0.0, 0.0, (0, 0, 0), -0.5, -0.12),
    Band("theta", 4.8, 6.6, 0.5, (0.0, 0.7, 0.7), -0.7, -0.12),
    Band("alpha", 8.6, 11.4, 0.9, (0.0, -0.9, 0.4), -1.0, 0.08),
    Band("sigma", 12.5, 15.5, 0.35, (0.0, 0.0, 1.0), -0.8, -0.05),
    Band("beta", 18.0, 24.0, 0.35, (0.0, 0.2, 1.0), -0.4, 0.06),
    Band("fast", 0.0, 0.0, 0.0, (0, 0, 0), 0.6, 0.1),
)


def stream(
    settings: ForeignSettings, part: str, *, of_day: bool
) -> np.random.Generator:
    """Return the numbers of one part of a subject, or of one session of it."""
    session = settings.session if of_day else 0
    return _numbers(settings.seed + 1, session, part)


def _numbers(subject: int, session: int, part: str) -> np.random.Generator:
    words = [SALT, subject, session, *part.encode()]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(words)))


def slow_grid_s(settings: ForeignSettings) -> FloatArray:
    """Return the slow times: from before the recording to just after it."""
    n = int(np.ceil((BEFORE_S + settings.duration_s + 4.0) * SLOW_HZ)) + 1
    grid: FloatArray = np.arange(n) / SLOW_HZ - BEFORE_S
    return grid


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """What all subjects share."""

    shares: FloatArray  # (rois, centres), what a region has of each centre
    states: FloatArray  # (rois, states)
    arousal: FloatArray  # (rois,), of either sign
    follows: FloatArray  # (rois,), how strongly rhythms follow the drive
    tilt: FloatArray  # (rois, bands), how a region departs from the bands' way
    arousal_seen: FloatArray  # (rois,), how strongly rhythms follow arousal


@cache
def population() -> Population:
    """Draw it, always the same."""
    rng = _numbers(0, 0, POPULATION)
    centres = patches().centres
    n = len(centres)
    hubs = centres[rng.permutation(n)[:N_CENTRES]]
    apart = np.linalg.norm(centres[:, None] - hubs[None], axis=2)
    shares = np.exp(-0.5 * (apart / REACH) ** 2)
    follows = rng.lognormal(0.0, 0.35, n)
    deep = np.array([roi.kind != "cortex" for roi in read_rois()])
    return Population(
        shares=shares / np.linalg.norm(shares, axis=1, keepdims=True),
        states=rng.standard_normal((n, N_STATES)),
        arousal=AROUSAL_MEAN + AROUSAL_SD * rng.standard_normal(n),
        follows=np.where(deep, -0.6, 1.0) * follows,
        tilt=0.3 * rng.standard_normal((n, len(BANDS))),
        arousal_seen=1.0 + 0.5 * rng.standard_normal(n),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Mind:
    """One session's causes, on the slow grid."""

    t_s: FloatArray
    drive: FloatArray  # (rois, samples), unit sd
    arousal: FloatArray  # (samples,), unit sd


def draw_mind(settings: ForeignSettings) -> Mind:
    """Draw what goes on in a subject during one session."""
    t_s, rng = slow_grid_s(settings), stream(settings, "mind", of_day=True)
    person = stream(settings, "person", of_day=False)
    shared = population()
    n_rois, n = len(shared.arousal), t_s.size
    arousal = _unit(_wander(rng, 1, n, tau_s=40.0)[0] - _drowsy(rng, t_s))
    states = shared.states + 0.5 * person.standard_normal(shared.states.shape)
    near = shared.shares @ _wander(rng, N_CENTRES, n, tau_s=7.0)
    own = _wander(rng, n_rois, n, tau_s=6.0)
    weight = shared.arousal + 0.15 * person.standard_normal(n_rois)
    drive = (
        NEAR_SHARE * near
        + OWN_SHARE * own
        + STATE_SHARE * states @ _visits(rng, n)
        + weight[:, None] * arousal
    )
    return Mind(t_s, _unit(drive), arousal)


def _wander(rng: np.random.Generator, rows: int, n: int, *, tau_s: float) -> FloatArray:
    """Return Ornstein-Uhlenbeck processes of unit sd."""
    kept = float(np.exp(-1.0 / (tau_s * SLOW_HZ)))
    noise = np.sqrt(1 - kept**2) * rng.standard_normal((rows, n))
    start = kept * rng.standard_normal((rows, 1))
    made, _ = lfilter([1.0], [1.0, -kept], noise, axis=1, zi=start)
    return np.asarray(made)


def _visits(rng: np.random.Generator, n: int) -> FloatArray:
    """Return (states, samples): in one state at a time, with soft edges, zero mean."""
    inside = np.zeros((N_STATES, n))
    first, state = 0, int(rng.integers(N_STATES))
    while first < n:
        last = first + max(1, round(rng.gamma(3.0, DWELL_S / 3.0) * SLOW_HZ))
        inside[state, first:last] = 1.0
        first, state = last, int((state + rng.integers(1, N_STATES)) % N_STATES)
    kept = float(np.exp(-1.0 / (1.5 * SLOW_HZ)))
    soft = lfilter([1 - kept], [1.0, -kept], inside, axis=1)
    return np.asarray(soft - 1.0 / N_STATES)


def _drowsy(rng: np.random.Generator, t_s: FloatArray) -> FloatArray:
    """Return spells of drowsiness, one in four minutes, each of 20 to 90 s."""
    fall = np.zeros(t_s.size)
    for start_s in rng.uniform(t_s[0], t_s[-1], rng.poisson(np.ptp(t_s) / 240.0)):
        share = (t_s - start_s) / rng.uniform(20.0, 90.0)
        within = (share > 0) & (share < 1)
        fall[within] += rng.uniform(1.5, 3.0) * np.sin(np.pi * share[within]) ** 2
    return fall


def _unit(rows: FloatArray) -> FloatArray:
    centred = rows - rows.mean(axis=-1, keepdims=True)
    return np.asarray(centred / centred.std(axis=-1, keepdims=True))


def log_amplitudes(settings: ForeignSettings, mind: Mind) -> FloatArray:
    """Return (rois, bands, samples): how each region's rhythms move, around 0."""
    shared, person = population(), stream(settings, "coupling", of_day=False)
    n_rois, n_bands = shared.tilt.shape
    spread = person.standard_normal((2, n_rois, n_bands))
    band = np.array([band.follows for band in BANDS])
    follows = shared.follows[:, None] * (band + shared.tilt) + SUBJECT_SD * spread[0]
    seen = np.array([band.arousal for band in BANDS]) + 0.04 * spread[1]
    rng = stream(settings, "hidden", of_day=True)
    hidden = _wander(rng, n_rois * n_bands, mind.t_s.size, tau_s=5.0)
    return np.asarray(
        FOLLOWS * follows[:, :, None] * mind.drive[:, None]
        + (shared.arousal_seen[:, None] * seen)[:, :, None] * mind.arousal
        + HIDDEN_SD * hidden.reshape(n_rois, n_bands, -1)
    )


def band_sizes(settings: ForeignSettings) -> FloatArray:
    """Return (rois, bands): a subject's usual amplitudes; 1 for the 1/f process."""
    person = stream(settings, "sizes", of_day=False)
    centres = patches().centres
    sizes = np.ones((len(centres), len(BANDS)))
    for number, band in enumerate(BANDS):
        spread = person.lognormal(0.0, 0.3, len(centres))
        if band.size > 0:
            place = np.array(band.place) / np.linalg.norm(band.place)
            near = np.exp(2.0 * (centres @ place - 1.0))
            sizes[:, number] = band.size * (0.3 + near) * spread
    return sizes


def foreign_amplitudes(settings: ForeignSettings) -> SourceAmplitudes:
    """Return the log-amplitude of every band of every region; no EEG is made."""
    mind = draw_mind(settings)
    rois = read_rois()
    seen = np.zeros(len(rois), dtype=bool)
    seen[patches().roi] = True
    logs = np.log(band_sizes(settings))[:, :, None] + log_amplitudes(settings, mind)
    return SourceAmplitudes(
        roi_names=tuple(roi.name for roi in rois),
        rhythms=tuple(band.name for band in BANDS),
        t_s=mind.t_s,
        log_amplitude=logs,
        in_eeg=seen,
    )


def draw_body_of(settings: ForeignSettings, mind: Mind) -> Body:
    """Draw heart, breath and movements; sighs deepen the breath now and then."""
    rng, n = stream(settings, "body", of_day=True), mind.t_s.size
    person = stream(settings, "build", of_day=False)
    wander = _wander(rng, 3, n, tau_s=12.0)
    heart_hz = person.uniform(0.85, 1.35) * np.exp(
        0.035 * wander[0] + 0.02 * mind.arousal
    )
    depth = np.exp(0.15 * wander[1])
    for start_s in rng.uniform(0, settings.duration_s, rng.poisson(
        settings.duration_s / 150.0
    )):  # fmt: skip
        since_s = mind.t_s - start_s
        depth += np.where(since_s > 0, 0.9 * np.exp(-np.abs(since_s) / 3.0), 0.0)
    n_moves = int(rng.poisson(settings.duration_s / 110.0))
    return Body(
        heart_rate_hz=heart_hz,
        breath_rate_hz=person.uniform(0.18, 0.32) * np.exp(0.07 * wander[2]),
        breath_depth=depth,
        motion_t_s=np.sort(rng.uniform(0.0, settings.duration_s, n_moves)),
        motion_size=rng.gamma(2.0, 0.5, n_moves),
    )
