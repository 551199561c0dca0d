"""The session's side of a stream of measured BOLD; its inlet is a process of its own.

As with EEG and markers: liblsl can hang or abort inside a stream that is lost.
"""

from dataclasses import replace

from rtbold.acquire.bold import VolumeQueue
from rtbold.acquire.frames import Fault, Frame, Order, StateChanged
from rtbold.acquire.streams import KnownStream, StreamQuery
from rtbold.acquire.supervisor import Supervisor
from rtbold.messages import MeasuredVolume, StreamChanged, StreamDescription


class LslVolumes:
    """Measured volumes of one LSL stream, for a loop that never waits for them.

    The stream need not be there yet: scanners export late.

    Parameters
    ----------
    name : of the stream.
    """

    def __init__(self, name: str) -> None:
        self._order = Order(role="bold", query=StreamQuery(name=name, type="BOLD"))
        self._queue = VolumeQueue()
        self._problem = f"measured BOLD: no stream {name!r} yet"
        self.description: StreamDescription | None = None
        self._supervisor = Supervisor(
            self._make_order, on_frame=self._take, on_death=self._died
        )
        self._supervisor.start()
        self.close = self._supervisor.close

    @property
    def problem(self) -> str:
        """What the operator must know; empty while all is well."""
        return self._problem

    def volumes(self) -> list[MeasuredVolume]:
        """Return the next few that have come, without waiting."""
        return self._queue.take()

    def _make_order(self) -> Order:
        known = self.description
        if known is None:
            return self._order
        stream = KnownStream(known.host, known.source_id, known.uid)
        return replace(self._order, known=stream)

    def _take(self, frame: Frame) -> None:
        """Keep what comes; called in the reader thread."""
        match frame:
            case MeasuredVolume():
                self._queue.put(frame)
            case StreamChanged(description=description):
                self.description = description
                self._problem = ""
            case StateChanged(state="lost"):
                self._problem = f"measured BOLD: stream {self._order.query.name!r} lost"
            case Fault(message=message):
                self._problem = f"measured BOLD: {message}"

    def _died(self, said: str) -> None:
        if not self._problem:
            self._problem = f"measured BOLD: its inlet process ended. {said}".strip()
