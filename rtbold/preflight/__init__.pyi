from .checks import ChannelReport as ChannelReport, Finding as Finding
from .delay import (
    DelayEstimate as DelayEstimate,
    DelayRequest as DelayRequest,
    measure_delay as measure_delay,
)
from .examine import (
    PreflightSettings as PreflightSettings,
    examine_session as examine_session,
)
from .go_no_go import Figures as Figures
from .machine import (
    Check as Check,
    examine_machine as examine_machine,
    worst_state as worst_state,
)
from .rehearse import (
    Outcome as Outcome,
    Rehearsal as Rehearsal,
    RehearsalSettings as RehearsalSettings,
    Stage as Stage,
)
