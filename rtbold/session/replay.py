"""A recording through the pipeline of the live session, as fast as it goes.

A session that ``rtbold run --record`` wrote comes back to the last bit, by its event
log. A recording made by others has no arrivals and no clock: time follows its data.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from rtbold.answers import Model
from rtbold.bundle.store import Bundle
from rtbold.engine.protocol import EngineUsed
from rtbold.errors import AmbiguousStream, DataFileError
from rtbold.files.recording import RecordedMarker, Recording
from rtbold.messages import (
    TR_TOLERANCE,
    BoldPrediction,
    EegChunk,
    Event,
    Marker,
    StreamChanged,
    StreamDescription,
    TimePassed,
)
from rtbold.pipeline_settings import PipelineSettings
from rtbold.predict.pipeline import Pipeline
from rtbold.record.events_read import session_events
from rtbold.record.folder import EVENTS_NAME, SETTINGS_NAME, SETTINGS_VERSION

CHUNK_S = 0.05


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """What ``rtbold run --record`` left, ready to be replayed."""

    events: Iterator[Event]
    settings: PipelineSettings
    model_sha256: str


class _Settings(msgspec.Struct, frozen=True):
    """The part of ``settings.json`` that a replay needs."""

    pipeline: PipelineSettings
    model_sha256: str
    engine: EngineUsed | None = None  # sessions of early versions did not keep it


class _Version(msgspec.Struct, frozen=True):
    """What a layout of ``settings.json`` that is not known yet still says."""

    version: int = SETTINGS_VERSION  # before it was written, the layout was the same


def recorded_session(path: Path) -> RecordedSession | None:
    """Return the session that `path` (an XDF) belongs to; None for a foreign file.

    Raises
    ------
    DataFileError : the log or the settings beside it cannot be read.
    """
    events = session_events(path) if path.suffix.lower() == ".xdf" else None
    if events is None:
        return None
    found = _settings_beside(path)
    return RecordedSession(events, found.pipeline, found.model_sha256)


def recorded_engine(path: Path) -> EngineUsed | None:
    """Return what the session of this XDF ran on; None for a foreign file.

    Raises
    ------
    DataFileError : the settings beside the session's event log cannot be read.
    """
    log = path.with_name(EVENTS_NAME)
    if path.suffix.lower() != ".xdf" or not log.is_file():
        return None
    return _settings_beside(path).engine


def _settings_beside(path: Path) -> _Settings:
    beside = path.with_name(SETTINGS_NAME)
    try:
        text = beside.read_bytes()
        version = msgspec.json.decode(text, type=_Version).version
        if version == SETTINGS_VERSION:
            return msgspec.json.decode(text, type=_Settings)
    except (OSError, msgspec.MsgspecError) as error:
        raise DataFileError(
            f"{beside} cannot be read ({error}), expected the settings of the session "
            "beside its event log. Restore it, or move the log away to replay the XDF "
            "as a foreign recording."
        ) from error
    raise DataFileError(
        f"{beside} is of version {version}, expected {SETTINGS_VERSION}: another "
        "version of rtbold recorded this session. Replay it with that one, or move the "
        "event log away to replay the XDF as a foreign recording."
    )


def replay(
    events: Iterable[Event], bundle: Bundle, model: Model, settings: PipelineSettings
) -> Iterator[BoldPrediction]:
    """Yield every prediction that these events make, in order."""
    pipeline = Pipeline(bundle.card, model, settings)
    for event in events:
        yield from pipeline.push(event)


def recording_events(
    recording: Recording, *, volume_label: str | None, reference: str | None = None
) -> Iterator[Event]:
    """Yield the events of a foreign recording; time follows its data.

    Parameters
    ----------
    volume_label : which markers are volume triggers; None: none are.
    reference : overrides what the file says.
    """
    triggers = [
        (marker_time_s(marker, recording), marker.label)
        for marker in recording.markers
        if marker.label == volume_label
    ]
    return triggered_events(recording, triggers, reference=reference)


def triggered_events(
    recording: Recording,
    triggers: Sequence[tuple[float, str]],
    *,
    reference: str | None = None,
) -> Iterator[Event]:
    """Yield the events of a foreign recording with volume triggers of one's choice.

    Parameters
    ----------
    triggers : (time on the clock of the recording's stamps, label) of each.
    reference : overrides what the file says.
    """
    yield StreamChanged(described(recording, reference))
    times_s = stamps(recording)
    chunk_n = max(round(CHUNK_S * recording.rate_hz), 1)
    waiting = sorted(triggers, reverse=True)
    passed = _PassedTime()
    for first in range(0, recording.data_uv.shape[1], chunk_n):
        end = min(first + chunk_n, recording.data_uv.shape[1])
        stamp_s = float(times_s[end - 1])
        while waiting and waiting[-1][0] <= stamp_s:
            t_s, label = waiting.pop()
            yield Marker(label, t_s, t_s, source="channel")
        data_uv = recording.data_uv[:, first:end]
        # Arrivals are unknown in a file, and NaN says so
        yield EegChunk(data_uv, times_s[first:end], float("nan"), first)
        yield TimePassed(passed(stamp_s, (end - first) / recording.rate_hz))


class _PassedTime:
    """Time that follows the stamps of a file, and never goes back with them."""

    def __init__(self) -> None:
        self._now_s = -math.inf
        self._ahead_s = 0.0  # of the stamps, after steps back

    def __call__(self, stamp_s: float, duration_s: float) -> float:
        """Return the time at the end of a chunk of `duration_s`."""
        if stamp_s + self._ahead_s < self._now_s:
            self._ahead_s = self._now_s + duration_s - stamp_s
        self._now_s = stamp_s + self._ahead_s
        return self._now_s


def described(recording: Recording, reference: str | None) -> StreamDescription:
    """Return a recording as the stream that it would be."""
    told = recording.description
    return StreamDescription(
        name=told.name if told else "recording",
        type="EEG",
        rate_hz=recording.rate_hz,
        channels=recording.channels,
        reference=reference or recording.reference,
        simulated=recording.simulated,
    )


def stamps(recording: Recording) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the raw stamps of a recording; by count where it has none."""
    if recording.stamps_s is not None:
        return recording.stamps_s
    n = recording.data_uv.shape[1]
    return np.arange(n, dtype=np.float64) / recording.rate_hz


def marker_time_s(marker: RecordedMarker, recording: Recording) -> float:
    """Return a marker's time on the clock of the recording's stamps."""
    if recording.stamps_s is None or not recording.stamps_s.size:
        return marker.t_s
    if marker.t_lsl_s is not None:
        offsets = recording.clock_offsets
        return marker.t_lsl_s - (offsets[0].offset_s if offsets else 0.0)
    return float(recording.stamps_s[0]) + marker.t_s


def find_volume_label(
    recording: Recording, tr_s: float, wanted: str | None = None
) -> str:
    """Return the label of the volume markers: the one that was named, or is regular.

    Raises
    ------
    DataFileError : the named label is not there, or none comes once per TR.
    AmbiguousStream : more than one does; rtbold asks and never chooses.
    """
    times_s: dict[str, list[float]] = defaultdict(list)
    for marker in recording.markers:
        times_s[marker.label].append(marker.t_s)
    counts = ", ".join(f"{k!r} ({len(v)})" for k, v in times_s.items()) or "none"
    if wanted is not None:
        if wanted in times_s:
            return wanted
        raise DataFileError(
            f"no marker is labelled {wanted!r}; the recording has {counts}. Give one "
            "of these with --trigger, or --tr to run free."
        )
    regular = [
        label
        for label, t_s in times_s.items()
        if len(t_s) > 2 and abs(np.median(np.diff(t_s)) / tr_s - 1) <= TR_TOLERANCE
    ]
    if len(regular) > 1:
        raise AmbiguousStream(
            f"the markers {regular} all come every {tr_s:g} s; say with --trigger "
            "which one is the volume trigger."
        )
    if not regular:
        raise DataFileError(
            f"no marker comes every {tr_s:g} s; the recording has {counts}. Name the "
            "volume marker with --trigger, give its TR with --tr and --trigger, or "
            "run free with --tr alone."
        )
    return regular[0]
