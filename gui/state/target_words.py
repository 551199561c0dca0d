"""What the target panel says: the value, its interval, and which BOLD it is. Pure."""

from dataclasses import dataclass
from typing import Final, Literal

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.received_kinds import FeedbackValue
from rtbold.gui.state.roi_traces import signed
from rtbold.gui.state.shown import ShownValue

NEUTRAL_WORDS: Final = "apps show their neutral screen"
NOTHING: Final = "\u2014"  # a dash that is wide enough to be seen


@dataclass(frozen=True, slots=True)
class TargetWords:
    """The lines of the panel."""

    kind: Literal["value", "hold", "neutral"] = "neutral"
    name: str = "target"
    mark: str = ""  # HELD, or why there is a dash
    value: str = NOTHING
    z: str = ""
    interval: str = ""
    volume: str = ""

    @property
    def spoken(self) -> str:
        """All of it in one line, for screen readers."""
        z = f"z {self.z}" if self.z else ""
        parts = (self.name, self.mark, self.value, z, self.interval, self.volume)
        return ", ".join(part for part in parts if part)


def target_words(state: DashboardState, now_s: float) -> TargetWords:
    """Return what to show at `now_s`."""
    shown, fb = state.shown(now_s), state.fb
    name = fb.target if fb else state.hello.target if state.hello else "target"
    if shown.kind == "neutral":
        return TargetWords(
            name=name,
            mark="nothing may be shown",
            volume=NEUTRAL_WORDS,
        )
    mark = "HELD: the last value" if shown.kind == "hold" else ""
    if shown.kind == "value" and fb is not None and fb.clipped:
        mark = "clipped to its range"
    return TargetWords(
        shown.kind,
        name,
        mark,
        signed(shown.value),
        signed(shown.z),
        interval_words(shown),
        volume_words(state, fb) if fb is not None and shown.kind == "value" else "",
    )


def interval_words(shown: ShownValue) -> str:
    """Return where the measured BOLD is expected, in words."""
    found = []
    for share, low, high in (
        ("80 %", shown.low_80, shown.high_80),
        ("95 %", shown.low, shown.high),
    ):
        if low is not None and high is not None:
            found.append(f"{share}: {signed(low)} to {signed(high)}")
    return "   ".join(found) or "no interval: the model's card has none, or not now"


def volume_words(state: DashboardState, fb: FeedbackValue) -> str:
    """Return which volume's BOLD the value is."""
    if fb.volume_index is None:
        return "of no volume"
    free = "" if fb.trigger_locked else " (timed without a trigger)"
    if fb.horizon_tr == 0:
        return f"BOLD of volume {fb.volume_index}, from the EEG before it{free}"
    ahead_s = fb.horizon_tr * state.tr_s
    volume = fb.volume_index + fb.horizon_tr
    return (
        f"BOLD of volume {volume}, {ahead_s:.1f} s from volume {fb.volume_index}{free}"
    )
