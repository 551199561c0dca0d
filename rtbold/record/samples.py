"""The recorded samples of a session, and each chunk of the loop found among them.

A recording has seams: a recorder that was killed and started again, a source that came
back, a part that another part overlaps. So a chunk is looked for where the last one
ended, then by its stamps anywhere, then sample by sample over all parts, and last by
its place alone, where a new inlet had not yet heard a stamp. Its checksum decides.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rtbold.errors import RtboldError
from rtbold.files import load_streams, to_uv
from rtbold.messages import Float32Array, FloatArray
from rtbold.record.event_lines import ChunkLine, checksum

MOST_TRIES = 256  # of samples put together; each is compared with the checksum
MOST_PLACES = 4096  # from the beginning of a part, without a stamp to go by
MOST_SEARCHES = 50  # of the beginning of a part; each takes some 50 ms


@dataclass(frozen=True, slots=True, eq=False)
class SampleSource:
    """The recorded samples of one stream in one file (a part of the session)."""

    data_uv: Float32Array  # (channels, samples), converted as the inlet converts
    stamps_s: FloatArray  # (samples,), raw


@dataclass(frozen=True, slots=True, eq=False)
class RecordedParts:
    """What the parts of a session hold of its EEG."""

    sources: tuple[SampleSource, ...]
    left_out: tuple[str, ...]  # parts that hold nothing or cannot be read, in words


def read_parts(
    parts: Sequence[Path],
    names: set[str],
    *,
    unit: str | None = None,
    trigger_channel: str | None = None,
) -> RecordedParts:
    """Read the streams called `names`, converted as the session's inlet converted them.

    A part that is empty or damaged is left out, and said: another may hold its samples.
    """
    sources: list[SampleSource] = []
    left_out: list[str] = []
    for part in parts:
        try:
            streams, notes = load_streams(part)
            left_out += notes
            sources += [
                SampleSource(to_uv(stream, unit, trigger_channel), stream.stamps_s)
                for stream in streams
                if stream.description.name in names and not stream.is_text
            ]
        except (RtboldError, OSError) as error:
            left_out.append(f"{part.name} is left out: {error}")
    return RecordedParts(tuple(s for s in sources if len(s.stamps_s)), tuple(left_out))


class _Place(NamedTuple):
    """One recorded sample."""

    source: int
    at: int


class SampleFinder:
    """Finds the samples of chunks, given in the order in which the loop saw them."""

    def __init__(self, sources: Sequence[SampleSource]) -> None:
        self._sources = list(sources)
        self._next = [0] * len(self._sources)  # where the next chunk should begin
        self._ends: list[int | None] = [None] * len(self._sources)  # its event index
        self._n_searches = [0] * len(self._sources)
        self._orders: dict[int, np.ndarray] = {}  # of a source's stamps, when needed

    def find(self, line: ChunkLine) -> Float32Array | None:
        """Return the samples of `line`, (channels, samples); None: they are nowhere."""
        if len(line.stamps_s) == 0:
            return np.empty((line.n_channels, 0), dtype=np.float32)
        # The expected places of all sources come first: a search reads all stamps.
        for places in (self._expected, self._searched):
            found = self._checked(line, places(line.stamps_s))
            if found is not None:
                return found
        together = self._together(line)
        return together if together is not None else self._by_place(line)

    def _checked(
        self, line: ChunkLine, places: Iterator[tuple[int, int]]
    ) -> Float32Array | None:
        """Return the first of whole runs of samples that the checksum agrees with."""
        n = len(line.stamps_s)
        for number, first in places:
            data_uv = self._sources[number].data_uv[:, first : first + n]
            if data_uv.shape != (line.n_channels, n):
                continue
            if checksum(data_uv) == line.crc32:
                self._next[number] = first + n
                self._ends[number] = line.index + n
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

    def _by_place(self, line: ChunkLine) -> Float32Array | None:
        """Find a chunk whose stamps differ: after the last, or as a part begins.

        An inlet that has just connected counts stamps from 0 until it hears one, so
        that the recorder's and the loop's may differ for a moment.
        """

        def places() -> Iterator[tuple[int, int]]:
            for number, end in enumerate(self._ends):
                if end is not None and (ahead := line.index - end) >= 0:
                    yield number, self._next[number] + ahead
            for number, source in enumerate(self._sources):
                if self._ends[number] is None and self._may_search(number):
                    for first in range(min(len(source.stamps_s), MOST_PLACES)):
                        yield number, first

        return self._checked(line, places())

    def _may_search(self, number: int) -> bool:
        self._n_searches[number] += 1
        return self._n_searches[number] <= MOST_SEARCHES

    # Sample by sample

    def _together(self, line: ChunkLine) -> Float32Array | None:
        """Put a chunk together from several places, over seams and doubled samples."""
        known = [self._with_stamp(stamp_s, line) for stamp_s in line.stamps_s.tolist()]
        if not any(known):
            return None
        options = self._filled(known)
        if not all(options):
            return None
        for places in _orders_of(options, MOST_TRIES):
            data_uv = np.stack([self._sample(place) for place in places], axis=1)
            if checksum(data_uv) == line.crc32:
                number, at = places[-1]
                self._next[number] = at + 1
                self._ends[number] = line.index + len(places)
                return data_uv
        return None

    def _with_stamp(self, stamp_s: float, line: ChunkLine) -> list[_Place]:
        """Return where a stamp stands, each value of the samples there once."""
        found: dict[bytes, _Place] = {}
        for number, source in enumerate(self._sources):
            if len(source.data_uv) != line.n_channels:
                continue
            for at in self._positions(number, stamp_s):
                place = _Place(number, at)
                found.setdefault(self._sample(place).tobytes(), place)
        return list(found.values())

    def _positions(self, number: int, stamp_s: float) -> list[int]:
        stamps_s = self._sources[number].stamps_s
        order = self._orders.get(number)
        if order is None:
            order = self._orders[number] = np.argsort(stamps_s, kind="stable")
        first = int(np.searchsorted(stamps_s, stamp_s, "left", sorter=order))
        end = int(np.searchsorted(stamps_s, stamp_s, "right", sorter=order))
        return sorted(order[first:end].tolist())

    def _filled(self, known: list[list[_Place]]) -> list[list[_Place]]:
        """Add the neighbours in the file for samples whose stamp stands nowhere."""
        options = [list(places) for places in known]
        for i in range(1, len(options)):
            options[i] = options[i] or self._beside(options[i - 1], +1)
        for i in range(len(options) - 2, -1, -1):
            if not known[i]:
                options[i] += self._beside(options[i + 1], -1)
        return options

    def _beside(self, places: list[_Place], step: int) -> list[_Place]:
        """Return the places before or after; after a file's last, others' first."""
        found = []
        for number, at in places:
            if 0 <= at + step < len(self._sources[number].stamps_s):
                found.append(_Place(number, at + step))
            elif step > 0:
                others = (n for n, end in enumerate(self._ends) if end is None)
                found += [_Place(n, 0) for n in others if n != number]
        return found

    def _sample(self, place: _Place) -> Float32Array:
        return self._sources[place.source].data_uv[:, place.at]


def _orders_of(options: list[list[_Place]], limit: int) -> Iterator[list[_Place]]:
    """Yield choices of one place for each sample; those that run on come first."""
    n_given = 0
    waiting: list[list[_Place]] = [[]]
    while waiting and n_given < limit:
        chosen = waiting.pop()
        if len(chosen) == len(options):
            n_given += 1
            yield chosen
            continue
        after = _Place(chosen[-1].source, chosen[-1].at + 1) if chosen else None
        # the last in the list is tried first
        ranked = sorted(options[len(chosen)], key=lambda place: place == after)
        waiting += [[*chosen, place] for place in ranked]
