"""Settings of the simulators, the twin's frozen levels, its noise, ranges of seeds.

The parameters were set once against the figures in docs/data/twin.md and are frozen
(docs/reference/twin-levels.md says since when): a model is tuned on the twin, never
the twin on a model.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, TypedDict, Unpack

import numpy as np
from scipy import fft

from rtbold.errors import ConfigError
from rtbold.messages import Float32Array, FloatArray

Level = Literal["easy", "hard", "confound", "hard-flat", "field", "varied"]
LEVEL_NAMES: tuple[Level, ...] = (
    "easy", "hard", "confound", "hard-flat", "field", "varied",
)  # fmt: skip
FOREIGN: Literal["foreign"] = "foreign"  # the generator that is not the twin
BASE_RATE_HZ = 200.0  # everything is made at this rate; higher ones are interpolated
MAX_RATE_HZ = 5000.0
EXACT_FLOAT32 = 2**24  # integers up to here survive a float32 channel
NEUROBOLT_CHANNELS = (
    "Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T7",
    "T8", "P7", "P8", "Fpz", "Fz", "Cz", "Pz", "POz", "Oz", "FT9", "FT10", "TP9",
    "TP10",
)  # fmt: skip
ECG = "ECG"


@dataclass(frozen=True, slots=True)
class LevelParameters:
    """What makes a level; sd are of natural-log amplitude where not said otherwise."""

    coupling: float  # log-amplitude per sd of drive, at weight 1
    coupling_sd: float  # of the weights, over subjects and regions
    hidden_sd: float  # slow part of log-amplitude that BOLD never sees
    orientation_jitter: float
    rhythm_gain: float  # rhythms relative to the 1/f background
    hrf_peak_sd_s: float  # over subjects; over regions it is half of that
    declared_share: float  # variance of some regions' drive that band power lacks
    vascular_sd: float  # relative to the neural part of BOLD, which has sd 1
    drift_sd: float
    noise_sd: float
    physiology_sd: float  # heart rate and respiration in BOLD
    motion_sd: float  # size of a typical motion spike in BOLD
    vigilance_drift: float  # fall of arousal over the session, sd of arousal
    artefacts: float  # size of what a scanner leaves behind; 0: none
    neural_eeg: bool = True  # False: the EEG's rhythms follow another brain
    tension: float = 0.5  # of muscles, log per sd of arousal
    tension_follows: bool = True  # False: muscle tension is the mean of what it was
    # Weights of a region's drive, before it is scaled to unit sd.
    network_weight: float = 0.64
    local_weight: float = 0.64
    arousal_weight: float = 0.42
    arousal_spread: float = 0.0  # of it over the regions of a network, in everybody
    rhythm_arousal: float = 1.0  # how much the rhythms follow arousal; 1: as `hard`
    # What is of one person alone; 0 on every level but `varied`.
    own_arousal_spread: float = 0.0  # of arousal's weight over all regions
    own_sign_sd: float = 0.0  # of a factor on each rhythm's mean weight
    gain_sd: float = 0.0  # of electrodes, natural logarithm
    cap_shift_m: float = 0.0  # how far each electrode sits from its place, sd


_HARD = LevelParameters(
    coupling=0.25, coupling_sd=0.4, hidden_sd=0.8, orientation_jitter=0.5,
    rhythm_gain=1.2, hrf_peak_sd_s=0.9, declared_share=0.5, vascular_sd=0.5,
    drift_sd=0.2, noise_sd=0.5, physiology_sd=0.2, motion_sd=1.0,
    vigilance_drift=1.0, artefacts=1.0,
)  # fmt: skip
LEVELS: dict[Level, LevelParameters] = {
    "easy": LevelParameters(
        coupling=0.5, coupling_sd=0.0, hidden_sd=0.0, orientation_jitter=0.1,
        rhythm_gain=1.7, hrf_peak_sd_s=0.3, declared_share=0.0, vascular_sd=0.0,
        drift_sd=0.0, noise_sd=0.35, physiology_sd=0.0, motion_sd=0.0,
        vigilance_drift=0.0, artefacts=0.0,
    ),
    "hard": _HARD,
    "confound": LevelParameters(
        coupling=0.25, coupling_sd=0.4, hidden_sd=0.8, orientation_jitter=0.5,
        rhythm_gain=1.2, hrf_peak_sd_s=0.9, declared_share=0.5, vascular_sd=0.3,
        drift_sd=0.2, noise_sd=0.4, physiology_sd=0.8, motion_sd=2.0,
        vigilance_drift=2.5, artefacts=1.6, neural_eeg=False,
    ),
    "hard-flat": replace(_HARD, tension_follows=False),
    "field": replace(
        _HARD, coupling=0.12, coupling_sd=0.7, noise_sd=0.7, tension=0.15,
        network_weight=0.55, local_weight=0.6, arousal_weight=0.45, arousal_spread=0.6,
        rhythm_arousal=0.7,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SimulationSettings:
    """One simulated session of one simulated subject, whatever makes it."""

    seed: int
    level: str
    duration_s: float = 600.0
    tr_s: float = 2.1
    rate_hz: float = BASE_RATE_HZ
    channels: tuple[str, ...] = NEUROBOLT_CHANNELS  # "ECG" may be among them
    reference: str = "FCz"
    mains_hz: float = 50.0
    sample_index_channel: bool = False
    # Half a sample off the 200 Hz grid, so that "before the volume" is never a tie.
    first_volume_s: float = 1.0025

    @property
    def eeg_labels(self) -> tuple[str, ...]:
        """The channels that are electrodes."""
        return tuple(label for label in self.channels if label != ECG)

    @property
    def held_out(self) -> bool:
        """Whether no model may be trained on it."""
        return False

    @property
    def title(self) -> str:
        """What made it, for a stream's note."""
        return f"twin, level {self.level}, seed {self.seed}"


@dataclass(frozen=True, slots=True)
class TwinSettings(SimulationSettings):
    """One session of the twin."""

    level: Level = "hard"

    def __post_init__(self) -> None:
        """Check once, at the edge."""
        as_level(self.level)
        _check(self)

    @property
    def parameters(self) -> LevelParameters:
        """The frozen parameters of the level; on `varied` those of the seed."""
        if self.level == "varied":
            return varied_parameters(self.seed)
        return LEVELS[self.level]


@dataclass(frozen=True, slots=True)
class ForeignSettings(SimulationSettings):
    """One session of a subject of the foreign generator (docs/explanation/twin.md).

    A second session of a seed is the same brain under another cap.
    """

    level: Literal["foreign"] = field(default=FOREIGN, init=False)
    session: int = 1

    def __post_init__(self) -> None:
        """Check once, at the edge."""
        if self.session < 1:
            raise ConfigError(f"session is {self.session}, expected 1 or more")
        _check(self)

    @property
    def held_out(self) -> bool:
        """Whether no model may be trained on it: always."""
        return True

    @property
    def title(self) -> str:
        """What made it, for a stream's note."""
        return f"foreign generator, seed {self.seed}, session {self.session}"


def _check(settings: SimulationSettings) -> None:
    if settings.seed < 0:
        raise ConfigError(f"seed is {settings.seed}, expected 0 or more")
    if not 0.2 <= settings.tr_s < 10:
        raise ConfigError(
            f"tr_s is {settings.tr_s!r}, expected seconds in [0.2, 10); "
            "2100 looks like milliseconds"
        )
    if not 10 <= settings.duration_s <= 6 * 3600:
        raise ConfigError(
            f"duration is {settings.duration_s!r} s, expected 10 s to 6 h"
        )
    if not BASE_RATE_HZ <= settings.rate_hz <= MAX_RATE_HZ:
        raise ConfigError(
            f"rate is {settings.rate_hz!r} Hz, expected {BASE_RATE_HZ:g} to "
            f"{MAX_RATE_HZ:g}"
        )
    if settings.rate_hz != round(settings.rate_hz):
        raise ConfigError(
            f"rate is {settings.rate_hz!r} Hz, expected a whole number; "
            f"{round(settings.rate_hz)} is the nearest"
        )
    if not 0 <= settings.first_volume_s < settings.duration_s:
        raise ConfigError(
            f"the first volume is at {settings.first_volume_s!r} s, "
            f"expected 0 to the duration, {settings.duration_s:g} s"
        )
    _check_channels(settings)


def _check_channels(settings: SimulationSettings) -> None:
    if not settings.eeg_labels:
        raise ConfigError("no EEG channel was asked for; name at least one")
    if len(set(settings.channels)) != len(settings.channels):
        raise ConfigError(f"a channel is named twice in {settings.channels}")
    n_samples = settings.duration_s * settings.rate_hz
    if settings.sample_index_channel and n_samples > EXACT_FLOAT32:
        raise ConfigError(
            f"{n_samples:.0f} samples do not fit an exact float32 index "
            f"({EXACT_FLOAT32}); play at most {EXACT_FLOAT32 / settings.rate_hz:.0f} s "
            "at this rate, or leave out the sample index"
        )


def as_level(name: str) -> Level:
    """Return the twin's level of that name; refuse another one."""
    for level in LEVEL_NAMES:
        if name == level:
            return level
    raise ConfigError(
        f"level is {name!r}, expected one of {', '.join(LEVEL_NAMES)} of the twin, "
        f"or {FOREIGN}, which is another generator (ForeignSettings)"
    )


class SessionOptions(TypedDict, total=False):
    """What every simulated session may be told."""

    duration_s: float
    tr_s: float
    rate_hz: float
    channels: tuple[str, ...]
    reference: str
    mains_hz: float
    sample_index_channel: bool
    first_volume_s: float


def simulation_settings(
    seed: int, level: str, *, session: int = 1, **options: Unpack[SessionOptions]
) -> SimulationSettings:
    """Return the settings of whatever generator has the level.

    Raises
    ------
    ConfigError : there is no such level, or it has no second sessions.
    """
    if level == FOREIGN:
        return ForeignSettings(seed, session=session, **options)
    settings = TwinSettings(seed, as_level(level), **options)
    if session != 1:
        raise ConfigError(
            f"session is {session}, but the twin's level {level} has one session a "
            f"seed; expected 1, or level {FOREIGN}"
        )
    return settings


def refuse_held_out(settings: Iterable[SimulationSettings]) -> None:
    """Refuse to train on what is kept to test on; called by whatever trains.

    Raises
    ------
    ConfigError : one of them is of the foreign generator.
    """
    for one in settings:
        if one.held_out:
            raise ConfigError(
                f"seed {one.seed} is of the {one.level} generator, which no model is "
                "trained on: it shows what a model is worth on a population that it "
                "has not seen. Train on the twin's levels "
                f"({', '.join(LEVEL_NAMES)}), and name the foreign scans in "
                "rtbold evaluate only"
            )


# Every person of `varied` is of a population of his own: to train on, so that a network
# trusts in what holds in many of them, and not in what one simulator happens to do.

ANYWHERE: dict[str, tuple[float, float]] = {  # drawn evenly between
    "coupling": (0.15, 0.4),
    "coupling_sd": (0.2, 0.6),
    "hidden_sd": (0.5, 0.9),
    "orientation_jitter": (0.2, 0.8),
    "rhythm_gain": (0.9, 1.6),
    "hrf_peak_sd_s": (0.5, 1.0),
    "noise_sd": (0.4, 0.7),
    "physiology_sd": (0.0, 0.4),
    "vigilance_drift": (0.0, 1.5),
    "artefacts": (0.4, 1.5),
    "tension": (-0.2, 0.6),
    "network_weight": (0.5, 0.8),
    "local_weight": (0.5, 0.7),
    "arousal_weight": (0.1, 0.42),
    "rhythm_arousal": (0.5, 2.0),
    "own_arousal_spread": (0.0, 1.5),
    "own_sign_sd": (0.0, 0.5),
    "gain_sd": (0.0, 0.15),
    "cap_shift_m": (0.0, 0.008),
}


def varied_parameters(seed: int) -> LevelParameters:
    """Return the parameters of one person of level `varied`."""
    rng = generator(seed, "varied")
    drawn = {name: float(rng.uniform(*ends)) for name, ends in ANYWHERE.items()}
    person = replace(_HARD, **drawn)  # type: ignore[arg-type]  # all of them are numbers
    return replace(person, tension_follows=bool(rng.random() < 0.5))


# Random signals with a given spectrum, made in the frequency domain.


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Return the generator of one purpose, so that parts never share random numbers.

    Adding a part to the twin then leaves all the others as they were.
    """
    return np.random.default_rng([seed, zlib.crc32(purpose.encode())])


def power_law(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    rate_hz: float,
    band_hz: tuple[float, float],
    exponent: float,
) -> Float32Array:
    """Return (rows, samples) of unit variance with power 1/f^exponent in a band."""
    n = fft.next_fast_len(shape[1], real=True)
    freqs_hz = fft.rfftfreq(n, 1.0 / rate_hz)
    inside = (freqs_hz >= band_hz[0]) & (freqs_hz <= band_hz[1])
    weight = np.zeros(freqs_hz.size, np.float32)
    weight[inside] = freqs_hz[inside] ** (-exponent / 2.0)
    return _shaped(rng, weight, (shape[0], n))[:, : shape[1]]


def narrow_band(
    rng: np.random.Generator,
    n_samples: int,
    *,
    rate_hz: float,
    peaks_hz: FloatArray,
    width_hz: float,
) -> Float32Array:
    """Return (rows, samples) of unit variance around one peak frequency a row."""
    n = fft.next_fast_len(n_samples, real=True)
    freqs_hz = fft.rfftfreq(n, 1.0 / rate_hz)
    distance = (freqs_hz[None, :] - peaks_hz[:, None]) / width_hz
    weight = np.where(np.abs(distance) < 3.5, np.exp(-(distance**2) / 4.0), 0.0)
    rows = _shaped(rng, weight.astype(np.float32), (len(peaks_hz), n))
    return rows[:, :n_samples]


def _shaped(
    rng: np.random.Generator, weight: Float32Array, shape: tuple[int, int]
) -> Float32Array:
    """Return real noise with amplitude spectrum `weight`, unit expected variance."""
    bins = weight.shape[-1]
    spectrum = np.zeros((shape[0], bins), np.complex64)
    used = np.flatnonzero(np.atleast_2d(weight).any(axis=0))
    if used.size == 0:
        return np.zeros(shape, np.float32)
    first, last = int(used[0]), int(used[-1]) + 1
    draw = rng.standard_normal((shape[0], last - first, 2), dtype=np.float32)
    spectrum[:, first:last] = draw[..., 0] + 1j * draw[..., 1]
    spectrum[:, first:last] *= weight[..., first:last]
    power = 4.0 * np.sum(np.square(weight, dtype=np.float64), axis=-1) / shape[1] ** 2
    scale = np.asarray(1.0 / np.sqrt(power), np.float32)
    spectrum *= scale[..., None]
    result: Float32Array = fft.irfft(spectrum, shape[1], axis=1, overwrite_x=True)
    return result


def standardised(rows: FloatArray) -> FloatArray:
    """Return rows of zero mean and unit standard deviation; flat ones become zero."""
    centred = rows - rows.mean(axis=-1, keepdims=True)
    sd = centred.std(axis=-1, keepdims=True)
    standard: FloatArray = centred / np.where(sd > 0, sd, 1.0)
    return standard


# Named ranges of seeds, so that nothing is tuned on what it is tested on. Level
# `hard-flat` has those of `hard`, because it is the same subjects.

TRAIN_SEEDS = range(1000, 2000)
VALIDATION_SEEDS = range(2000, 3000)
CHECK_SEEDS = range(2900, 2904)  # windows that a bundle carries; not used to validate
TEST_SEEDS = range(9000, 10000)  # scored once; never used while anything is tuned
# Parts of the test seeds, one for each question of scripts/evaluate.
CALIBRATED_SEEDS = range(9100, 9124)
NULL_SEEDS = range(9200, 9260)
POWER_SEEDS = range(9300, 9340)
CONFOUND_SEEDS = range(9400, 9520)
MODEL_SEEDS = range(9540, 9564)
COVERAGE_SEEDS = range(9600, 9800)
TIMED_SEEDS = range(9900, 9910)
DEMO_SEED = 5000  # what `rtbold demo` shows: in none of the ranges above
# Level `field`.
FIELD_TRAIN_SEEDS = range(11000, 12000)
FIELD_VALIDATION_SEEDS = range(12000, 13000)
FIELD_TEST_SEEDS = range(19000, 20000)
FIELD_MODEL_SEEDS = range(19700, 19724)  # a part of them, as `MODEL_SEEDS` is
# Level `varied`, which is trained on and never scored.
VARIED_TRAIN_SEEDS = range(31000, 32000)
# The foreign generator, which is never trained on: to develop on, and to score once.
FOREIGN_DEVELOPMENT_SEEDS = range(61000, 62000)
FOREIGN_TEST_SEEDS = range(69000, 70000)
FOREIGN_MODEL_SEEDS = range(69700, 69724)
