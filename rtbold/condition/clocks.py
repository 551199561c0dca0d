"""From the clock of a stream's stamps to this machine's LSL clock, and back.

Windows are found on the clock of the EEG's stamps, where a trigger of the same machine
is exact to the sample; only what is published is converted.
"""

import math
from collections import deque

import numpy as np

from rtbold.messages import ClockOffset, EegChunk, FloatArray, Marker, StreamDescription


class ForeignClock:
    """Align stamps of another clock (Unix time) by the running minimum of the lag.

    The offset is the smallest (arrival - stamp) of the last minute. It contains the
    shortest transport time, which nothing can tell from a clock difference.

    Parameters
    ----------
    bucket_s : length of one window of minima.
    n_buckets : how many are kept.
    """

    def __init__(self, bucket_s: float = 5.0, n_buckets: int = 12) -> None:
        self._bucket_s = bucket_s
        self._minima: deque[float] = deque(maxlen=n_buckets)
        self._bucket_end_s = -np.inf

    def push(self, stamps_s: FloatArray, t_arrived_s: float) -> None:
        """Take in the raw stamps of a chunk and when it came."""
        stamps_s = stamps_s[np.isfinite(stamps_s)]
        if len(stamps_s) == 0:
            return
        lag_s = t_arrived_s - float(stamps_s.max())
        if t_arrived_s >= self._bucket_end_s:
            self._bucket_end_s = t_arrived_s + self._bucket_s
            self._minima.append(lag_s)
        elif lag_s < self._minima[-1]:
            self._minima[-1] = lag_s

    @property
    def offset_s(self) -> float:
        """Return what to add to raw stamps; NaN before the first chunk."""
        return min(self._minima, default=np.nan)

    @property
    def uncertainty_s(self) -> float:
        """Return the spread of the windows' minima; infinite before the second one.

        The window in progress is left out: its minimum is not found yet.
        """
        whole = list(self._minima)[:-1]
        return max(whole) - min(whole) if len(whole) > 1 else np.inf


CLOCK_MOVED_S = 0.01


class StreamClocks:
    """The newest offsets of the EEG stream and of the marker stream.

    A marker stream that never had an offset of its own is on the EEG's clock: both come
    from the same machine.
    """

    def __init__(self) -> None:
        self._eeg_offset_s = 0.0
        self._marker_offset_s: float | None = None
        self._foreign: ForeignClock | None = None
        self._followed_s = 0.0
        self._host = ""

    @property
    def uncertainty_s(self) -> float | None:
        """Uncertainty of a foreign clock's alignment; None for LSL's own."""
        return self._foreign.uncertainty_s if self._foreign else None

    def describe(self, description: StreamDescription) -> None:
        """Take the (new) stream's kind of clock."""
        self._foreign = ForeignClock() if description.foreign_clock else None
        if description.host != self._host:
            self._host, self._eeg_offset_s = description.host, 0.0

    def take_chunk(self, chunk: EegChunk) -> None:
        """Align a foreign clock by the first samples, before their line is known."""
        if self._foreign is not None and chunk.t_lsl_s.size:
            self._foreign.push(chunk.t_lsl_s, chunk.t_arrived_s)

    def take_line(self, newest_s: float, t_arrived_s: float) -> None:
        """Follow a foreign clock by the time of its newest sample on the line.

        Not by its stamp: a step of the stamps is taken out of the line already.
        """
        if self._foreign is not None:
            self._foreign.push(np.array([newest_s]), t_arrived_s)

    def take_offset(self, offset: ClockOffset) -> None:
        """Take a measured clock offset."""
        if offset.stream == "marker":
            self._marker_offset_s = offset.offset_s
        else:
            self._eeg_offset_s = offset.offset_s

    def of_marker(self, marker: Marker) -> float:
        """Return a marker's time on the clock of the EEG's stamps."""
        if marker.source == "channel" or self._marker_offset_s is None:
            return marker.t_lsl_s
        return self.to_stream(marker.t_lsl_s + self._marker_offset_s)

    def to_local(self, t_stream_s: float) -> float:
        """Return the time on this machine's LSL clock."""
        return t_stream_s + self._offset_s

    def to_stream(self, t_local_s: float) -> float:
        """Return the time on the clock of the EEG's stamps."""
        return t_local_s - self._offset_s

    def moved_s(self) -> float:
        """Return by how much the stream's clock moved since the last call.

        What was timed on the old clock must be moved by this. Only real moves count
        (the stream came back from another machine): measured offsets wander by
        microseconds.
        """
        moved_s = self._followed_s - self._offset_s
        if abs(moved_s) < CLOCK_MOVED_S:
            return 0.0
        self._followed_s = self._offset_s
        return moved_s

    @property
    def _offset_s(self) -> float:
        if self._foreign is None:
            return self._eeg_offset_s
        offset_s = self._foreign.offset_s
        return offset_s if math.isfinite(offset_s) else 0.0
