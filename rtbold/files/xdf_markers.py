"""The markers of an XDF: which of its streams are read as such, and why others not."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from rtbold.acquire import marker_labels, stamped_rate
from rtbold.files.xdf_times import corrected, stretches
from rtbold.text import FEW

if TYPE_CHECKING:
    from rtbold.files.xdf import XdfStream

_KINDS = re.compile("marker|trig|stim|event|annot|ttl|pulse|code", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class XdfMarker:
    """One marker of an XDF."""

    label: str
    stamp_s: float  # raw, on the clock of its sender
    t_s: float  # on the recorder's clock
    stream: str


def read_markers(streams: Sequence["XdfStream"]) -> tuple[list[XdfMarker], list[str]]:
    """Return the markers of all streams in order of time, and notes for the user."""
    markers: list[XdfMarker] = []
    notes: list[str] = []
    names: Counter[str] = Counter()
    for stream in streams:
        why_not = why_no_markers(stream)
        if why_not is None:
            name = stream.description.name
            names[name] += 1
            number = f" ({names[name]})" if names[name] > 1 else ""
            markers += stream_markers(stream, f"{name}{number}")
            notes += _unplaced_note(stream)
        elif why_not:
            notes.append(
                f"stream {stream.description.name!r} ({len(stream.stamps_s)} samples, "
                f"{_format(stream)}, type {stream.description.type!r}) was not read as "
                f"markers: {why_not}"
            )
    notes += [
        f"{n} streams of markers are called {name!r}: the second is {name + ' (2)'!r} "
        "here"
        for name, n in names.items()
        if n > 1
    ]
    notes += _shared(markers)
    return sorted(markers, key=lambda marker: marker.t_s), notes


def _shared(markers: Sequence[XdfMarker]) -> list[str]:
    """Return a note for each label that more than one stream sends."""
    counts = Counter((marker.label, marker.stream) for marker in markers)
    senders: dict[str, list[str]] = {}
    for (label, stream), n in counts.items():
        senders.setdefault(label, []).append(f"{stream!r} ({n})")
    notes = [
        f"{len(streams)} streams send the marker {label!r}: {', '.join(streams)}"
        for label, streams in senders.items()
        if len(streams) > 1
    ]
    more = f"{len(notes) - FEW} more labels come from two streams"
    return notes if len(notes) <= FEW else [*notes[:FEW], more]


def stream_markers(stream: "XdfStream", name: str = "") -> Iterator[XdfMarker]:
    """Yield the markers of one stream, by the rule of a live session."""
    times_s = corrected(stream.stamps_s, stream.offset_times_s, stream.offsets_s)
    n_placed = len(times_s) - _n_unplaced(stream)
    rows = zip(stream.values, stream.stamps_s, times_s, strict=True)
    named = name or stream.description.name
    for row, stamp_s, t_s in islice(rows, n_placed):
        for label in marker_labels(row, stream.description):
            yield XdfMarker(label, float(stamp_s), float(t_s), named)


def _n_unplaced(stream: "XdfStream") -> int:
    """Return how many of the last markers are on a clock that nobody knows.

    Stamps without any offset are on the recorder's own clock, until they begin anew.
    """
    found = stretches(stream.stamps_s, stream.offset_times_s, stream.offsets_s)
    known = next((k for k, one in enumerate(found) if k and one.offsets is None), None)
    return 0 if known is None else len(stream.stamps_s) - found[known].first


def _unplaced_note(stream: "XdfStream") -> list[str]:
    n, name = _n_unplaced(stream), stream.description.name
    if n == 0:
        return []
    return [
        f"the clock of {name!r} begins anew, and no clock offset was measured since: "
        f"its last {n} markers cannot be placed and were left out"
    ]


def is_markers(stream: "XdfStream") -> bool:
    """Return whether a stream is read as markers."""
    return why_no_markers(stream) is None


def why_no_markers(stream: "XdfStream") -> str | None:
    """Return why a stream is not read as markers; None: it is; empty: it is none."""
    described = stream.description
    n_channels = len(described.channels)
    named = _KINDS.search(described.type) is not None
    if stream.is_text:
        if n_channels == 1:
            return None
        return "which of its channels is the label is not known; send the label alone"
    if not named:
        return _why_no_code(stream)
    if described.rate_hz > 0 and _is_sampled(stream):
        return (
            f"it is sampled at {described.rate_hz:g} Hz; send one sample for each "
            "trigger, or record the trigger as a channel of the EEG"
        )
    return None


def _why_no_code(stream: "XdfStream") -> str:
    """Return why one irregular stream of whole numbers is none; empty: another kind."""
    if len(stream.description.channels) != 1 or stream.description.rate_hz > 0:
        return ""
    values = np.asarray(stream.values)
    whole = values.size and bool((values == np.round(values)).all())
    return "its type names no markers; let it be Markers" if whole else ""


def _is_sampled(stream: "XdfStream") -> bool:
    """Return whether samples come at the rate that is declared, not now and then."""
    found = stamped_rate(stream.stamps_s)
    return found is not None and found.rate_hz > stream.description.rate_hz / 2


def _format(stream: "XdfStream") -> str:
    n = len(stream.description.channels)
    return stream.format if n == 1 else f"{n} channels of {stream.format}"
