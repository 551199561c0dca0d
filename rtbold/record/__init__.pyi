from .events_log import EventLogState as EventLogState, LineLog as LineLog
from .events_read import (
    Loss as Loss,
    Tell as Tell,
    read_lines as read_lines,
    session_events as session_events,
)
from .folder import (
    CARD_NAME as CARD_NAME,
    EVENTS_NAME as EVENTS_NAME,
    NOTE_NAME as NOTE_NAME,
    PUBLISHED_NAME as PUBLISHED_NAME,
    SETTINGS_NAME as SETTINGS_NAME,
    SETTINGS_VERSION as SETTINGS_VERSION,
    SessionPaths as SessionPaths,
    open_session_folder as open_session_folder,
    saying_why_not as saying_why_not,
    session_parts as session_parts,
    xdf_parts as xdf_parts,
)
from .labrecorder import find_labrecorder as find_labrecorder
from .left_over import (
    LeftOver as LeftOver,
    end_left_over as end_left_over,
    find_left_over as find_left_over,
    wait_for_end as wait_for_end,
)
from .run import RecordingRun as RecordingRun
