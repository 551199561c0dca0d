"""In the inlet process: measured BOLD of an LSL stream, volume by volume.

The stream is of type BOLD: its first channel is the volume's number, the others are
ROIs by their labels, the stamp is the volume's onset. The twin sends such a stream.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import pylsl

from rtbold.acquire.describe import describe
from rtbold.acquire.follow import Finder
from rtbold.acquire.frames import Order, StateChanged
from rtbold.acquire.streams import found_stream
from rtbold.clock import Clock
from rtbold.errors import StreamMismatch
from rtbold.io.bold_text import NO_ROI
from rtbold.io.frame_writer import FrameWriter
from rtbold.io.offsets import OffsetPoller, is_foreign
from rtbold.messages import MeasuredVolume, StreamChanged, StreamDescription

OPEN_LIMIT_S = 5.0
PULL_LIMIT_S = 0.2  # blocks in liblsl until a volume comes; keep-alives in between
QUIET_S = 10.0  # without a volume for so long: see whether the sender was replaced


@dataclass(slots=True)
class _Opened:
    inlet: pylsl.StreamInlet
    offsets: OffsetPoller
    description: StreamDescription


class BoldInlet:
    """Follows one stream of measured BOLD through its losses."""

    def __init__(
        self, order: Order, outbox: FrameWriter, clock: Callable[[], float]
    ) -> None:
        self._order = order
        self._outbox = outbox
        self._clock = clock
        self._finder = Finder(order, outbox, clock)

    def follow(self) -> None:
        """Find, open and read the stream, again and again.

        Raises
        ------
        AmbiguousStream, StreamMismatch
            Only before the first stream was opened.
        """
        self._finder.follow(
            self._order.wait_s,
            read=lambda info: self._read_all(self._open(info)),
            lost=lambda: self._outbox.send(StateChanged("lost")),
        )

    def _open(self, info: pylsl.StreamInfo) -> _Opened:
        inlet = pylsl.StreamInlet(info, recover=False)
        full = self._outbox.patiently(inlet.info, OPEN_LIMIT_S)
        description = describe(full.as_xml())
        require_bold(description, found_stream(full).format)
        self._outbox.patiently(inlet.open_stream, OPEN_LIMIT_S)
        offsets = OffsetPoller(inlet, self._clock)
        self._finder.remember(info)
        self._outbox.send(StreamChanged(description))
        self._outbox.send(StateChanged("connected"))
        return _Opened(inlet, offsets, description)

    def _read_all(self, opened: _Opened) -> None:
        """Read until the stream is lost or its sender was replaced."""
        last_s = self._clock()
        try:
            while True:
                values, stamp_s = opened.inlet.pull_sample(timeout=PULL_LIMIT_S)
                if values is not None:
                    last_s = self._clock()
                    self._finder.rest()
                    self._pass_on(opened, values, stamp_s)
                elif self._clock() - last_s > QUIET_S and self._finder.replaced():
                    self._outbox.send(StateChanged("lost"))
                    return
                self._outbox.keep_alive()
        finally:
            opened.offsets.close()

    def _pass_on(
        self, opened: _Opened, values: Sequence[float], stamp_s: float
    ) -> None:
        now_s, offset_s = self._clock(), opened.offsets.offset_s
        stream = opened.description
        foreign = not math.isfinite(stamp_s) or is_foreign(
            stamp_s, now_s, offset_s=offset_s, host=stream.host
        )
        onset_s = None if foreign else stamp_s + (offset_s or 0.0)
        volume = measured_volume(stream, values, now_s=now_s, onset_s=onset_s)
        if volume is not None:
            self._outbox.send(volume)


def require_bold(stream: StreamDescription, sample_format: str) -> None:
    """Refuse a stream that cannot be read as measured volumes.

    Raises
    ------
    StreamMismatch : it is text, has no ROI, or its first channel is no volume number.
    """
    labels = [channel.label for channel in stream.channels]
    numbered = bool(labels) and labels[0].strip().casefold() in NO_ROI
    if sample_format != "string" and numbered and len(labels) > 1:
        return
    raise StreamMismatch(
        f"stream {stream.name!r} (type {stream.type!r}) has the channels "
        f"{labels[:4]}, expected measured BOLD: numbers, first the channel "
        "volume_index, then one channel per ROI with its label."
    )


def measured_volume(
    stream: StreamDescription,
    values: Sequence[float],
    *,
    now_s: float,
    onset_s: float | None,
) -> MeasuredVolume | None:
    """Return one sample as a volume; None if its first channel is no whole number."""
    number, *rest = (float(value) for value in values)
    if not number.is_integer():  # nan and inf are none either
        return None
    return MeasuredVolume(
        volume_index=int(number),
        rois=tuple(channel.label for channel in stream.channels[1:]),
        values=tuple(v if math.isfinite(v) else None for v in rest),
        t_arrived_s=now_s,
        t_volume_s=onset_s,
    )


def run_bold(order: Order, outbox: FrameWriter, clock: Clock) -> None:
    """Run the inlet of `order` until the session ends."""
    with suppress(BrokenPipeError):  # the session is gone
        BoldInlet(order, outbox, clock.now_s).follow()
