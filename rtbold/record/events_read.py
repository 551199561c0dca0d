"""``events.jsonl`` and the XDF beside it back to the events that the loop saw."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rtbold.errors import DataFileError
from rtbold.files.xdf import load_streams, to_uv
from rtbold.io.event_lines import FORMAT, ChunkLine, SimpleEvent, checksum, from_fields
from rtbold.messages import EegChunk, Event, Float32Array, FloatArray
from rtbold.record.folder import EVENTS_NAME, xdf_parts

_NOT_EXACT = "A replay without the event log is possible, but not exact."


@dataclass(frozen=True, slots=True, eq=False)
class SampleSource:
    """The recorded samples of one stream in one file (a part of the session)."""

    data_uv: Float32Array  # (channels, samples), converted as the inlet converts
    stamps_s: FloatArray  # (samples,), raw


def read_event_log(path: Path, sources: Sequence[SampleSource]) -> Iterator[Event]:
    """Yield the events of a session, bit for bit, in the order in which it saw them.

    Parameters
    ----------
    path : the session's ``events.jsonl``. A last line that was cut off is left out.
    sources : what the recorder wrote, one for each part of the session.

    Raises
    ------
    DataFileError
        The log is damaged or has lost events, or samples that the loop saw are not
        in `sources`, or differ from those.
    """
    finder = _Finder(path, sources)
    for fields in read_lines(path):
        if fields["type"] == "header":
            continue
        entry = _parse(path, fields)
        yield finder.chunk(entry) if isinstance(entry, ChunkLine) else entry


def session_events(xdf: Path) -> Iterator[Event] | None:
    """Yield the events of the session that `xdf` is the recording of, bit for bit.

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
    return read_event_log(path, session_samples(path, xdf_parts(xdf)))


def session_samples(path: Path, parts: Sequence[Path]) -> list[SampleSource]:
    """Return the EEG in `parts`, converted with the settings in the log's header."""
    header: dict[str, Any] = {}
    names: set[str] = set()
    for fields in read_lines(path):
        if fields["type"] == "header":
            header = fields
        elif fields["type"] == "stream":
            names.add(fields["description"]["name"])
    return [
        SampleSource(
            to_uv(stream, header.get("unit"), header.get("trigger_channel")),
            stream.stamps_s,
        )
        for part in parts
        for stream in load_streams(part)[0]
        if stream.description.name in names and not stream.is_text
    ]


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a log as dictionaries, the header first; see above."""
    n_read = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break  # cut off by a crash
            if line == b"\n":
                continue  # a writer that had failed begins again so
            fields = _loads(path, number, line)
            if number == 1:
                _check_header(path, fields)
            if fields["type"] == "lost":
                raise DataFileError(
                    f"{path.name} has lost {fields.get('n')} events at line {number} "
                    f"(a full disk?), expected all of them. {_NOT_EXACT}"
                )
            n_read = number
            yield fields
    if n_read == 0:
        raise DataFileError(
            f"{path.name} holds no whole line, expected a header and events. "
            f"{_NOT_EXACT}"
        )


def _loads(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(line)
        if isinstance(fields, dict) and isinstance(fields.get("type"), str):
            return fields
        problem = "no object with a type"
    except ValueError as error:
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


def _parse(path: Path, fields: dict[str, Any]) -> ChunkLine | SimpleEvent:
    try:
        return from_fields(fields)
    except (KeyError, ValueError, TypeError) as error:
        raise DataFileError(
            f"{path.name} holds an event that cannot be read ({error!r}): "
            f"{str(fields)[:120]}. Was it written by another version? {_NOT_EXACT}"
        ) from error


class _Finder:
    """Finds the samples of each chunk in the recorded files, by their stamps."""

    def __init__(self, path: Path, sources: Sequence[SampleSource]) -> None:
        self._path = path
        self._sources = list(sources)
        self._next = [0] * len(self._sources)  # where the next chunk should begin

    def chunk(self, line: ChunkLine) -> EegChunk:
        """Return the chunk with its samples."""
        data_uv = line.data_uv if line.data_uv is not None else self._find(line)
        if data_uv is None:
            raise DataFileError(
                f"the samples {line.index} to {line.index + len(line.stamps_s) - 1} of "
                f"{self._path.name} are not in the recorded XDF, expected all that the "
                f"loop saw. Give all parts of the recording. {_NOT_EXACT}"
            )
        return EegChunk(data_uv, line.stamps_s, line.t_arrived_s, line.index)

    def _find(self, line: ChunkLine) -> Float32Array | None:
        if len(line.stamps_s) == 0:
            return np.empty((line.n_channels, 0), dtype=np.float32)
        # The expected places of all sources come first: a search reads all stamps.
        for places in (self._expected, self._searched):
            for number, first in places(line.stamps_s):
                end = first + len(line.stamps_s)
                data_uv = self._sources[number].data_uv[:, first:end]
                fits = data_uv.shape[0] == line.n_channels
                if fits and checksum(data_uv) == line.crc32:
                    self._next[number] = end
                    return np.ascontiguousarray(data_uv)
        return None

    def _expected(self, stamps_s: FloatArray) -> Iterator[tuple[int, int]]:
        """Yield (source, first sample) where the last find of a source ended."""
        for number, source in enumerate(self._sources):
            first = self._next[number]
            if np.array_equal(source.stamps_s[first : first + len(stamps_s)], stamps_s):
                yield number, first

    def _searched(self, stamps_s: FloatArray) -> Iterator[tuple[int, int]]:
        """Yield (source, first sample) wherever `stamps_s` stand."""
        for number, source in enumerate(self._sources):
            recorded = source.stamps_s
            for first in np.flatnonzero(recorded == stamps_s[0]).tolist():
                if np.array_equal(recorded[first : first + len(stamps_s)], stamps_s):
                    yield number, first
