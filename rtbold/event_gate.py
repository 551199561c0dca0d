"""Which events of the acquisition the pipeline may see; decided before the event log.

What is kept out here is neither logged nor predicted from, so a replay stays exact.
"""

from collections.abc import Callable
from typing import Protocol

from rtbold.acquire.triggers import same_label
from rtbold.errors import AmbiguousStream
from rtbold.messages import ClockOffset, Event, Marker, StreamChanged, StreamDescription

# Without --trigger, a second label this early ends the session with a question; later
# it is kept out and told, for a session must not end half-way.
MARKERS_THAT_MAY_BE_ASKED_ABOUT = 10


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
        if label not in self._kept_out:
            self._kept_out.add(label)
            self._say(f"{text} {label!r} is kept out.")
