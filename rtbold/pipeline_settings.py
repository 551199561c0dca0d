"""How one session turns events into predictions, and what it counts meanwhile."""

from dataclasses import dataclass, field

from rtbold.messages import Reason
from rtbold.predict.likeness import LikenessSettings
from rtbold.predict.status import QualitySettings
from rtbold.window.schedule import ScheduleSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeSettings:
    """What may be done to make a stream fit."""

    interpolate_missing: bool = False
    upstream_delay_s: float = 0.0  # of the cleaning software
    bridge_max_s: float = 0.1
    bridge_max_share: float = 0.02  # of a window


@dataclass(slots=True)
class IntakeCounters:
    """What went wrong so far; published as `quality`."""

    n_gaps: int = 0
    n_bridged: int = 0
    n_missing: int = 0
    n_stamp_steps: int = 0
    n_segments: int = 0  # times that the filters started


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSettings:
    """How one session turns events into predictions."""

    schedule: ScheduleSettings
    intake: IntakeSettings = field(default_factory=IntakeSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)
    likeness: LikenessSettings = field(default_factory=LikenessSettings)
    standing: tuple[Reason, ...] = ()  # reasons that hold for the whole session
    patience_s: float = 1.0  # for samples after they are due; then the answer is null
