"""A recording as the events that the pipeline eats."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from rtbold.acquire import same_label, spelling
from rtbold.errors import AmbiguousStream, DataFileError
from rtbold.files.recording import RecordedMarker, Recording
from rtbold.messages import (
    TR_TOLERANCE,
    EegChunk,
    Event,
    Marker,
    StreamChanged,
    StreamDescription,
    TimePassed,
)

CHUNK_S = 0.25  # windows are bit for bit those of 0.05, in half the time


def recording_events(
    recording: Recording, *, volume_label: str | None, reference: str | None = None
) -> Iterator[Event]:
    """Yield the events of a foreign recording; time follows its data.

    Parameters
    ----------
    volume_label : which markers are volume triggers, in any spelling; None: none are.
    reference : overrides what the file says.
    """
    triggers = [
        (marker_time_s(marker, recording), marker.label)
        for marker in recording.markers
        if volume_label is not None and same_label(marker.label, volume_label)
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

    Spellings of one label are one, as live (`rtbold.acquire.same_label`).

    Raises
    ------
    DataFileError : the named label is not there, or none comes once per TR.
    AmbiguousStream : more than one does; rtbold asks and never chooses.
    """
    times_s: dict[str, list[float]] = defaultdict(list)
    spelt: dict[str, str] = {}  # one spelling -> as it is first written
    for marker in recording.markers:
        label = spelt.setdefault(spelling(marker.label), marker.label)
        times_s[label].append(marker.t_s)
    counts = ", ".join(f"{k!r} ({len(v)})" for k, v in times_s.items()) or "none"
    if wanted is not None:
        if fits := [label for label in times_s if same_label(label, wanted)]:
            return wanted if len(fits) > 1 else fits[0]
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
