"""The messages that leave rtbold. Pure; `encode` turns them into bytes.

One frozen struct per topic; its name on the wire is ``schema``, for example
``rtbold.pred.fb/1``. A publisher fills the body; the feed stamps the envelope
(``session``, ``seq``, ``t_lsl``, ``t_unix_ms``). Readers ignore keys they do not know,
so a field may be added within a version, which is a new minor one; a change of meaning
is a new version. A field that may be ``UNSET`` is left out while there is nothing to
say.
"""

import base64
import math
from collections.abc import Iterable
from typing import Literal, get_args

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from msgspec.structs import fields

from rtbold.config import KindName
from rtbold.messages import (
    ChannelState,
    Float32Array,
    FloatArray,
    ModelOrigin,
    Reason,
    Status,
)
from rtbold.protocol import Direction, Shown, Task

# Numbers as text should show them. Pure.

FLOAT32_MAX = float(np.finfo(np.float32).max)


def shortest(value: float | None) -> float | None:
    """Return the shortest double that round-trips float32; None if not finite.

    JSON then shows 0.42 and not 0.41999998688697815.
    """
    if value is None or not math.isfinite(value) or abs(value) > FLOAT32_MAX:
        return None
    return float(str(np.float32(value)))


def shortest_all(
    values: Float32Array | FloatArray | Iterable[float],
) -> tuple[float | None, ...]:
    """Return `shortest` of each value."""
    return tuple(shortest(float(value)) for value in values)


# Blocks inside the messages; the messages themselves follow.


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """A block inside a message."""


class WindowPart(_Part, frozen=True, kw_only=True):
    """The EEG that a prediction rests on: [t_start, t_end)."""

    t_start: float
    t_end: float
    clock: Literal["lsl"] = "lsl"


class NormPart(_Part, frozen=True, kw_only=True):
    """The baseline that ``z`` is relative to."""

    method: Literal["zscore", "percentile"] = "zscore"
    baseline: str
    n: int
    n_eff: float | None = None
    n_winsorised: int | UnsetType = UNSET  # outliers in it that were drawn in


class FeedbackPart(_Part, frozen=True, kw_only=True):
    """How this session makes feedback of a prediction."""

    smooth: Literal["none", "mean", "exponential"]
    smooth_n: int  # volumes of the mean
    smooth_s: float  # time constant of the exponential
    normalise: Literal["zscore", "percentile"]
    baseline: Literal["card", "block", "running"]
    memory_n: int  # volumes that a running baseline remembers
    skip_n: int  # first volumes of a block that enter no baseline
    winsorise_sd: float | None  # what lies further out is drawn in to it
    low: float | None  # what is shown as 0: z, or percent
    high: float | None  # what is shown as 1
    neutral: float  # what to show while there is no value
    shown_min: float  # bounds of what is shown
    shown_max: float
    max_step: float | None  # of what is shown, from one volume to the next
    reward: float | None  # threshold, at the start
    hysteresis: float  # below it a reward that is on goes off
    success_rate: float | None  # the threshold moves towards this share
    success_step: float  # by which it moves


class LatencyPart(_Part, frozen=True, kw_only=True):
    """Milliseconds per stage; null where a stage is not known or did not run."""

    upstream: float | None = None
    arrive: float | None = None  # needed sample's LSL time to its arrival at the inlet
    acquire: float | None = None  # the same LSL time to the pipeline; covers `arrive`
    prepare: float | None = None
    infer: float | None = None
    publish: float | None = None


class Ports(_Part, frozen=True, kw_only=True):
    """TCP ports of this session; null where a socket is not open."""

    feed: int
    control: int | None = None


class ChannelPart(_Part, frozen=True, kw_only=True):
    """The state of one channel of the model."""

    label: str
    state: ChannelState
    interpolated: bool = False


class RecordingPart(_Part, frozen=True, kw_only=True):
    """How the recording of a session is doing."""

    state: Literal["starting", "recording", "degraded", "failed", "stopped"]
    file: str  # name of the XDF, without its folder
    n_bytes: int  # so far, all parts
    t_begun: float | None  # null: it does not record yet


class TruthScore(_Part, frozen=True, kw_only=True):
    """R of prediction and measurement over the newest volumes; null: not enough."""

    r: float | None
    low: float | None  # 95 % interval
    high: float | None
    n_eff: float  # independent volumes (Bartlett)
    n: int  # volumes with both


class QuestionPart(_Part, frozen=True, kw_only=True):
    """One question to the participant; the control request ANSWER answers it."""

    name: str
    text: str
    kind: Literal["slider", "text"]
    low: str = ""  # words at the ends of a slider
    high: str = ""
    minimum: int = 0
    maximum: int = 100


SCHEMA_VERSION = 1
SCHEMA_MINOR = 1  # fields were added: 1.1 has `topic` in every message
Topic = Literal[
    "hello", "pred.roi", "pred.fb", "truth", "trigger", "eeg", "bands", "phase",
    "quality", "hb", "log", "bye",
]  # fmt: skip
Encoding = Literal["json", "msgpack"]
SessionState = Literal["starting", "waiting", "running", "paused", "stalled", "ended"]
StreamState = Literal["searching", "running", "stalled", "lost"]
LogLevel = Literal["info", "warning", "error"]
TriggerKind = Literal["volume", "dummy", "double", "late"]
TOPICS: tuple[Topic, ...] = get_args(Topic)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """The envelope of every message; the feed fills it in."""

    topic: Topic  # the first frame again, for readers that keep the body alone
    session: str = ""  # uuid4; a new one means a restart
    seq: int = 0  # +1 per topic and session
    t_lsl: float = 0.0  # the publisher's local_clock, seconds
    t_unix_ms: float = 0.0
    replayed: bool = False  # sent again for a late subscriber, times as they were


class _Prediction(Message, frozen=True, kw_only=True):
    volume_index: int | None
    trigger_locked: bool
    t_trigger: float | None
    window: WindowPart
    bold_time: float
    horizon_tr: int
    status: Status
    reasons: tuple[Reason, ...]
    model_origin: ModelOrigin
    unlikeness: float | None = None  # of the EEG to the calibration's; 1: the limit
    age_ms: float
    latency_ms: LatencyPart
    next_due_lsl: float | None


class PredRoi(_Prediction, frozen=True, kw_only=True, tag_field="schema",
              tag="rtbold.pred.roi/1"):  # fmt: skip
    """BOLD of every ROI for one volume, in the order of ``hello.rois``."""

    topic: Literal["pred.roi"] = "pred.roi"
    values: tuple[float | None, ...] | None  # (rois,), model units
    values_z: tuple[float | None, ...] | None  # (rois,), against the card's baseline
    low: tuple[float | None, ...] | None = None  # (rois,), 95 % interval, model units
    high: tuple[float | None, ...] | None = None
    low_80: tuple[float | None, ...] | None = None  # 80 % interval
    high_80: tuple[float | None, ...] | None = None
    roi_hash: str


class PredFb(_Prediction, frozen=True, kw_only=True, tag_field="schema",
             tag="rtbold.pred.fb/1"):  # fmt: skip
    """The one value that feedback is made of. Use it if status is ok or degraded."""

    topic: Literal["pred.fb"] = "pred.fb"
    target: str
    value: float | None  # model units
    z: float | None
    low: float | None = None  # 95 % interval, model units
    high: float | None = None
    low_80: float | None = None  # 80 % interval
    high_80: float | None = None
    norm: NormPart
    clipped: bool = False  # beyond the range: its end is shown
    percentile: float | UnsetType | None = UNSET  # of the baseline, 0 to 100
    outlier: bool | UnsetType = UNSET  # of the baseline; it was drawn in
    shown: float | UnsetType | None = UNSET  # 0 to 1, what to show; null: neutral
    limited: bool | UnsetType = UNSET  # bounds or the largest step changed `shown`
    reward: bool | UnsetType | None = UNSET  # null: nothing is rewarded here
    reward_threshold: float | UnsetType | None = UNSET  # of `shown`
    condition: str | UnsetType = UNSET  # opaque code of the protocol


class Hello(Message, frozen=True, kw_only=True, tag_field="schema",
            tag="rtbold.hello/1"):  # fmt: skip
    """What a subscriber must know once."""

    topic: Literal["hello"] = "hello"
    versions: dict[str, str]  # software -> version
    schemas: tuple[str, ...]
    subject: str | None
    model_name: str
    model_sha256: str
    model_origin: ModelOrigin
    engine: str = ""  # "openvino", "tensorrt", "torch"; empty where none runs
    precision: str = ""  # "f32", "tf32", "bf16", "f16", "int8"
    simulated_stream: bool
    rate_hz: float  # of the conditioned EEG
    channels: tuple[str, ...]
    reference: str
    window_s: float
    tr_s: float
    rois: tuple[str, ...]
    roi_hash: str
    atlas: str
    target: str
    norm: NormPart
    slice_reference: float | None
    horizon_tr: int
    upstream_delay_ms: float | None  # null: not known
    clock_uncertainty_ms: float | None = None  # for a stream on a foreign clock
    encoding: Encoding
    heartbeat_s: float
    ports: Ports
    feedback: FeedbackPart | UnsetType = UNSET  # left out: value and z, nothing else
    approval: str | UnsetType = UNSET  # id under which an unfit model is used


class Truth(Message, frozen=True, kw_only=True, tag_field="schema",
            tag="rtbold.truth/1"):  # fmt: skip
    """Measured BOLD of one volume; pair it by `volume_index`, never by arrival.

    R is of both series after the same causal low-pass. It is null below `enough_n_eff`
    independent volumes. The score with the zero-phase target comes after the run.
    """

    topic: Literal["truth"] = "truth"
    volume_index: int
    t_volume: float | None  # onset of the volume, LSL clock
    values: tuple[float | None, ...]  # in the order of `rois`, the scanner's unit
    rois: tuple[str, ...]  # those of the model that are measured, in its order
    filtered: tuple[float | None, ...] = ()  # causal low-pass of `values`
    predicted: tuple[float | None, ...] = ()  # for this volume, model units
    scores: tuple[TruthScore, ...] = ()  # in the order of `rois`
    target: str = ""  # what is fed back
    target_score: TruthScore | None = None  # null: the target is not measured
    lowpass_hz: float | None = None  # of `filtered` and of R
    enough_n_eff: float = 20.0


class Trigger(Message, frozen=True, kw_only=True, tag_field="schema",
              tag="rtbold.trigger/1"):  # fmt: skip
    """One volume trigger, as the schedule took it."""

    topic: Literal["trigger"] = "trigger"
    kind: TriggerKind
    volume_index: int | None
    t_trigger: float
    label: str


class Eeg(Message, frozen=True, kw_only=True, tag_field="schema",
          tag="rtbold.eeg/1"):  # fmt: skip
    """Conditioned EEG: float32, little endian, (channels, samples) row by row."""

    topic: Literal["eeg"] = "eeg"
    sample_index: int  # of the first sample, on the conditioned grid
    t_first: float
    rate_hz: float
    n_channels: int
    n_samples: int
    unit: Literal["uV"] = "uV"
    dtype: Literal["<f4"] = "<f4"
    data: str  # base64


class Bands(Message, frozen=True, kw_only=True, tag_field="schema",
            tag="rtbold.bands/1"):  # fmt: skip
    """Band power per channel over the last seconds."""

    topic: Literal["bands"] = "bands"
    t_start: float
    t_end: float
    bands: tuple[str, ...]
    edges_hz: tuple[tuple[float, float], ...]  # (bands, 2)
    power_uv2: tuple[tuple[float | None, ...], ...]  # (bands, channels)


class Phase(Message, frozen=True, kw_only=True, tag_field="schema",
            tag="rtbold.phase/1"):  # fmt: skip
    """Where the protocol is. Feedback may be shown while `run_type` is train.

    What follows `t_off_planned` is there where a protocol file is followed. In a block
    of a training that shows nothing, `run_type` is rest and `kind` is training.
    """

    topic: Literal["phase"] = "phase"
    run: int
    run_type: Literal["train", "transfer", "rest", "calib"]
    block: int  # 0: the run has no blocks
    name: str
    t_on: float
    t_off_planned: float | None
    protocol: str | UnsetType = UNSET  # name of the study
    kind: KindName | UnsetType = UNSET  # of the run
    attempt: int | UnsetType = UNSET  # at this run, from 1
    n_blocks: int | UnsetType = UNSET  # of the run
    task: Task | UnsetType = UNSET
    direction: Direction | UnsetType | None = UNSET
    feedback: Shown | UnsetType = UNSET  # what the block shows
    shows_from: int | UnsetType | None = UNSET  # first volume that may be shown now
    first_volume: int | UnsetType = UNSET  # of the block, in the run
    n_volumes: int | UnsetType = UNSET  # of the block
    condition: str | UnsetType | None = UNSET  # opaque
    instruction: str | UnsetType = UNSET  # for the participant
    questions: tuple[QuestionPart, ...] | UnsetType = UNSET  # to be asked now
    stopped: bool | UnsetType = UNSET  # the participant has asked to stop


class Quality(Message, frozen=True, kw_only=True, tag_field="schema",
              tag="rtbold.quality/1"):  # fmt: skip
    """The state of the stream and of each channel."""

    topic: Literal["quality"] = "quality"
    stream_state: StreamState
    stream_age_ms: float | None
    rate_hz_nominal: float | None
    rate_hz_effective: float | None
    channels: tuple[ChannelPart, ...]
    n_gaps: int = 0
    n_missing_samples: int = 0
    n_stamp_steps: int = 0
    n_triggers: int = 0
    n_triggers_missed: int = 0
    n_triggers_double: int = 0
    trigger_age_ms: float | None = None
    trigger_lag_ms: float | UnsetType = UNSET  # newest trigger: from its time to us
    n_triggers_implausible: int | UnsetType = UNSET  # ignored: their time cannot be
    n_overflow_samples: int | UnsetType = UNSET  # the session took none for too long
    other_sender: str | UnsetType = UNSET  # than at the start: of which stream, and how
    stream_lag_ms: float | UnsetType = UNSET  # smallest of the newest samples: from
    # their own time to their arrival
    stream_lag_usual_ms: float | UnsetType = UNSET  # the same in the stream's beginning
    lost_s: float | UnsetType = UNSET  # of EEG that never came, outages among it
    recording: RecordingPart | UnsetType | None = UNSET  # null: nothing is recorded


class Heartbeat(Message, frozen=True, kw_only=True, tag_field="schema",
                tag="rtbold.hb/1"):  # fmt: skip
    """Each 0.5 s from the thread that owns the socket."""

    topic: Literal["hb"] = "hb"
    state: SessionState
    last_pred_seq: int | None
    stream_age_ms: float | None
    queue: int
    n_dropped: int = 0  # of eeg, bands and log: nobody took them in time
    n_encode_errors: int | UnsetType = UNSET  # messages that could not be encoded
    n_refused: int | UnsetType = UNSET  # connections and commands: too many, too large


class Log(Message, frozen=True, kw_only=True, tag_field="schema",
          tag="rtbold.log/1"):  # fmt: skip
    """One line of the session's log."""

    topic: Literal["log"] = "log"
    level: LogLevel
    text: str


class Bye(Message, frozen=True, kw_only=True, tag_field="schema",
          tag="rtbold.bye/1"):  # fmt: skip
    """The last message of a session that ends in an orderly way."""

    topic: Literal["bye"] = "bye"
    reason: str = "end"


def topic_of(kind: type[Message]) -> Topic:
    """Return the topic of a type of message."""
    default: Topic = next(f for f in fields(kind) if f.name == "topic").default
    return default


MESSAGE_TYPES: dict[Topic, type[Message]] = {
    topic_of(kind): kind
    for kind in (
        Hello, PredRoi, PredFb, Truth, Trigger, Eeg, Bands, Phase, Quality, Heartbeat,
        Log, Bye,
    )
}  # fmt: skip


def schema_name(topic: Topic) -> str:
    """Return the value of ``schema`` for `topic`, for example rtbold.pred.fb/1."""
    return f"rtbold.{topic}/{SCHEMA_VERSION}"


# Messages to bytes and back. Pure.
#
# NaN and infinity never go out: they become null, in JSON and in msgpack alike.


def encode(message: Message, encoding: Encoding = "json") -> bytes:
    """Return the payload; msgpack carries exactly the keys and values of the JSON."""
    payload = msgspec.json.encode(message)  # writes NaN and infinity as null
    if encoding == "msgpack":
        return msgspec.msgpack.encode(msgspec.json.decode(payload))
    return payload


def decode(topic: str, payload: bytes, encoding: Encoding = "json") -> Message:
    """Return the message; unknown keys are ignored.

    Raises
    ------
    msgspec.ValidationError : another schema version, or a field of the wrong type.
    KeyError : no such topic.
    """
    kind = MESSAGE_TYPES[topic]  # type: ignore[index]
    if encoding == "msgpack":
        return msgspec.msgpack.decode(payload, type=kind)
    return msgspec.json.decode(payload, type=kind)


def pack_samples(data_uv: Float32Array) -> str:
    """Return (channels, samples) as the base64 text of `Eeg.data`."""
    return base64.b64encode(data_uv.astype("<f4").tobytes()).decode("ascii")


def unpack_samples(message: Eeg) -> Float32Array:
    """Return the samples of `message`, (channels, samples), microvolt."""
    flat = np.frombuffer(base64.b64decode(message.data), dtype=message.dtype)
    return flat.reshape(message.n_channels, message.n_samples).astype(np.float32)
