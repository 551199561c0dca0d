"""A recording as the events that the pipeline eats."""

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from rtbold.acquire import prefix_hint, refuse_groups, same_label, spelling
from rtbold.errors import AmbiguousStream, DataFileError
from rtbold.files.recording import RecordedMarker, Recording
from rtbold.messages import (
    TR_TOLERANCE,
    EegChunk,
    Event,
    FloatArray,
    Marker,
    StreamChanged,
    StreamDescription,
    TimePassed,
)
from rtbold.text import first_few

CHUNK_S = 0.25  # windows are bit for bit those of 0.05, in half the time


def recording_events(
    recording: Recording,
    *,
    volume_label: str | None,
    volume_stream: str | None = None,
    reference: str | None = None,
) -> Iterator[Event]:
    """Yield the events of a foreign recording; time follows its data.

    Parameters
    ----------
    volume_label : which markers are volume triggers, in any spelling; None: none are.
    volume_stream : and of which stream of an XDF; None: of any.
    reference : overrides what the file says.
    """
    triggers = [
        (marker_time_s(marker, recording), volume_label)
        for marker in recording.markers
        if volume_label is not None
        and same_label(marker.label, volume_label)
        and volume_stream in (None, marker.stream)
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
        return marker.t_lsl_s - clock_offset_s(recording, marker.t_lsl_s)
    return float(recording.stamps_s[0]) + marker.t_s


def clock_offset_s(recording: Recording, t_lsl_s: float) -> float:
    """Return what a stamp lacks to the recorder's clock, at a time of that clock.

    Clocks drift apart, so it is the offset of that moment and not of the beginning.
    """
    known = recording.clock_offsets
    if not known:
        return 0.0
    after = bisect_right(known, t_lsl_s, key=lambda offset: offset.t_lsl_s)
    if after in (0, len(known)):
        return known[min(after, len(known) - 1)].offset_s
    one, next_one = known[after - 1], known[after]
    share = (t_lsl_s - one.t_lsl_s) / (next_one.t_lsl_s - one.t_lsl_s)
    return one.offset_s + share * (next_one.offset_s - one.offset_s)


def find_volume_label(
    recording: Recording,
    tr_s: float,
    wanted: str | None = None,
    *,
    stream: str | None = None,
) -> str:
    """Return the label of the volume markers: the one that was named, or is regular.

    Spellings of one label are one, as live (`rtbold.acquire.same_label`).

    Parameters
    ----------
    stream : of an XDF, whose markers alone count; None: all.

    Raises
    ------
    DataFileError : the named label is not there, or none comes once per TR.
    AmbiguousStream : more than one does; rtbold asks and never chooses.
    """
    trains = _trains(recording, stream)
    where = "the recording" if stream is None else f"stream {stream!r} of the recording"
    if wanted is not None:
        named = {key: t for key, t in trains.items() if same_label(key[0], wanted)}
        if named:
            refuse_groups([label for label, _ in named], wanted)
            _refuse_two_streams(named, wanted)
            labels = {label for label, _ in named}
            return wanted if len(labels) > 1 else labels.pop()
        raise DataFileError(
            f"no marker is labelled {wanted!r}; {where} has {_counted(trains)}. Give "
            "one of these with --trigger, or --tr to run free."
            + prefix_hint({label for label, _ in trains})
        )
    fits = [key for key, t_s in trains.items() if _is_every(t_s, tr_s)]
    labels = {label for label, _ in fits}
    if len(labels) > 1:
        raise AmbiguousStream(
            f"the markers {first_few([repr(x) for x in labels])} all come every "
            f"{tr_s:g} s; say with --trigger which one is the volume trigger."
        )
    if not fits:
        raise DataFileError(
            f"no marker comes every {tr_s:g} s; {where} has {_counted(trains)}. Name "
            "the volume marker with --trigger, give its TR with --tr and --trigger, or "
            "run free with --tr alone." + prefix_hint({label for label, _ in trains})
        )
    (label,) = labels
    _refuse_two_streams({k: t for k, t in trains.items() if k[0] == label}, label)
    return label


Trains = dict[tuple[str, str], list[float]]  # (label, stream) -> times of its markers
SAME_MARKER_S = 0.015  # two streams that send it so near to each other send the same


def _trains(recording: Recording, stream: str | None) -> Trains:
    trains: Trains = defaultdict(list)
    spelt: dict[str, str] = {}  # one spelling -> as it is first written
    for marker in recording.markers:
        if stream is None or marker.stream == stream:
            label = spelt.setdefault(spelling(marker.label), marker.label)
            trains[label, marker.stream].append(marker.t_s)
    return dict(trains)


def _is_every(times_s: Sequence[float], tr_s: float) -> bool:
    if len(times_s) < 3:
        return False
    return bool(abs(np.median(np.diff(times_s)) / tr_s - 1) <= TR_TOLERANCE)


def _counted(trains: Trains) -> str:
    counts: Counter[str] = Counter()
    for (label, _), times_s in trains.items():
        counts[label] += len(times_s)
    told = [f"{label!r} ({n})" for label, n in counts.items()]
    return first_few(told) or "none"


def _refuse_two_streams(trains: Trains, label: str) -> None:
    """Refuse a label of two streams, unless they say the same of each volume."""
    by_stream: dict[str, list[float]] = defaultdict(list)
    for (_, stream), times_s in trains.items():
        by_stream[stream] += times_s
    longest: list[float] = max(by_stream.values(), key=len)
    longest_s = np.array(sorted(longest))
    if all(_are_among(times_s, longest_s) for times_s in by_stream.values()):
        return
    told = ", ".join(f"{name!r} ({len(t_s)})" for name, t_s in by_stream.items())
    raise AmbiguousStream(
        f"{len(by_stream)} streams of the recording send the marker {label!r}: {told}, "
        "at other times; expected one that marks volumes. Say which with "
        "--trigger-stream."
    )


def _are_among(times_s: Sequence[float], all_s: FloatArray) -> bool:
    """Return whether there is one of `all_s`, which rise, at each of these times."""
    wanted_s = np.asarray(times_s)
    after = np.clip(np.searchsorted(all_s, wanted_s), 1, max(len(all_s) - 1, 1))
    nearest_s = np.minimum(
        np.abs(all_s[after - 1] - wanted_s),
        np.abs(all_s[np.minimum(after, len(all_s) - 1)] - wanted_s),
    )
    return bool(nearest_s.max() <= SAME_MARKER_S)
