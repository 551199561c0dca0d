"""Open what a rehearsal recorded, and prove that it is what the session saw."""

import shutil
from pathlib import Path

from rtbold.errors import RtboldError
from rtbold.messages import EegChunk, Marker
from rtbold.record.events_read import session_events
from rtbold.record.folder import xdf_parts
from rtbold.record.labrecorder import end_left_over
from rtbold.record.recorder import NOTE_NAME
from rtbold.rehearsal_figures import RecordingFigures


def recordings(folder: Path) -> set[Path]:
    """Return the first parts of all recordings below `folder`."""
    return set(folder.rglob("*_eeg.xdf"))


def end_recorders(folder: Path, before: set[Path]) -> None:
    """Politely end what a session that died has left recording below `folder`."""
    for xdf in recordings(folder) - before:
        note = xdf.with_name(NOTE_NAME)
        if note.is_file():
            end_left_over(note)


def look_at(folder: Path, before: set[Path]) -> RecordingFigures:
    """Return what the newest recording below `folder` holds.

    Parameters
    ----------
    before : the recordings that were there already.
    """
    new = sorted(recordings(folder) - before)
    if len(new) != 1:
        found = f"{len(new)} new recordings are in it, expected one"
        return RecordingFigures(path=str(folder), problem=found)
    try:
        return _counted(new[0])
    except (RtboldError, OSError, MemoryError) as error:
        return RecordingFigures(path=str(new[0]), problem=str(error) or repr(error))


def _counted(xdf: Path) -> RecordingFigures:
    """Read every event again; each chunk's samples are compared with their checksum."""
    events = session_events(xdf)
    if events is None:
        return RecordingFigures(path=str(xdf), problem="no event log is beside it")
    n_samples = n_markers = 0
    for event in events:
        if isinstance(event, EegChunk):
            n_samples += event.data_uv.shape[1]
        n_markers += isinstance(event, Marker)
    return RecordingFigures(
        path=str(xdf),
        n_parts=len(xdf_parts(xdf)),
        n_samples=n_samples,
        n_markers=n_markers,
        n_bytes=sum(f.stat().st_size for f in xdf.parent.iterdir() if f.is_file()),
        free_bytes=shutil.disk_usage(xdf.parent).free,
    )
