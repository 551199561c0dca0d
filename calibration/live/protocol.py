"""What of a scan that is being recorded could be used so far. Pure.

An estimate for the screen, by the arrival of triggers and EEG; the calibration counts
again, by the stamps in the files.
"""

from bisect import bisect_right, insort
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Final

from rtbold.errors import ConfigError
from rtbold.messages import WINDOW_S

HOLE_S: Final = 1.0  # without EEG for so long: windows over it are lost
_LEAST_TRIGGERS: Final = 3  # to know the TR
_INSTRUCTIONS: Final = {
    "eyes open": "EYES OPEN, look at the cross and let your mind wander",
    "eyes closed": "EYES CLOSED, rest and stay awake",
    "rest": "REST, lie still and stay awake",
}


@dataclass(frozen=True, slots=True)
class Phase:
    """One part of a guided protocol."""

    name: str
    duration_s: float

    @property
    def instruction(self) -> str:
        """What the participant is told."""
        return _INSTRUCTIONS.get(self.name.casefold(), self.name)


def parse_phases(text: str) -> tuple[Phase, ...]:
    """Return the phases of ``eyes open:300,eyes closed:300``, seconds each.

    Raises
    ------
    ConfigError : a phase has no name, or no duration of up to two hours.
    """
    return tuple(_phase(part, text) for part in text.split(","))


def _phase(part: str, text: str) -> Phase:
    name, _, seconds = part.rpartition(":")
    try:
        duration_s = float(seconds)
    except ValueError:
        duration_s = 0.0
    if not name.strip() or not 0 < duration_s <= 7200:
        raise ConfigError(
            f"--phases is {text!r}, expected NAME:SECONDS with commas between, such as "
            "'eyes open:480,eyes closed:480'."
        )
    return Phase(name.strip(), duration_s)


def phase_at(phases: tuple[Phase, ...], elapsed_s: float) -> tuple[int, float] | None:
    """Return the number of the phase and the seconds left in it; None: all are over."""
    for number, phase in enumerate(phases):
        if elapsed_s < phase.duration_s:
            return number, phase.duration_s - elapsed_s
        elapsed_s -= phase.duration_s
    return None


@dataclass(slots=True)
class VolumeCount:
    """Counts volumes that have a trigger, 16 s of EEG before it, and measured BOLD."""

    dummy_volumes: int = 0
    trigger_every: int = 1
    triggers_s: list[float] = field(default_factory=list)
    measured: set[int] = field(default_factory=set)
    _begins_s: float | None = None  # of the EEG that is whole since then
    _newest_s: float | None = None
    _holes_s: list[tuple[float, float]] = field(default_factory=list)

    def eeg(self, t_arrived_s: float) -> None:
        """Take the arrival of samples."""
        if self._newest_s is None:
            self._begins_s = t_arrived_s
        elif t_arrived_s - self._newest_s > HOLE_S:
            self._holes_s.append((self._newest_s, t_arrived_s))
        self._newest_s = t_arrived_s

    def trigger(self, t_arrived_s: float) -> None:
        """Take the arrival of one trigger."""
        insort(self.triggers_s, t_arrived_s)

    def volume(self, index: int) -> None:
        """Take one measured volume; 0 is the first after the dummies."""
        if index >= 0:
            self.measured.add(index)

    @property
    def tr_s(self) -> float | None:
        """The median interval of volumes; None before there are three."""
        if len(self.triggers_s) < _LEAST_TRIGGERS * self.trigger_every:
            return None
        each = self.triggers_s[:: self.trigger_every]
        return median(b - a for a, b in pairwise(each))

    @property
    def begun_s(self) -> float | None:
        """When the first volume after the dummies began; None: not yet."""
        first = self.dummy_volumes * self.trigger_every
        return self.triggers_s[first] if len(self.triggers_s) > first else None

    @property
    def n_volumes(self) -> int:
        """Volumes that have begun, missed triggers included."""
        tr_s, begun_s = self.tr_s, self.begun_s
        if tr_s is None or begun_s is None:
            return 0
        newest_s = self.triggers_s[:: self.trigger_every][-1]
        return 1 + round((newest_s - begun_s) / tr_s)

    @property
    def n_usable(self) -> int:
        """Volumes that could be trained on."""
        tr_s, begun_s = self.tr_s, self.begun_s
        if tr_s is None or begun_s is None:
            return 0
        onsets_s = (begun_s + tr_s * index for index in self.measured)
        return sum(self._has_window(t_s) for t_s in onsets_s)

    def _has_window(self, onset_s: float) -> bool:
        if self._begins_s is None or self._newest_s is None:
            return False
        if not self._begins_s + WINDOW_S <= onset_s <= self._newest_s:
            return False
        # the first hole that ends after the window begins
        ends_s = [end_s for _, end_s in self._holes_s]
        at = bisect_right(ends_s, onset_s - WINDOW_S)
        return at == len(ends_s) or self._holes_s[at][0] >= onset_s
