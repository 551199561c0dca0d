"""The alpha check: eyes open, eyes closed, and how alpha power differs. No Qt.

Alpha power over the back of the head rises in most people when they close their eyes
(Berger 1929); if it does not, eyes, cap or cleaning deserve a look. It says something
of the recording and nothing of the person: some healthy people have little alpha.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from rtbold.gui.state.signals import POSTERIOR

Stage = Literal["idle", "open", "closed", "done", "stopped"]
AlphaVerdict = Literal["plausible", "weak", "no change", "everything rose", "unknown"]
FloatArray = NDArray[np.float64]

STAGES: tuple[Stage, Stage] = ("open", "closed")

STAGE_S = 30.0
SETTLE_S = 6.0  # after a change: 4 s that band powers look back on, and to react
ENOUGH_N = 10  # band powers of each stage; they come once a second
PLAUSIBLE_RATIO = 1.5
WEAK_RATIO = 1.2
BROADBAND_SHARE = 0.7  # of alpha's rise, in beta, on a log scale
BACK = frozenset(label.upper() for label in POSTERIOR)
INSTRUCTIONS: dict[Stage, str] = {
    "idle": "Tell the participant: relax, sit still, look at one point.",
    "open": "Eyes OPEN",
    "closed": "Eyes CLOSED",
    "done": "Eyes may be open again",
    "stopped": "Stopped",
}
WORDS: dict[AlphaVerdict, str] = {
    "plausible": "Plausible: alpha rises when the eyes close.",
    "weak": (
        "Weak: alpha rises a little. Was the participant awake, and were the eyes "
        "really open and closed? Some people have little alpha."
    ),
    "no change": (
        "No alpha change: check the eyes (were they open, then closed?), the cap (back "
        "of the head, labels in the right order) and the cleaning. Some people have "
        "little alpha."
    ),
    "everything rose": (
        "Other bands rose like alpha, so this is not alpha: check for movement, for "
        "muscle, and the cleaning."
    ),
    "unknown": "Not known",
}


class Powers(Protocol):
    """The part of a `BandPowers` that is read here."""

    @property
    def t_end(self) -> float:
        """Of the EEG looked at, LSL clock."""

    @property
    def bands(self) -> Sequence[str]:
        """Names."""

    @property
    def power_uv2(self) -> FloatArray:
        """(bands, channels), nan where there is none."""


@dataclass(frozen=True, slots=True)
class AlphaRatio:
    """Closed over open; geometric mean of the posterior channels."""

    verdict: AlphaVerdict
    words: str
    alpha: float = math.nan
    beta: float = math.nan
    by_channel: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class AlphaView:
    """What to show now."""

    stage: Stage
    instruction: str
    left_s: float  # of this stage
    n_open: int
    n_closed: int
    result: AlphaRatio | None = None


class AlphaCheck:
    """Guides one check; times are on the publisher's LSL clock.

    Parameters
    ----------
    mark : puts a mark into the recording, at the start, each change and the end.
    channels : names, in the order of the band powers.
    stage_s : of each of the two stages.
    """

    def __init__(
        self,
        mark: Callable[[str], None],
        channels: Sequence[str],
        *,
        stage_s: float = STAGE_S,
    ) -> None:
        self._mark, self._stage_s = mark, stage_s
        self._channels = tuple(channels)
        self._stage: Stage = "idle"
        self._t_stage = 0.0
        self._powers: dict[Stage, list[FloatArray]] = {"open": [], "closed": []}
        self._why_stopped = ""
        self._newest_t = -math.inf

    @property
    def running(self) -> bool:
        """Whether a stage is on."""
        return self._stage in ("open", "closed")

    def start(self, t_lsl: float) -> None:
        """Begin with open eyes."""
        self._powers = {"open": [], "closed": []}
        self._enter("open", t_lsl)
        self._mark("alpha check: eyes open")

    def stop(self, why: str) -> None:
        """End early; nothing is concluded."""
        if self.running:
            self._stage, self._why_stopped = "stopped", why
            self._mark(f"alpha check: stopped, {why}")

    def take(self, powers: Powers, skip: Collection[str] = ()) -> None:
        """Take band powers whose EEG lies in one stage alone; `skip` are bad now."""
        if not self.running or powers.t_end <= self._newest_t:
            return
        self._newest_t = powers.t_end
        since_s = powers.t_end - self._t_stage
        fits = powers.power_uv2.shape == (len(powers.bands), len(self._channels))
        if not fits or not SETTLE_S <= since_s <= self._stage_s:
            return
        wanted = [_band(powers, "alpha"), _band(powers, "beta")]
        both = np.stack(wanted)  # (alpha and beta, channels)
        both[:, [label in skip for label in self._channels]] = np.nan
        self._powers[self._stage].append(both)

    def tick(self, t_lsl: float) -> None:
        """Go to the next stage when it is time."""
        if not self.running or t_lsl < self._t_stage + self._stage_s:
            return
        if self._stage == "open":
            self._enter("closed", t_lsl)
            self._mark("alpha check: eyes closed")
        else:
            self._stage = "done"
            self._mark("alpha check: end")

    def view(self, t_lsl: float) -> AlphaView:
        """Return what to show at `t_lsl`."""
        left_s = self._t_stage + self._stage_s - t_lsl if self.running else 0.0
        result = self.ratio() if self._stage == "done" else None
        if self._stage == "stopped":
            result = AlphaRatio("unknown", f"Stopped: {self._why_stopped}")
        return AlphaView(
            self._stage,
            INSTRUCTIONS[self._stage],
            max(0.0, left_s),
            len(self._powers["open"]),
            len(self._powers["closed"]),
            result,
        )

    def ratio(self) -> AlphaRatio:
        """Return closed over open at the posterior channels, in words too."""
        labels = enumerate(self._channels)
        back = [index for index, label in labels if label.upper() in BACK]
        if not back:
            return AlphaRatio("unknown", "No channel over the back of the head.")
        n_open, n_closed = len(self._powers["open"]), len(self._powers["closed"])
        if min(n_open, n_closed) < ENOUGH_N:
            return AlphaRatio(
                "unknown",
                f"Too little EEG: {n_open} s of open and {n_closed} s of closed eyes, "
                f"{ENOUGH_N} s of each are needed. Wait until EEG flows; repeat.",
            )
        opened, closed = (_median(self._powers[s])[:, back] for s in STAGES)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_ratio = np.log(closed / opened)  # (alpha and beta, channels)
        return _alpha_ratio(log_ratio, [self._channels[index] for index in back])

    def _enter(self, stage: Stage, t_lsl: float) -> None:
        self._stage, self._t_stage = stage, t_lsl


def _band(powers: Powers, name: str) -> FloatArray:
    if name not in powers.bands:
        return np.full(powers.power_uv2.shape[1], np.nan)
    return np.asarray(powers.power_uv2[list(powers.bands).index(name)], float)


def _median(powers: list[FloatArray]) -> FloatArray:
    """Return the median over time, (2, channels); nan where most is missing."""
    stacked = np.stack(powers)  # (seconds, 2, channels)
    enough = np.isfinite(stacked).sum(axis=0) >= ENOUGH_N
    filled = np.where(enough, stacked, 0.0)
    return np.where(enough, np.nanmedian(filled, axis=0), np.nan)


def _alpha_ratio(log_ratio: FloatArray, labels: Sequence[str]) -> AlphaRatio:
    known = np.isfinite(log_ratio[0])
    if not known.any():
        return AlphaRatio("unknown", "No usable channel over the back of the head.")
    each = zip(labels, np.exp(log_ratio[0]).tolist(), known.tolist(), strict=True)
    alpha = float(log_ratio[0, known].mean())
    other = log_ratio[1, np.isfinite(log_ratio[1])]
    beta = float(other.mean()) if other.size else math.nan
    verdict = _verdict(alpha, beta)
    by_channel = tuple((label, ratio) for label, ratio, usable in each if usable)
    return AlphaRatio(
        verdict, WORDS[verdict], math.exp(alpha), math.exp(beta), by_channel
    )


def _verdict(alpha: float, beta: float) -> AlphaVerdict:
    """Judge natural logarithms of closed over open."""
    if alpha >= math.log(WEAK_RATIO) and beta >= BROADBAND_SHARE * alpha:
        return "everything rose"
    if alpha >= math.log(PLAUSIBLE_RATIO):
        return "plausible"
    return "weak" if alpha >= math.log(WEAK_RATIO) else "no change"
