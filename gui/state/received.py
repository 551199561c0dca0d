"""From a message of the feed to what the dashboard works with. Pure.

The structs are the wire's own; only what is drawn from arrays has a kind of its own.
What cannot be read becomes None: a faulty publisher must not end a dashboard.

Times named ``t_*`` are the publisher's LSL clock; ``t_received_s`` and ``now_s`` are
this machine's monotonic clock.
"""

import base64
import functools
import math
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import UnionType
from typing import Any, Final, Literal, get_args, get_origin

import msgspec
import numpy as np

from rtbold.client import Message
from rtbold.messages import Float32Array, FloatArray, Status
from rtbold.publish import (
    Bands,
    Bye,
    Eeg,
    Heartbeat,
    Hello,
    Log,
    LogLevel,
    Phase,
    PredFb,
    PredRoi,
    Quality,
    Topic,
    Trigger,
    Truth,
)

MOST_CHANNELS: Final = 1024  # a body that says more is a fault, not a cap
MOST_VALUES: Final = 100_000  # in a row; more is a fault
LARGEST_COUNT: Final = 2**53  # as JSON itself can be trusted with
UNKNOWN_S: Final = float("inf")
_USABLE: Final = ("ok", "degraded")


class FeedbackValue(PredFb, frozen=True, kw_only=True):
    """The one value that feedback is made of, and when it came."""

    t_received_s: float = 0.0

    @property
    def usable(self) -> bool:
        """Whether an app may show the value."""
        return self.status in _USABLE and self.value is not None


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
    Hello | PredRoi | FeedbackValue | Truth | EegBlock | BandPowers | Quality
    | Trigger | Heartbeat | Log | Phase | Bye | Link
)  # fmt: skip


def floats(values: Iterable[float | None]) -> FloatArray:
    """Return the numbers of a row of the wire, nan for null."""
    return np.array(list(values), dtype=np.float64)


def parse(message: Message) -> Received | None:
    """Return what `message` says; None if it cannot be read or is of no known topic."""
    found = _KINDS.get(message.topic)
    if found is None:
        return None
    kind, finish = found
    try:
        told = msgspec.convert(message.body, _open(kind))
        _check_numbers(told)
        # as the wire's own kind again: what made it open is of no interest any more
        return finish(kind(**msgspec.structs.asdict(told)), message.t_received_s)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
        return None


# The words that a newer publisher may add to pass as text; these lists are closed.
_CLOSED: Final = (get_args(Status), get_args(LogLevel), ("<f4",))


@functools.cache
def _open(kind: Any) -> Any:  # noqa: ANN401  # a type, or what stands for one
    """Return `kind` with a string for each word of a list that may grow."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return kind if parts in _CLOSED else str
    if isinstance(kind, UnionType):
        return functools.reduce(operator.or_, map(_open, parts))
    if origin is tuple:
        return tuple[tuple(map(_open, parts))]  # type: ignore[misc]
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return kind
    # only what is new is given, so that defaults stay
    changed: list[Any] = []
    for field in msgspec.structs.fields(kind):
        if (opened := _open(field.type)) != field.type:
            default = () if field.required else (field.default,)
            changed.append((field.name, opened, *default))
    return msgspec.defstruct(
        kind.__name__, changed, bases=(kind,), frozen=True, kw_only=True
    )


def _check_numbers(told: object) -> None:
    """Refuse a number that is none, and a row or a count that is too large."""
    match told:
        case float() if not math.isfinite(told):
            raise ValueError(f"{told!r} is no finite number")
        case int() if abs(told) > LARGEST_COUNT:
            raise ValueError(f"{told} is no number of anything that is counted")
        case tuple() if len(told) > MOST_VALUES:
            raise ValueError(f"{len(told)} values, expected {MOST_VALUES} at most")
        case tuple():
            for part in told:
                _check_numbers(part)
        case msgspec.Struct():
            _check_numbers(msgspec.structs.astuple(told))


def _check_rows(n: int, *rows: tuple[object, ...] | None, empty: bool = False) -> None:
    """Refuse rows that have not `n` parts; where `empty`, none at all pass too."""
    for part in rows:
        if part is not None and len(part) != n and not (empty and not part):
            raise ValueError(f"{len(part)} numbers, expected {n}")


def _as_it_is(told: Any, t_received_s: float) -> Any:  # noqa: ANN401  # any struct
    return told


def _hello(told: Hello, t_received_s: float) -> Hello:
    if told.tr_s <= 0:
        raise ValueError(f"tr_s is {told.tr_s}, expected seconds above 0")
    return told


def _prediction(told: PredRoi, t_received_s: float) -> PredRoi:
    if told.status not in _USABLE:
        told = msgspec.structs.replace(told, values=None)
    if told.values is not None:
        rows = (told.values_z, told.low, told.high, told.low_80, told.high_80)
        _check_rows(len(told.values), *rows)
    return told


def _feedback(told: FeedbackValue, t_received_s: float) -> FeedbackValue:
    usable = told.status in _USABLE
    return msgspec.structs.replace(
        told,
        value=told.value if usable else None,
        z=told.z if usable else None,
        t_received_s=t_received_s,
    )


def _truth(told: Truth, t_received_s: float) -> Truth:
    rows = (told.values, told.filtered, told.predicted)
    _check_rows(len(told.rois), *rows, empty=True)
    return told


def _eeg(told: Eeg, t_received_s: float) -> EegBlock:
    n_channels, rate_hz = told.n_channels, told.rate_hz
    if not 0 < n_channels <= MOST_CHANNELS or rate_hz <= 0:
        raise ValueError(f"{n_channels} channels at {rate_hz} Hz")
    flat = np.frombuffer(base64.b64decode(told.data, validate=True), dtype="<f4")
    return EegBlock(
        sample_index=told.sample_index,
        t_first=told.t_first,
        rate_hz=rate_hz,
        data_uv=flat.reshape(n_channels, told.n_samples).astype(np.float32),
    )


def _bands(told: Bands, t_received_s: float) -> BandPowers:
    rows = [floats(part) for part in told.power_uv2]
    if not len(rows) == len(told.bands) == len(told.edges_hz):
        raise ValueError(f"{len(rows)} rows for {len(told.bands)} bands")
    return BandPowers(
        t_end=told.t_end,
        bands=told.bands,
        edges_hz=told.edges_hz,
        power_uv2=np.stack(rows) if rows else np.empty((0, 0)),
    )


_KINDS: Final[dict[Topic | str, tuple[Any, Callable[[Any, float], Received]]]] = {
    "hello": (Hello, _hello),
    "pred.roi": (PredRoi, _prediction),
    "pred.fb": (FeedbackValue, _feedback),
    "truth": (Truth, _truth),
    "trigger": (Trigger, _as_it_is),
    "eeg": (Eeg, _eeg),
    "bands": (Bands, _bands),
    "phase": (Phase, _as_it_is),
    "quality": (Quality, _as_it_is),
    "hb": (Heartbeat, _as_it_is),
    "log": (Log, _as_it_is),
    "bye": (Bye, _as_it_is),
}
