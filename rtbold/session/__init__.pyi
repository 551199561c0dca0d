from .discretion import Discretion as Discretion
from .open import (
    UNNAMED_SUBJECT as UNNAMED_SUBJECT,
    acquisition_settings as acquisition_settings,
    check_clocks as check_clocks,
    check_counted as check_counted,
    load_bundle as load_bundle,
    open_session as open_session,
    session_domain as session_domain,
    stream_pipeline_settings as stream_pipeline_settings,
)
from .replay import (
    recorded_engine as recorded_engine,
    recorded_session as recorded_session,
    replay_events as replay_events,
)
from .session import Session as Session, SessionSummary as SessionSummary
