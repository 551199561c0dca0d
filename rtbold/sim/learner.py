"""A person in a closed loop: a brain whose target network answers to what is tried.

The twin of one seed is made three times, with the network's drive as it is, raised and
lowered. What a person does moves the EEG between them, so that head, noise and
artefacts stay what they are. The person tries strategies, each with an effect on the
network that nobody knows, and holds on to what the feedback seems to reward. Strategies
raise and lower alike: whoever learns nothing, or from feedback that is not theirs,
moves the network by nothing on average.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from rtbold.errors import ConfigError
from rtbold.messages import Float32Array, FloatArray
from rtbold.sim.brain import Brain
from rtbold.sim.head import read_rois
from rtbold.sim.settings import BASE_RATE_HZ, TwinSettings
from rtbold.sim.twin import simulate_moved

EFFECTS: Final = (1.0, 0.5, 0.0, 0.0, -0.5, -1.0)  # of the strategies; their mean is 0
FADE_S: Final = 2.0  # in which an effort comes and goes


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerSettings:
    """How a person learns.

    Parameters
    ----------
    learns : whether feedback changes what is tried next.
    rate : share of a new experience in what is thought of a strategy.
    choosiness : how strongly the best thought of strategy is preferred, per sd.
    hold_s : how long one strategy is tried before it is judged.
    delay_s : of a try, before what is shown is taken for its result.
    """

    seed: int
    learns: bool = True
    rate: float = 0.4
    choosiness: float = 4.0
    hold_s: float = 14.0
    delay_s: float = 6.0


class Learner:
    """Tries strategies, and thinks better of those after which feedback is high.

    Times are seconds of the session; they do not go back.
    """

    def __init__(self, settings: LearnerSettings) -> None:
        self.settings = settings
        self._rng = np.random.default_rng([settings.seed, 0x1EA2])
        self._effects = self._rng.permutation(EFFECTS)
        self._thought = np.zeros(len(EFFECTS))
        self._trying: int | None = None
        self._since_s = 0.0
        self._direction = 0.0
        self._felt: list[float] = []

    @property
    def effort(self) -> float:
        """What the present strategy does to the network, -1 to 1; 0 at rest."""
        return 0.0 if self._trying is None else float(self._effects[self._trying])

    def asked(self, direction: float, t_s: float) -> None:
        """Take what the person is asked for from now on.

        Parameters
        ----------
        direction : 1 up, -1 down, 0 rest.
        """
        if direction != self._direction:
            self._judge()
            self._trying, self._direction = None, direction
        if direction == 0.0:
            return
        if self._trying is None or t_s - self._since_s >= self.settings.hold_s:
            self._judge()
            self._trying, self._since_s = self._chosen(), t_s

    def felt(self, value: float | None, t_s: float) -> None:
        """Take what was shown at `t_s`; None: nothing was."""
        if value is None or self._trying is None:
            return
        if t_s - self._since_s >= self.settings.delay_s:
            self._felt.append(value)

    def _judge(self) -> None:
        if self._trying is not None and self._felt and self.settings.learns:
            # How high it was: a strategy that is good for down is thought of as low
            new = float(np.mean(self._felt))
            old = self._thought[self._trying]
            self._thought[self._trying] = old + self.settings.rate * (new - old)
        self._felt = []

    def _chosen(self) -> int:
        wanted = self._direction * self._thought
        weight = np.exp(self.settings.choosiness * (wanted - wanted.max()))
        if not self.settings.learns:
            weight = np.ones_like(weight)
        return int(self._rng.choice(len(weight), p=weight / weight.sum()))


@dataclass(frozen=True, slots=True, eq=False)
class ClosedLoopHead:
    """EEG of one head, by what its person does.

    Parameters
    ----------
    still, raised, lowered : (channels, samples) uV at 200 Hz.
    """

    still: Float32Array
    raised: Float32Array
    lowered: Float32Array

    @property
    def n_samples(self) -> int:
        """How long it lasts."""
        return int(self.still.shape[1])

    def eeg_uv(self, first: int, effort: FloatArray) -> Float32Array:
        """Return (channels, samples) from sample `first`, an effort for each.

        Raises
        ------
        IndexError : there are not so many samples.
        """
        last = first + len(effort)
        if not 0 <= first <= last <= self.n_samples:
            raise IndexError(f"samples {first} to {last} of {self.n_samples}")
        part = slice(first, last)
        up = np.clip(effort, 0.0, 1.0).astype(np.float32)
        down = np.clip(-effort, 0.0, 1.0).astype(np.float32)
        still = self.still[:, part]
        moved = up * (self.raised[:, part] - still) + down * (
            self.lowered[:, part] - still
        )
        return np.asarray(still + moved, dtype=np.float32)


class Effort:
    """The effort sample by sample: it comes and goes within `FADE_S`."""

    def __init__(self) -> None:
        self._now = 0.0

    def samples(self, wanted: float, n: int) -> FloatArray:
        """Return the next `n` samples on the way to `wanted`."""
        step = 1.0 / (FADE_S * BASE_RATE_HZ)
        way = wanted - self._now
        walked = np.minimum(step * np.arange(1, n + 1), abs(way))
        values = self._now + np.sign(way) * walked
        self._now = float(values[-1]) if n else self._now
        return np.asarray(values)


def closed_loop_head(
    settings: TwinSettings, network: str, *, effect_sd: float = 1.5
) -> ClosedLoopHead:
    """Return the head of a twin whose person can move one network.

    Parameters
    ----------
    network : as the ROIs of the twin have it, such as SomMotA.
    effect_sd : by how much full effort moves the network's drive, sd of its own.

    Raises
    ------
    ConfigError : no ROI is of that network.
    """
    rois = read_rois()
    rows = np.array([roi.network == network for roi in rois])
    if not rows.any():
        known = ", ".join(sorted({roi.network for roi in rois}))
        raise ConfigError(f"no ROI is of network {network!r}, expected one of {known}")

    def moved(by_sd: float) -> Callable[[Brain], Brain]:
        def move(brain: Brain) -> Brain:
            drive = brain.band_drive.copy()
            drive[rows] += by_sd
            return replace(brain, band_drive=drive)

        return move

    still, raised, lowered = (
        simulate_moved(settings, moved(sd)) for sd in (0.0, effect_sd, -effect_sd)
    )
    return ClosedLoopHead(still, raised, lowered)
