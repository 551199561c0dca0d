"""Volume triggers: where they come from, and how their labels are read."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtbold.acquire.streams import StreamQuery
from rtbold.errors import AmbiguousStream, StreamMismatch
from rtbold.messages import (
    Channel,
    ClockOffset,
    Event,
    FloatArray,
    Marker,
    StreamChanged,
    StreamDescription,
)
from rtbold.text import first_few, printable


@dataclass(frozen=True, slots=True)
class TriggerChannel:
    """A channel of the EEG stream itself whose value rises at each volume."""

    channel: str  # its label
    label: str | None = None  # the value that is a volume, "1"; None: the only one


@dataclass(frozen=True, slots=True)
class TriggerStream:
    """A marker stream. `upstream_delay_s` is carried for the session, not applied."""

    query: StreamQuery
    label: str | None = None  # the marker that is a volume, "R128"; None: the only one
    upstream_delay_s: float | None = None


TriggerSource = TriggerChannel | TriggerStream


def same_label(label: str, wanted: str) -> bool:
    """Whether two spellings name one marker: blanks and a group before ``/`` aside.

    BrainVision writes ``R  1`` or ``Response/R  1`` for what others call ``R1``. Two
    groups that differ are two markers: ``Stimulus/S  1`` and ``Response/S  1``. A
    wanted one that ends in ``*`` names all labels that begin so.
    """
    a, b = spelling(label), spelling(wanted)
    names = (a, _ungrouped(label))
    if b.endswith("*"):
        return any(name is not None and name.startswith(b[:-1]) for name in names)
    return b in names or a == _ungrouped(wanted)


def spelling(label: str) -> str:
    """Return what all spellings of a label have in common: blanks, case aside."""
    return "".join(label.split()).casefold()


def _ungrouped(label: str) -> str | None:
    _, group, name = label.rpartition("/")
    return (spelling(name) or None) if group else None


def refuse_groups(labels: Collection[str], wanted: str) -> None:
    """Refuse a name without a group that labels of several groups have.

    Raises
    ------
    AmbiguousStream : ``S 1`` is wanted, and there are Stimulus/S 1 and Response/S 1.
    """
    if wanted.endswith("*"):
        return
    groups: dict[str, str] = {}
    for label in labels:
        group, _, _ = label.rpartition("/")
        if group.strip() and same_label(label, wanted):
            groups.setdefault(spelling(group), label)
    if len(groups) > 1:
        raise AmbiguousStream(
            f"{len(groups)} markers are called {wanted!r}: "
            f"{first_few([repr(label) for label in groups.values()])}; expected one "
            "that marks volumes. Give its whole name with --trigger."
        )


LEAST_ALIKE = 3  # labels that begin alike, and characters of it


def prefix_hint(labels: Collection[str]) -> str:
    """Return the advice to name labels by how they all begin; empty: there is none."""
    first, last = min(labels, default=""), max(labels, default="")
    n = next((k for k, (a, b) in enumerate(zip(first, last)) if a != b), 0)  # noqa: B905
    start = first[:n].rstrip("0123456789")
    if min(len(labels), len(start.strip())) < LEAST_ALIKE:
        return ""
    return f" For all that begin so: --trigger {start + '*'!r}."


def select_label(seen: Collection[str], wanted: str | None = None) -> str | None:
    """Return the label that means "a volume", or None while none was seen.

    Parameters
    ----------
    seen : every label so far.
    wanted : what --trigger says; None: any, as long as there is only one.

    Raises
    ------
    AmbiguousStream
        More than one label qualifies; rtbold never chooses.
    """
    spelt: dict[str, str] = {}  # one label -> its first spelling
    for label in sorted(seen):
        if wanted is None or same_label(label, wanted):
            spelt.setdefault(spelling(label if wanted is None else wanted), label)
    fits = list(spelt.values())
    if len(fits) > 1:
        raise AmbiguousStream(
            f"{len(fits)} trigger labels were seen: "
            f"{first_few([repr(label) for label in fits])}; expected exactly one that "
            f"marks a volume. Say which: --trigger {fits[0]!r}.{prefix_hint(fits)}"
        )
    return fits[0] if fits else None


def find_channel(channels: Collection[Channel], label: str) -> int:
    """Return the index of the trigger channel `label`.

    Raises
    ------
    StreamMismatch
        No channel, or more than one, has that label.
    """
    wanted = label.strip().casefold()
    labels = [c.label for c in channels]
    fits = [i for i, name in enumerate(labels) if name.strip().casefold() == wanted]
    if len(fits) != 1:
        likely = [c.label for c in channels if c.kind != "eeg"] or labels
        raise StreamMismatch(
            f"{len(fits)} channels of the EEG stream are called {label!r}, expected "
            f"one. Channels that are no EEG: {', '.join(likely)}. Name one of them "
            "with --trigger-channel."
        )
    return fits[0]


class RisingEdges:
    """Finds volumes in a channel that holds a code: each rise is a marker.

    A fall is none: with codes held as bits (1, 3, 1) it would double a volume. A value
    that is up when listening starts is none either; its onset was not seen.
    """

    def __init__(self) -> None:
        self._last: float | None = None

    def reset(self) -> None:
        """Forget the last value; call after any loss of samples."""
        self._last = None

    def __call__(
        self, values: NDArray[np.generic], t_lsl_s: FloatArray
    ) -> list[tuple[str, float]]:
        """Return (label, stamp of the sample) of each rise in (samples,) `values`."""
        level = np.nan_to_num(values.astype(np.float64), nan=0.0)
        if level.size == 0:
            return []
        first = level[0] if self._last is None else self._last
        rises = np.flatnonzero(np.diff(level, prepend=first) > 0)
        self._last = float(level[-1])
        return [
            (number_label(level[i]), float(t_lsl_s[i])) for i in rises if level[i] != 0
        ]


def number_label(value: float) -> str:
    """Return the label of a numeric marker: ``1`` for 1.0, ``0.5`` for 0.5."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:g}"


def marker_labels(
    values: Sequence[str | float], stream: StreamDescription
) -> list[str]:
    """Return the labels in one sample of a marker stream.

    Text is a label, made fit to be shown; a number is one written out. Of a channel
    per event (several channels, or the type "annotations": so MNE-LSL sends them, with
    durations as values) each that is not 0 gives its own label.
    """
    value = values[0]
    if isinstance(value, str):
        return [label] if (label := printable(value.strip())) else []
    if len(values) > 1 or stream.type.casefold() == "annotations":
        return [c.label for v, c in zip(values, stream.channels, strict=True) if v]
    return [number_label(value)]


def labelled(label: str, wanted: str | None) -> str:
    """Return `wanted` where `label` is a spelling of it, else `label` as it came."""
    return wanted if wanted is not None and same_label(label, wanted) else label


def channel_markers(
    edges: list[tuple[str, float]], wanted: str | None, t_arrived_s: float
) -> list[Marker]:
    """Return the markers of an in-stream channel that arrived at `t_arrived_s`."""
    return [
        Marker(labelled(label, wanted), stamp, t_arrived_s, "channel")
        for label, stamp in edges
    ]


# Which events of the acquisition the pipeline may see; decided before the event log.
#
# What is kept out here is neither logged nor predicted from, so a replay stays exact.

# Without --trigger, a second label this early ends the session with a question; later
# it is kept out and told, for a session must not end half-way.
MARKERS_THAT_MAY_BE_ASKED_ABOUT = 10
MOST_TOLD = 20  # other labels; a stimulation program may number thousands


class Sources(Protocol):
    """The streams that events come from, as they were last described."""

    @property
    def description(self) -> StreamDescription | None:
        """The EEG stream."""
        ...

    @property
    def marker_description(self) -> StreamDescription | None:
        """The marker stream, if there is one."""
        ...


class EventGate:
    """Lets only volume triggers through, and the marker clock only where it differs.

    Parameters
    ----------
    trigger_label : of --trigger; None: the only label that the source sends.
    sources : tells the hosts of EEG and markers.
    say : told once of each label that is kept out without --trigger.
    """

    def __init__(
        self,
        trigger_label: str | None,
        sources: Sources,
        *,
        say: Callable[[str], None],
    ) -> None:
        self._sources = sources
        self._wanted = trigger_label
        self._asked_for = trigger_label is not None
        self._say = say
        self._n_markers = 0
        self._kept_out: set[str] = set()
        self._held: ClockOffset | None = None

    def __call__(self, event: Event) -> tuple[Event, ...]:
        """Return what goes on: the event, nothing, or also an offset held back.

        On one host markers and EEG share a clock; the marker stream's own offset, with
        its own noise, would only make triggers inexact.

        Raises
        ------
        AmbiguousStream : two labels, and none was asked for.
        """
        match event:
            case Marker():
                return (event,) if self._is_volume(event) else ()
            case ClockOffset(stream="marker") if self._on_one_host:
                self._held = event
                return ()
            case StreamChanged() if self._held and not self._on_one_host:
                held, self._held = self._held, None
                return (event, held)
        return (event,)

    @property
    def _on_one_host(self) -> bool:
        eeg, marker = self._sources.description, self._sources.marker_description
        return eeg is not None and marker is not None and eeg.host == marker.host

    def _is_volume(self, marker: Marker) -> bool:
        if self._wanted is None:
            self._wanted = marker.label
        if same_label(marker.label, self._wanted):
            self._n_markers += 1
            return True
        if not self._asked_for:
            self._ask(marker.label)
        return False

    def _ask(self, label: str) -> None:
        text = (
            f"the triggers are labelled {self._wanted!r} and {label!r}; expected one "
            "label. Say with --trigger which one is a volume."
        )
        if self._n_markers < MARKERS_THAT_MAY_BE_ASKED_ABOUT:
            raise AmbiguousStream(text)
        if label not in self._kept_out and len(self._kept_out) < MOST_TOLD:
            self._kept_out.add(label)
            self._say(f"{text} {label!r} is kept out.")
