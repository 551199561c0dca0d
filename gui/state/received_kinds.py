"""What the dashboard receives, one frozen dataclass per topic of the feed.

Times named ``t_*`` are the publisher's LSL clock; ``t_received_s`` and ``now_s`` are
this machine's monotonic clock. Arrays have nan where the wire has null.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rtbold.messages import Status

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]

LogLevel = Literal["info", "warning", "error"]
LATENCY_STAGES = ("upstream", "arrive", "acquire", "prepare", "infer", "publish")
UNKNOWN_S = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What a session says of itself once."""

    session: str
    t_lsl: float
    subject: str | None
    model_name: str
    model_origin: str
    engine: str
    precision: str
    simulated: bool  # the EEG stream is
    rate_hz: float  # of the conditioned EEG
    channels: tuple[str, ...]
    tr_s: float
    rois: tuple[str, ...]
    roi_hash: str
    target: str
    horizon_tr: int
    slice_reference: float | None
    upstream_delay_ms: float | None  # None: not known
    atlas: str
    feed_port: int
    control_port: int | None
    reference: str = ""
    window_s: float = 16.0
    clock_uncertainty_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """BOLD of every ROI for one volume; arrays are None where there are no values."""

    t_lsl: float
    volume_index: int | None
    t_trigger: float | None
    trigger_locked: bool
    t_end: float  # of the EEG window
    bold_time: float
    status: Status
    reasons: tuple[str, ...]
    values: FloatArray | None  # (rois,), model units
    values_z: FloatArray | None  # (rois,)
    low: FloatArray | None  # (rois,), 95 %
    high: FloatArray | None
    low_80: FloatArray | None
    high_80: FloatArray | None
    unlikeness: float | None  # 1: the limit
    age_ms: float
    latency_ms: dict[str, float | None]
    next_due_lsl: float | None
    t_received_s: float
    seq: int = 0
    horizon_tr: int = 0
    roi_hash: str = ""
    replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackValue:
    """The one value that feedback is made of."""

    t_lsl: float
    volume_index: int | None
    t_trigger: float | None
    status: Status
    reasons: tuple[str, ...]
    target: str
    value: float | None  # model units
    z: float | None
    low: float | None  # 95 %
    high: float | None
    low_80: float | None
    high_80: float | None
    clipped: bool
    model_origin: str
    age_ms: float
    latency_ms: dict[str, float | None]
    next_due_lsl: float | None
    t_received_s: float
    seq: int
    t_end: float = 0.0
    trigger_locked: bool = True
    unlikeness: float | None = None
    horizon_tr: int = 0
    replayed: bool = False
    t_unix_ms: float = 0.0  # the publisher's wall clock

    @property
    def usable(self) -> bool:
        """Whether an app may show the value."""
        return self.status in ("ok", "degraded") and self.value is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """R of prediction and measurement so far; r is None if there is not enough."""

    r: float | None
    low: float | None  # 95 %
    high: float | None
    n: int  # volumes with both
    n_eff: float  # independent volumes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """Measured BOLD of one volume."""

    volume_index: int
    rois: tuple[str, ...]  # those that are measured
    values: FloatArray  # (rois,), the scanner's unit
    filtered: FloatArray  # (rois,), or (0,) where none was sent
    predicted: FloatArray  # (rois,), or (0,)
    scores: tuple[Score, ...]  # (rois,), or empty
    target: str
    target_score: Score | None
    enough_n_eff: float
    t_volume: float | None = None
    lowpass_hz: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EegBlock:
    """A few samples of conditioned EEG."""

    sample_index: int  # of the first one, on the conditioned grid
    t_first: float
    rate_hz: float
    data_uv: Float32Array  # (channels, samples)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BandPowers:
    """Band power of each channel over the last seconds."""

    t_end: float
    bands: tuple[str, ...]
    edges_hz: tuple[tuple[float, float], ...]
    power_uv2: FloatArray  # (bands, channels)


@dataclass(frozen=True, slots=True)
class ChannelQuality:
    """The state of one channel of the model."""

    label: str
    state: str
    interpolated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """The state of stream, channels and triggers."""

    stream_state: str
    stream_age_ms: float | None
    rate_hz_nominal: float | None
    rate_hz_effective: float | None
    channels: tuple[ChannelQuality, ...]
    n_gaps: int
    n_missing_samples: int
    n_stamp_steps: int
    n_triggers: int
    n_triggers_missed: int
    n_triggers_double: int
    trigger_age_ms: float | None
    trigger_lag_ms: float | None  # of the newest trigger, from its time to the session
    n_triggers_implausible: int
    n_overflow_samples: int  # the session took none for too long


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerSeen:
    """One volume trigger as the schedule took it."""

    kind: str  # volume, dummy, double, late
    volume_index: int | None
    t_trigger: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """One heartbeat."""

    t_lsl: float
    state: str
    last_pred_seq: int | None
    stream_age_ms: float | None
    queue: int
    n_dropped: int
    n_encode_errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of the session's log."""

    t_unix_ms: float
    level: LogLevel
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Where the protocol is."""

    run: int
    run_type: str
    block: int
    name: str
    t_on: float
    t_off_planned: float | None


@dataclass(frozen=True, slots=True)
class Bye:
    """The session ended in an orderly way."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """How the connection is; made by the link itself ten times a second.

    Parameters
    ----------
    t_s : when this was found out, this machine's monotonic clock.
    heard : anything at all has come.
    alive : a heartbeat of at most 2 s ago, and no ``bye``.
    silent_s : since the last heartbeat, by its stamp; infinite before the first.
    stalled : heartbeats, but no prediction for 1.5 TR.
    foreign_schema : of a feed of another version, if one speaks now.
    n_bad : messages that could not be read.
    n_gaps : messages that were lost on the way.
    offset_s : add it to ``t_lsl`` to get this machine's clock; infinite: not known.
    error : why there is no connection at all, in words.
    n_dropped : messages that the dashboard itself was too slow to take.
    """

    t_s: float
    heard: bool = False
    alive: bool = False
    silent_s: float = UNKNOWN_S
    stalled: bool = False
    foreign_schema: str | None = None
    n_bad: int = 0
    n_gaps: int = 0
    offset_s: float = UNKNOWN_S
    session: str | None = None
    error: str = ""
    n_dropped: int = 0


Received = (
    Hello | Prediction | FeedbackValue | Truth | EegBlock | BandPowers | Quality
    | TriggerSeen | Beat | LogLine | Phase | Bye | Link
)  # fmt: skip
