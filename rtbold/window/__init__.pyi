from .intake import (
    Intake as Intake,
    IntakeCounters as IntakeCounters,
    IntakeSettings as IntakeSettings,
)
from .schedule import (
    JITTER_S as JITTER_S,
    Schedule as Schedule,
    ScheduleSettings as ScheduleSettings,
    TriggerNote as TriggerNote,
    trigger_kind as trigger_kind,
)
from .segment import SpanFacts as SpanFacts, WindowSpan as WindowSpan
