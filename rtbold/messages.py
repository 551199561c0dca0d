"""The vocabulary of the loop: what flows between its parts, on one screen.

Events go into ``Pipeline.push``; predictions come out. Arrays are (channels, samples)
everywhere. ``t_lsl_s`` is the stamp as the stream gave it (raw, uncorrected); times
named ``t_*_s`` on ticks, windows and predictions are on this machine's LSL clock.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]

WINDOW_S = 16.0
MODEL_RATE_HZ = 200.0
WINDOW_SAMPLES = 3200
TR_TOLERANCE = 0.01  # of the TR, by which a measured one may differ from it

Status = Literal["ok", "degraded", "invalid", "warmup", "paused"]
Reason = Literal[
    "warmup", "gap", "bridged", "no_data", "stream_changed", "stamp_step", "lag",
    "rate", "channel_missing", "channel_flat", "channel_railed", "line_noise",
    "amplitude", "nonfinite", "interpolated", "late", "triggers_lost", "tr_changed",
    "waiting_for_scanner", "short_baseline", "unvalidated", "simulated_model",
    "unlike_calibration", "muscle", "domain_shift", "upstream_delay_unknown",
    "operator_pause",
]  # fmt: skip
# What a reason does beside its status; a reason that is in neither table does nothing.
INFORMING: Final[frozenset[Reason]] = frozenset({"upstream_delay_unknown"})  # no worse
VOIDS_INTERVALS: Final[frozenset[Reason]] = frozenset(  # EEG not as at calibration
    {"unlike_calibration", "domain_shift", "stream_changed"}
)
ChannelState = Literal[
    "good", "missing", "flat", "railed", "line_noise", "amplitude", "nonfinite"
]
ChannelKind = Literal["eeg", "ecg", "eog", "emg", "cwl", "motion", "trigger", "misc"]
ModelOrigin = Literal["subject", "group", "published", "simulated"]


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of a stream, as its description declares it."""

    label: str
    unit: str = ""  # as written in the description, "" if it says nothing
    kind: ChannelKind = "eeg"


@dataclass(frozen=True, slots=True)
class StreamDescription:
    """What an LSL stream (or a file) says about itself."""

    name: str
    type: str
    rate_hz: float  # nominal
    channels: tuple[Channel, ...]
    reference: str | None = None  # electrode name, "average", or None: not said
    host: str = ""
    source_id: str = ""
    uid: str = ""
    simulated: bool = False
    foreign_clock: bool = False  # stamps are not on LSL's clock (Unix epoch)
    cleaning: str = ""  # online:NAME, offline:NAME, none; empty: not said


@dataclass(frozen=True, slots=True, eq=False)
class EegChunk:
    """Samples as they arrived; `index` counts source samples since the start."""

    data_uv: Float32Array  # (channels, samples), microvolt, all channels of the stream
    t_lsl_s: FloatArray  # (samples,), raw stamps of the stream
    t_arrived_s: float  # this machine's LSL clock when the chunk was pulled
    index: int  # of the first sample


@dataclass(frozen=True, slots=True)
class Marker:
    """One marker; a volume trigger if its label is the session's trigger label."""

    label: str
    t_lsl_s: float  # raw stamp of the marker stream
    t_arrived_s: float
    source: Literal["channel", "stream"] = "stream"


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Add `offset_s` to raw stamps to get this machine's LSL clock."""

    offset_s: float
    t_lsl_s: float  # when it was measured, this machine's LSL clock
    stream: Literal["eeg", "marker"] = "eeg"


@dataclass(frozen=True, slots=True)
class Discontinuity:
    """The inlet lost its stream, or found it again; `n_missing` if it is known."""

    kind: Literal["lost", "resumed", "overflow"]
    n_missing: int = 0


@dataclass(frozen=True, slots=True)
class StreamChanged:
    """The stream's description, at the start and after each re-resolve."""

    description: StreamDescription


@dataclass(frozen=True, slots=True)
class SenderChanged:
    """A stream comes from another sender than at the start, or again from that one."""

    stream: Literal["eeg", "marker"]
    is_other: bool


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Time went by; made by the edge every 50 ms, data or no data."""

    now_lsl_s: float


@dataclass(frozen=True, slots=True)
class OperatorCommand:
    """A request of the operator or the participant that is kept with the events.

    The pipeline acts on a pause and its end, a protocol on what is said last.
    """

    op: Literal[
        "pause", "resume", "mark", "note", "participant_stop", "adverse_event", "answer"
    ]
    text: str = ""


@dataclass(frozen=True, slots=True)
class MeasuredVolume:
    """Measured BOLD of one volume, as its source gave it; no prediction needs it."""

    volume_index: int  # the source's own count
    rois: tuple[str, ...]
    values: tuple[float | None, ...]  # (rois,), the scanner's unit; None: not measured
    t_arrived_s: float
    t_volume_s: float | None = None  # its onset, this machine's LSL clock, if told
    two_senders: bool = False  # by now another one than the first has been read


Event = (
    EegChunk
    | Marker
    | ClockOffset
    | Discontinuity
    | StreamChanged
    | SenderChanged
    | TimePassed
    | OperatorCommand
    | MeasuredVolume
)


@dataclass(frozen=True, slots=True)
class Tick:
    """One volume that a prediction is due for."""

    volume_index: int | None  # from 0 after dummies; None before the first trigger
    t_trigger_s: float  # onset of the volume, this machine's LSL clock
    trigger_locked: bool  # False: free-run, flywheel, or no scanner yet
    paused: tuple[Reason, ...] = ()  # why nothing may be predicted


@dataclass(frozen=True, slots=True, eq=False)
class BoldPrediction:
    """The answer to one tick. `values` is None unless status is ok or degraded."""

    tick: Tick
    t_start_s: float
    t_end_s: float
    bold_time_s: float
    status: Status
    reasons: tuple[Reason, ...]
    values: Float32Array | None  # (rois,), model units
    next_due_s: float | None
    source_first: int | None = None  # source samples whose time is in the window
    source_end: int | None = None
    t_needed_s: float | None = None  # corrected time of the last source sample needed
    t_needed_arrived_s: float | None = None  # when its chunk arrived
    unlikeness: float | None = None  # to the calibration EEG; 1: the card's limit
    tension: float | None = None  # of muscles above the calibration's; 1: the limit
    long_tense: bool = False  # most of the last minute was beyond the limit
    infer_ms: float | None = None  # filled in outside the pipeline, by the session

    @property
    def usable(self) -> bool:
        """Whether `values` may be used at all."""
        return self.status in ("ok", "degraded")


# Precedence (docs/reference/contracts.md): paused > warmup > invalid > degraded > ok.
STATUS_RANK: dict[Status, int] = {
    "ok": 0, "degraded": 1, "invalid": 2, "warmup": 3, "paused": 4,
}  # fmt: skip


def worst(*statuses: Status) -> Status:
    """Return the status that wins by precedence; ``ok`` for none."""
    return max(statuses, key=STATUS_RANK.__getitem__, default="ok")


CheckState = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a machine, of a session before it starts, or of a rehearsed one."""

    name: str
    state: CheckState
    found: str
    advice: str = ""  # what to do; empty: nothing, or `found` says it
    must: bool = False  # while this fails, a session does not start or means nothing
    override: str = ""  # the option with which it starts all the same; empty: none

    @property
    def blocks(self) -> bool:
        """Whether nothing starts before this is mended or overridden."""
        return self.must and self.state == "fail"
