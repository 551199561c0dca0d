"""A recording through the pipeline of the live session, as fast as it goes.

A session that ``rtbold run --record`` wrote comes back to the last bit, by its event
log. A recording made by others has no arrivals and no clock: time follows its data.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from rtbold.bundle import Bundle
from rtbold.disk import read_file
from rtbold.engine import EngineUsed
from rtbold.errors import DataFileError
from rtbold.messages import BoldPrediction, Event
from rtbold.predict import Model, Pipeline, PipelineSettings
from rtbold.record import EVENTS_NAME, SETTINGS_NAME, SETTINGS_VERSION, session_events

MAX_SETTINGS_BYTES = 100_000_000  # the conversion of 512 channels has some 5 MB


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
        text = read_file(beside, at_most_bytes=MAX_SETTINGS_BYTES)
        version = msgspec.json.decode(text, type=_Version).version
        if version == SETTINGS_VERSION:
            return msgspec.json.decode(text, type=_Settings)
    except (OSError, msgspec.MsgspecError, RecursionError) as error:
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


def replay_events(
    events: Iterable[Event], bundle: Bundle, model: Model, settings: PipelineSettings
) -> Iterator[BoldPrediction]:
    """Yield every prediction that these events make, in order."""
    pipeline = Pipeline(bundle.card, model, settings)
    for event in events:
        yield from pipeline.push(event)
