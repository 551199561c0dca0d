"""In the inlet process: markers and measured BOLD, passed on with their own stamps."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import pylsl

from rtbold.acquire.bold_columns import VOLUME_NUMBER
from rtbold.acquire.describe import require_markers
from rtbold.acquire.follow import (
    FrameWriter,
    Opened,
    StreamFollower,
    is_foreign,
    is_here,
    offset_event,
)
from rtbold.acquire.frames import Fault, Order, StateChanged
from rtbold.acquire.streams import found_stream
from rtbold.acquire.triggers import labelled, marker_labels
from rtbold.clock import Clock
from rtbold.errors import StreamMismatch
from rtbold.messages import Marker, MeasuredVolume, StreamChanged, StreamDescription

PULL_LIMIT_S = 0.2  # blocks in liblsl until a marker comes; keep-alives in between
MARKER_QUIET_S = 5.0  # without markers for so long: see whether the sender was replaced


class IrregularReader:
    """Follows one stream without a rate, and hands on each sample of it.

    Parameters
    ----------
    quiet_s : without a sample for so long: see whether the sender is still there.
    check : refuses a description and a format of samples.
    take : gets each sample and its stamp.
    turn : called after every look.
    """

    def __init__(
        self,
        stream: StreamFollower,
        outbox: FrameWriter,
        clock: Callable[[], float],
        *,
        quiet_s: float,
        check: Callable[[StreamDescription, str], None],
        take: Callable[[Opened, Sequence[str | float], float], None],
        turn: Callable[[Opened], None] = lambda opened: None,
    ) -> None:
        self._stream = stream
        self._outbox = outbox
        self._clock = clock
        self._quiet_s = quiet_s
        self._check = check
        self._take = take
        self._turn = turn

    def follow(self) -> None:
        """Find, open and read the stream, again and again; see `StreamFollower`."""
        self._stream.run(lambda info: self._read_all(self._open(info)), lost=self._lost)

    def _open(self, info: pylsl.StreamInfo) -> Opened:
        inlet, description = self._stream.describe(info)
        self._check(description, found_stream(info).format)
        opened = self._stream.connect(info, inlet, description)
        self._outbox.send(StreamChanged(description))
        self._outbox.send(StateChanged("connected"))
        return opened

    def _lost(self) -> None:
        self._outbox.send(StateChanged("lost"))

    def _read_all(self, opened: Opened) -> None:
        """Read until the stream is lost, or another one is to be read."""
        finder = self._stream.finder
        last_s = self._clock()
        try:
            while True:
                sample = _pull(opened.inlet)
                if sample is not None:
                    last_s = self._clock()
                    finder.heard(last_s)
                    finder.rest()
                    self._take(opened, *sample)
                if finder.leaves(quiet=self._clock() - last_s > self._quiet_s):
                    self._lost()
                    return
                self._turn(opened)
                self._outbox.keep_alive()
        finally:
            opened.offsets.close()


class MarkerInlet:
    """Follows one marker stream through its losses."""

    def __init__(
        self, order: Order, outbox: FrameWriter, clock: Callable[[], float]
    ) -> None:
        self._order = order
        self._outbox = outbox
        self._clock = clock
        stream = StreamFollower(order, outbox, clock)
        self._finder = stream.finder
        self._proven = order.known is not None  # a marker had LSL's time
        self.follow = IrregularReader(
            stream,
            outbox,
            clock,
            quiet_s=MARKER_QUIET_S,
            check=require_markers,
            take=self._pass_on,
            turn=self._tell_offset,
        ).follow

    def _tell_offset(self, opened: Opened) -> None:
        event = offset_event(opened.offsets, opened.description, is_marker=True)
        if event is not None:
            self._outbox.send(event)

    def _pass_on(
        self, opened: Opened, values: Sequence[str | float], t_lsl_s: float
    ) -> None:
        now_s = self._clock()
        if not self._has_lsl_time(opened, t_lsl_s, now_s):
            return
        self._proven = True
        for label in marker_labels(values, opened.description):
            label = labelled(label, self._order.trigger_label)
            self._outbox.send(Marker(label, t_lsl_s, now_s, "stream"))

    def _has_lsl_time(self, opened: Opened, t_lsl_s: float, now_s: float) -> bool:
        """Whether the marker's time on LSL's clock is known; it is dropped if not.

        Once the stream has proven its clock, no offset that is missing or wrong for
        a while ends the session.

        Raises
        ------
        StreamMismatch : this sender's stamps have never been on LSL's clock.
        """
        stream, offset_s = opened.description, opened.offsets.offset_s
        if math.isfinite(t_lsl_s) and not is_foreign(
            t_lsl_s, now_s, offset_s=offset_s, host=stream.host
        ):
            return True
        certain = offset_s is not None or not is_here(stream.host)
        if self._proven or not certain or not math.isfinite(t_lsl_s):
            self._finder.tell(_dropped(stream, t_lsl_s, now_s))
            return False
        refusal = _refusal(stream, t_lsl_s, now_s)
        opened.description = replace(stream, foreign_clock=True)
        self._outbox.send(Fault("StreamMismatch", str(refusal), fatal=True))
        raise refusal


def _pull(inlet: pylsl.StreamInlet) -> tuple[list[str | float], float] | None:
    """Return one sample and its stamp, None if none came.

    Text that is no UTF-8 becomes a label with replacement characters, or is dropped
    where pylsl decodes by itself.
    """
    try:
        values, stamp = inlet.pull_sample(timeout=PULL_LIMIT_S)
    except UnicodeDecodeError:
        return None
    if values is None:
        return None
    return [
        value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value
        for value in values
    ], stamp


def _refusal(stream: StreamDescription, t_lsl_s: float, now_s: float) -> StreamMismatch:
    return StreamMismatch(
        f"trigger stream {stream.name!r} on {stream.host!r} stamps its markers "
        f"{t_lsl_s:.3f} s, but LSL's clock is at {now_s:.3f} s: another clock "
        "(Unix time?), so volumes cannot be placed in the EEG. Let the sender "
        "use LSL's local_clock, use a trigger channel of the EEG stream "
        "(--trigger-channel), or run free with --tr."
    )


def _dropped(stream: StreamDescription, t_lsl_s: float, now_s: float) -> StreamMismatch:
    return StreamMismatch(
        f"a marker of {stream.name!r} on {stream.host!r} was dropped: it is stamped "
        f"{t_lsl_s:.3f} s while LSL's clock is at {now_s:.3f} s, and no clock offset "
        "is known that explains it. Look at the sender's clock and the network."
    )


def run_markers(order: Order, outbox: FrameWriter, clock: Clock) -> None:
    """Run the marker inlet of `order` until the session ends."""
    with suppress(BrokenPipeError):  # the session is gone
        MarkerInlet(order, outbox, clock.now_s).follow()


# In the inlet process: measured BOLD of an LSL stream, volume by volume.
#
# The stream is of type BOLD: its first channel is the volume's number, the others are
# ROIs by their labels, the stamp is the volume's onset. The twin sends such a stream.

BOLD_QUIET_S = 10.0  # without a volume for so long: see whether the sender was replaced


class BoldInlet:
    """Follows one stream of measured BOLD through its losses."""

    def __init__(
        self, order: Order, outbox: FrameWriter, clock: Callable[[], float]
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self.follow = IrregularReader(
            StreamFollower(order, outbox, clock),
            outbox,
            clock,
            quiet_s=BOLD_QUIET_S,
            check=require_bold,
            take=self._pass_on,
        ).follow

    def _pass_on(
        self, opened: Opened, values: Sequence[str | float], stamp_s: float
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
    numbered = bool(labels) and labels[0].strip().casefold() in VOLUME_NUMBER
    if sample_format != "string" and numbered and len(labels) > 1:
        return
    raise StreamMismatch(
        f"stream {stream.name!r} (type {stream.type!r}) has the channels "
        f"{labels[:4]}, expected measured BOLD: numbers, first the channel "
        "volume_index, then one channel per ROI with its label."
    )


def measured_volume(
    stream: StreamDescription,
    values: Sequence[str | float],
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
