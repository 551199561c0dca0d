"""Settings of the twin, and the frozen parameters of its levels.

The parameters were set once against the figures in docs/data/twin.md and are frozen
(docs/reference/twin.md says since when): a model is tuned on the twin, never the twin
on a model.
"""

from dataclasses import dataclass
from typing import Literal

from rtbold.errors import ConfigError

Level = Literal["easy", "hard", "confound"]
LEVEL_NAMES: tuple[Level, ...] = ("easy", "hard", "confound")

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


LEVELS: dict[Level, LevelParameters] = {
    "easy": LevelParameters(
        coupling=0.5, coupling_sd=0.0, hidden_sd=0.0, orientation_jitter=0.1,
        rhythm_gain=1.7, hrf_peak_sd_s=0.3, declared_share=0.0, vascular_sd=0.0,
        drift_sd=0.0, noise_sd=0.35, physiology_sd=0.0, motion_sd=0.0,
        vigilance_drift=0.0, artefacts=0.0,
    ),
    "hard": LevelParameters(
        coupling=0.25, coupling_sd=0.4, hidden_sd=0.8, orientation_jitter=0.5,
        rhythm_gain=1.2, hrf_peak_sd_s=0.9, declared_share=0.5, vascular_sd=0.5,
        drift_sd=0.2, noise_sd=0.5, physiology_sd=0.2, motion_sd=1.0,
        vigilance_drift=1.0, artefacts=1.0,
    ),
    "confound": LevelParameters(
        coupling=0.25, coupling_sd=0.4, hidden_sd=0.8, orientation_jitter=0.5,
        rhythm_gain=1.2, hrf_peak_sd_s=0.9, declared_share=0.5, vascular_sd=0.3,
        drift_sd=0.2, noise_sd=0.4, physiology_sd=0.8, motion_sd=2.0,
        vigilance_drift=2.5, artefacts=1.6, neural_eeg=False,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TwinSettings:
    """One simulated session of one simulated subject."""

    seed: int
    level: Level = "hard"
    duration_s: float = 600.0
    tr_s: float = 2.1
    rate_hz: float = BASE_RATE_HZ
    channels: tuple[str, ...] = NEUROBOLT_CHANNELS  # "ECG" may be among them
    reference: str = "FCz"
    mains_hz: float = 50.0
    sample_index_channel: bool = False
    # Half a sample off the 200 Hz grid, so that "before the volume" is never a tie.
    first_volume_s: float = 1.0025

    def __post_init__(self) -> None:
        """Check once, at the edge."""
        as_level(self.level)
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}, expected 0 or more")
        if not 0.2 <= self.tr_s < 10:
            raise ConfigError(
                f"tr_s is {self.tr_s!r}, expected seconds in [0.2, 10); "
                "2100 looks like milliseconds"
            )
        if not 10 <= self.duration_s <= 6 * 3600:
            raise ConfigError(
                f"duration is {self.duration_s!r} s, expected 10 s to 6 h"
            )
        if not BASE_RATE_HZ <= self.rate_hz <= MAX_RATE_HZ:
            raise ConfigError(
                f"rate is {self.rate_hz!r} Hz, expected {BASE_RATE_HZ:g} to "
                f"{MAX_RATE_HZ:g}"
            )
        if self.rate_hz != round(self.rate_hz):
            raise ConfigError(
                f"rate is {self.rate_hz!r} Hz, expected a whole number; "
                f"{round(self.rate_hz)} is the nearest"
            )
        if not 0 <= self.first_volume_s < self.duration_s:
            raise ConfigError(
                f"the first volume is at {self.first_volume_s!r} s, "
                f"expected 0 to the duration, {self.duration_s:g} s"
            )
        self._check_channels()

    def _check_channels(self) -> None:
        if not any(label != ECG for label in self.channels):
            raise ConfigError("no EEG channel was asked for; name at least one")
        if len(set(self.channels)) != len(self.channels):
            raise ConfigError(f"a channel is named twice in {self.channels}")
        n_samples = self.duration_s * self.rate_hz
        if self.sample_index_channel and n_samples > EXACT_FLOAT32:
            raise ConfigError(
                f"{n_samples:.0f} samples do not fit an exact float32 index "
                f"({EXACT_FLOAT32}); play at most {EXACT_FLOAT32 / self.rate_hz:.0f} s "
                "at this rate, or leave out the sample index"
            )

    @property
    def parameters(self) -> LevelParameters:
        """The frozen parameters of the level."""
        return LEVELS[self.level]

    @property
    def eeg_labels(self) -> tuple[str, ...]:
        """The channels that the lead field is for."""
        return tuple(label for label in self.channels if label != ECG)


def as_level(name: str) -> Level:
    """Return the level of that name; refuse another one."""
    for level in LEVEL_NAMES:
        if name == level:
            return level
    raise ConfigError(f"level is {name!r}, expected one of {', '.join(LEVEL_NAMES)}")
