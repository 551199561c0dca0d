"""``events.jsonl`` and the XDF beside it back to the events that the loop saw."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rtbold.errors import DataFileError
from rtbold.messages import EegChunk, Event, Float32Array
from rtbold.record.event_lines import (
    FORMAT,
    SAMPLES,
    ChunkLine,
    SimpleEvent,
    checksum,
    from_fields,
    samples_of,
    to_line as to_line,  # the way there, beside the way back
)
from rtbold.record.folder import EVENTS_NAME, session_parts
from rtbold.record.samples import SampleFinder, SampleSource, read_parts

_NOT_EXACT = "A replay without the event log is possible, but not exact."


@dataclass(frozen=True, slots=True)
class Loss:
    """Something of a recording that is not there any more, in words.

    "part": a file that is left out, which need not matter. "samples", "events": what
    comes from now on is not what the loop saw.
    """

    kind: Literal["part", "samples", "events"]
    text: str

    def __str__(self) -> str:
        return self.text


Tell = Callable[[Loss], None]


def read_event_log(
    path: Path, sources: Sequence[SampleSource], *, tell: Tell | None = None
) -> Iterator[Event]:
    """Yield the events of a session, bit for bit, in the order in which it saw them.

    Parameters
    ----------
    path : the session's ``events.jsonl``. A last line that was cut off is left out.
    sources : what the recorder wrote, one for each part of the session.
    tell : takes what is missing, which is left out, when it should have come. None: it
        is an error.

    Raises
    ------
    DataFileError
        The log is none. Without `tell` also: it is damaged or has lost events, or
        samples that the loop saw are not in `sources`, or differ from those.
    """
    return _events(path, sources, _first_look(path, tell), tell=tell)


def session_events(xdf: Path, *, tell: Tell | None = None) -> Iterator[Event] | None:
    """Yield the events of the session that `xdf` is a part of, bit for bit.

    Parameters
    ----------
    tell : as for `read_event_log`; parts that are left out are told first.

    Returns
    -------
    None if there is no ``events.jsonl`` beside it: a recording made by others.

    Raises
    ------
    DataFileError
        As `read_event_log`.
    """
    path = xdf.with_name(EVENTS_NAME)
    if not path.is_file():
        return None
    look = _first_look(path, tell)
    found = read_parts(
        session_parts(path.parent),
        look.names,
        unit=look.header.get("unit"),
        trigger_channel=look.header.get("trigger_channel"),
    )
    if tell is not None:
        for text in found.left_out:
            tell(Loss("part", text))
    return _events(path, found.sources, look, tell=tell, left_out=found.left_out)


@dataclass(slots=True)
class _Look:
    """What a first pass over a log found."""

    header: dict[str, Any] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)  # of the EEG's streams
    # Samples that were written after their event, by its index and checksum
    samples: dict[tuple[int, int], Float32Array] = field(default_factory=dict)


def _first_look(path: Path, tell: Tell | None) -> _Look:
    look = _Look()
    for fields in read_lines(path, tell=None if tell is None else lambda _: None):
        if fields["type"] == "header":
            look.header = fields
        elif fields["type"] == "stream":
            look.names.add(fields.get("description", {}).get("name", ""))
        elif fields["type"] == SAMPLES:
            with suppress(KeyError, ValueError, TypeError):  # then they are missing
                key, data_uv = samples_of(fields)
                look.samples[key] = data_uv
    return look


def _events(
    path: Path,
    sources: Sequence[SampleSource],
    look: _Look,
    *,
    tell: Tell | None,
    left_out: Sequence[str] = (),
) -> Iterator[Event]:
    chunks = _Chunks(path, sources, look, left_out=left_out)
    for fields in read_lines(path, tell=tell):
        if fields["type"] in ("header", SAMPLES):
            continue
        entry = _parse(path, fields, tell)
        if entry is None:
            continue
        if not isinstance(entry, ChunkLine):
            yield entry
            continue
        if chunks.doubled(entry):
            if tell is not None:
                tell(Loss("part", f"{path.name} has sample {entry.index} twice"))
            continue
        event = chunks.event(entry)
        if event is None and tell is None:
            raise chunks.error(entry)
        if tell is not None and (text := chunks.news(entry, lost=event is None)):
            tell(Loss("samples", text))
        if event is not None:
            yield event
    if tell is not None and (text := chunks.news(None, lost=False)):
        tell(Loss("samples", text))


def read_lines(path: Path, *, tell: Tell | None = None) -> Iterator[dict[str, Any]]:
    """Yield the lines of a log as dictionaries, the header first; see above."""
    n_read = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break  # cut off by a crash
            if line == b"\n":
                continue  # a writer that had failed begins again so
            try:
                fields = _checked(path, number, line)
            except DataFileError as error:
                if tell is None or number == 1:
                    raise
                tell(Loss("events", str(error)))
                continue
            n_read = number
            yield fields
    if n_read == 0:
        raise DataFileError(
            f"{path.name} holds no whole line, expected a header and events. "
            f"{_NOT_EXACT}"
        )


def _checked(path: Path, number: int, line: bytes) -> dict[str, Any]:
    fields = _loads(path, number, line)
    if number == 1:
        _check_header(path, fields)
    if fields["type"] == "lost":
        raise DataFileError(
            f"{path.name} has lost {fields.get('n')} events at line {number} "
            f"(a full disk?), expected all of them. {_NOT_EXACT}"
        )
    return fields


def _loads(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(line)
        if isinstance(fields, dict) and isinstance(fields.get("type"), str):
            return fields
        problem = "no object with a type"
    except (ValueError, RecursionError) as error:
        problem = str(error)
    raise DataFileError(
        f"line {number} of {path.name} is damaged ({problem}), expected one event as "
        f"JSON. Restore the file. {_NOT_EXACT}"
    )


def _check_header(path: Path, fields: dict[str, Any]) -> None:
    if fields["type"] != "header" or fields.get("format") != FORMAT:
        raise DataFileError(
            f"{path.name} begins with {str(fields)[:80]}, expected the header of an "
            f"event log of format {FORMAT}. Was it written by another version?"
        )


def _parse(
    path: Path, fields: dict[str, Any], tell: Tell | None
) -> ChunkLine | SimpleEvent | None:
    """Return what a line stands for; None: it cannot be read, and that was told."""
    try:
        return from_fields(fields)
    except (KeyError, ValueError, TypeError) as error:
        text = (
            f"{path.name} holds an event that cannot be read ({error!r}): "
            f"{str(fields)[:120]}. Was it written by another version? {_NOT_EXACT}"
        )
        if tell is None:
            raise DataFileError(text) from error
        tell(Loss("events", text))
        return None


class _Chunks:
    """Gives chunks their samples; counts those that cannot be found."""

    def __init__(
        self,
        path: Path,
        sources: Sequence[SampleSource],
        look: _Look,
        *,
        left_out: Sequence[str],
    ) -> None:
        self._path = path
        self._finder = SampleFinder(sources)
        self._look = look
        self._left_out = left_out
        self._key: tuple[int, int, float] | None = None  # of the line before
        self._lost: tuple[ChunkLine, ChunkLine] | None = None  # first, last in a row

    def event(self, line: ChunkLine) -> EegChunk | None:
        """Return the chunk with its samples; None if they are nowhere."""
        data_uv = line.data_uv
        if data_uv is None:
            data_uv = self._later(line)
        if data_uv is None:
            data_uv = self._finder.find(line)
        if data_uv is None:
            return None
        return EegChunk(data_uv, line.stamps_s, line.t_arrived_s, line.index)

    def doubled(self, line: ChunkLine) -> bool:
        """Whether it is the very line before, written once more."""
        key = line.index, line.crc32, line.t_arrived_s
        before, self._key = self._key, key
        return key == before and len(line.stamps_s) > 0

    def error(self, line: ChunkLine) -> DataFileError:
        """Say that a chunk is missing, and what of the recording was left out."""
        beside = f" ({'; '.join(self._left_out)})" if self._left_out else ""
        return DataFileError(
            f"the samples {line.index} to {_last(line)} of {self._path.name} are not "
            f"in the recorded XDF{beside}, expected all that the loop saw. Give all "
            f"parts of the recording. {_NOT_EXACT}"
        )

    def news(self, line: ChunkLine | None, *, lost: bool) -> str:
        """Return what to say of the next chunk: when a loss begins, and how it ended.

        Parameters
        ----------
        line : the chunk; None: there is no more.
        """
        before = self._lost
        if lost and line is not None:
            self._lost = (before[0] if before else line), line
            if before is None:
                return (
                    f"from sample {line.index} of {self._path.name} on there is none "
                    "in the recorded XDF, expected all that the loop saw"
                )
            return ""
        self._lost = None
        if before is None:
            return ""
        first, last = before
        away_s = last.t_arrived_s - first.t_arrived_s
        return (
            f"the samples {first.index} to {_last(last)} of {self._path.name} are "
            f"missing, chunks of {away_s:.1f} s"
        )

    def _later(self, line: ChunkLine) -> Float32Array | None:
        """Return samples that were written after their event."""
        found = self._look.samples.get((line.index, line.crc32))
        shape = line.n_channels, len(line.stamps_s)
        if found is None or found.size != shape[0] * shape[1]:
            return None
        data_uv = found.reshape(shape)
        return data_uv if checksum(data_uv) == line.crc32 else None


def _last(line: ChunkLine) -> int:
    """Return the index of a chunk's last sample."""
    return line.index + len(line.stamps_s) - 1
