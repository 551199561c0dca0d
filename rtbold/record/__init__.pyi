from .events_read import read_lines as read_lines, session_events as session_events
from .folder import (
    EVENTS_NAME as EVENTS_NAME,
    SETTINGS_NAME as SETTINGS_NAME,
    SETTINGS_VERSION as SETTINGS_VERSION,
    SessionPaths as SessionPaths,
    open_session_folder as open_session_folder,
    xdf_parts as xdf_parts,
)
from .labrecorder import (
    end_left_over as end_left_over,
    find_labrecorder as find_labrecorder,
)
from .recorder import NOTE_NAME as NOTE_NAME
from .run import RecordingRun as RecordingRun
