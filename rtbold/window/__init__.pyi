from .schedule import (
    Schedule as Schedule,
    ScheduleSettings as ScheduleSettings,
    TriggerNote as TriggerNote,
    trigger_kind as trigger_kind,
)
from .triggers import JITTER_S as JITTER_S
from .window import (
    RING_SAMPLES as RING_SAMPLES,
    CutWindow as CutWindow,
    Window as Window,
)
