from .lines import LineCheck as LineCheck, LineSettings as LineSettings
from .muscle import (
    MuscleMonitor as MuscleMonitor,
    MuscleSettings as MuscleSettings,
    muscle_channels as muscle_channels,
    muscle_power as muscle_power,
    tension_of as tension_of,
)
from .ood import Comparison as Comparison, ood_score as ood_score
from .pipeline import (
    Model as Model,
    Pipeline as Pipeline,
    PipelineSettings as PipelineSettings,
    stream_settings as stream_settings,
)
from .status import (
    LaterFact as LaterFact,
    QualitySettings as QualitySettings,
    StatusReasons as StatusReasons,
    checked_status as checked_status,
    marked_late as marked_late,
    with_facts as with_facts,
)
