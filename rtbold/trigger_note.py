"""How the schedule took a trigger: what the feed says of it."""

from dataclasses import dataclass
from typing import Literal

from rtbold.messages import Tick
from rtbold.triggertrain import ScheduleCounts

TriggerKind = Literal["volume", "dummy", "double", "late"]


@dataclass(frozen=True, slots=True)
class TriggerNote:
    """How the schedule took the newest trigger."""

    kind: TriggerKind
    volume_index: int | None
    t_local_s: float


def trigger_kind(
    before: ScheduleCounts, after: ScheduleCounts, ticks: list[Tick]
) -> TriggerKind:
    """Return what a trigger turned out to be, from what it changed."""
    if after.n_double > before.n_double:
        return "double"
    if after.n_dummies > before.n_dummies:
        return "dummy"
    return "volume" if ticks else "late"
