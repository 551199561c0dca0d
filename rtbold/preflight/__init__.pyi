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
from .qt_platform import (
    NO_DISPLAY as NO_DISPLAY,
    WAY_OUT as WAY_OUT,
    Answer as Answer,
    has_display as has_display,
    how_to_get as how_to_get,
    installed as installed,
    missing_libraries as missing_libraries,
    named_in as named_in,
    probe as probe,
    unseen as unseen,
)
from .rehearse import (
    Rehearsal as Rehearsal,
    RehearsalResult as RehearsalResult,
    RehearsalSettings as RehearsalSettings,
    Stage as Stage,
)
from .stream_checks import ChannelReport as ChannelReport
