from .blinded import prepare_blinding as prepare_blinding
from .discretion import Discretion as Discretion
from .export import (
    Exported as Exported,
    ExportOptions as ExportOptions,
    export_session as export_session,
)
from .machine import raised_priority as raised_priority
from .open import (
    acquisition_settings as acquisition_settings,
    carried_baseline as carried_baseline,
    check_clocks as check_clocks,
    check_counted as check_counted,
    feedback_chain as feedback_chain,
    load_bundle as load_bundle,
    open_session as open_session,
    recorded_subject as recorded_subject,
    session_domain as session_domain,
    stream_pipeline_settings as stream_pipeline_settings,
    withheld_text as withheld_text,
)
from .protocol import check_fits as check_fits, choose_run as choose_run
from .provenance import KeptFacts as KeptFacts, kept_facts as kept_facts
from .published import read_log as read_log
from .recorded import (
    RecordedSettings as RecordedSettings,
    machine_difference as machine_difference,
    read_settings as read_settings,
    recorded_bundle as recorded_bundle,
    session_folder as session_folder,
)
from .replay import (
    check_open as check_open,
    recorded_engine as recorded_engine,
    recorded_session as recorded_session,
    replay_events as replay_events,
)
from .session import Session as Session, SessionSummary as SessionSummary
from .verify import (
    Difference as Difference,
    Kind as Kind,
    Verification as Verification,
    verify_session as verify_session,
)
