from .checks import worst_state as worst_state
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
from .machine import examine_machine as examine_machine
from .rehearse import (
    Rehearsal as Rehearsal,
    RehearsalResult as RehearsalResult,
    RehearsalSettings as RehearsalSettings,
    Stage as Stage,
)
from .stream_checks import ChannelReport as ChannelReport
