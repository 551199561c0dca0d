"""What was counted and measured of a rehearsed session."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFigures:
    """What a recording holds, read again after the session."""

    path: str
    problem: str = ""  # why it cannot be read; empty: it can
    n_parts: int = 1
    n_samples: int = 0  # of the EEG; each proven to be what the session saw
    n_markers: int = 0
    n_bytes: int = 0  # of all files of the session
    free_bytes: int = 0  # on that disk


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was counted and measured of a rehearsed session."""

    asked_s: float
    tr_s: float
    locked: bool  # to volume triggers; False: a free run
    ran_s: float = 0.0  # from the first state of the loop to the last message
    returncode: int | None = None  # of the session; None: it did not end
    said: str = ""  # its last words
    interrupted: bool = False
    n_triggers: int = 0
    trigger_every_s: float | None = None  # median
    n_triggers_missed: int = 0
    n_triggers_double: int = 0
    since_trigger_s: float = 0.0  # from the last trigger to the end
    n_gaps: int = 0  # of the EEG stream
    n_missing_samples: int = 0
    stream_lost: bool = False  # it stalled, or was not there, for a while
    rate_hz: float | None = None  # effective, at the end
    n_answers: int = 0
    n_volumes: int = 0
    n_volumes_missed: int = 0
    n_volumes_double: int = 0
    n_late: int = 0
    n_after_usable: int = 0  # answers since the first usable one, itself too
    n_usable: int = 0
    by_status: Mapping[str, int] = field(default_factory=dict)
    by_reason: Mapping[str, int] = field(default_factory=dict)
    n_measured: int | None = None  # volumes of measured BOLD; None: not asked for
    n_sequence_gaps: int = 0
    longest_silence_s: float = 0.0  # between two heartbeats
    control_ms: float | None = None  # from a request to its answer; None: not asked
    control_problem: str = ""  # why there was no answer of this session
    age_p50_ms: float | None = None  # from the window's end to publication
    age_p99_ms: float | None = None
    age_max_ms: float | None = None
    infer_p99_ms: float | None = None
    feed_p99_ms: float | None = None  # from publication to the subscriber
    memory_begin_mb: float | None = None  # of the session's processes
    memory_end_mb: float | None = None
    recording: RecordingFigures | None = None  # None: nothing was recorded
