from .schedule import (
    JITTER_S as JITTER_S,
    Schedule as Schedule,
    ScheduleSettings as ScheduleSettings,
    TriggerNote as TriggerNote,
    trigger_kind as trigger_kind,
)
from .window import CutWindow as CutWindow, Window as Window
