"""A recording through the pipeline of the live session, as fast as it goes.

A session that ``rtbold run --record`` wrote comes back to the last bit, by its event
log. A recording made by others has no arrivals and no clock: time follows its data.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rtbold.blinding import note_of, opened_records
from rtbold.bundle import Bundle
from rtbold.engine import EngineUsed
from rtbold.errors import ConfigError
from rtbold.messages import BoldPrediction, Event
from rtbold.predict import Model, Pipeline, PipelineSettings
from rtbold.record import EVENTS_NAME, Tell, session_events
from rtbold.session.recorded import read_settings

NEEDS_KEY = (
    "the session is blinded, and its real predictions beside what was delivered tell "
    "the arm: this needs the statistician's key. Unblind it first: rtbold unblind "
    "SESSION --key FILE"
)


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """What ``rtbold run --record`` left, ready to be replayed."""

    events: Iterator[Event]
    settings: PipelineSettings
    model_sha256: str


def recorded_session(path: Path, *, tell: Tell | None = None) -> RecordedSession | None:
    """Return the session that `path` (an XDF) belongs to; None for a foreign file.

    Parameters
    ----------
    tell : takes what is missing in the recording, when it should have come; the rest
        is replayed. None: it is an error.

    Raises
    ------
    DataFileError : the log or the settings beside it cannot be read.
    """
    ours = path.suffix.lower() == ".xdf"
    events = session_events(path, tell=tell) if ours else None
    if events is None:
        return None
    check_open(path.parent)
    found = read_settings(path.parent)
    return RecordedSession(events, found.pipeline, found.model_sha256)


def check_open(folder: Path) -> None:
    """Refuse to compute the real predictions of a session that is still blinded.

    It protects from doing so by mistake: whoever has recording and model can.

    Raises
    ------
    ConfigError : it is blinded, and nobody has unblinded it.
    """
    if note_of(folder) is not None and opened_records(folder) is None:
        raise ConfigError(f"{folder}: {NEEDS_KEY}")


def recorded_engine(path: Path) -> EngineUsed | None:
    """Return what the session of this XDF ran on; None for a foreign file.

    Raises
    ------
    DataFileError : the settings beside the session's event log cannot be read.
    """
    log = path.with_name(EVENTS_NAME)
    if path.suffix.lower() != ".xdf" or not log.is_file():
        return None
    return read_settings(path.parent).engine


def replay_events(
    events: Iterable[Event], bundle: Bundle, model: Model, settings: PipelineSettings
) -> Iterator[BoldPrediction]:
    """Yield every prediction that these events make, in order."""
    pipeline = Pipeline(bundle.card, model, settings)
    for event in events:
        yield from pipeline.push(event)
