"""Record two EEG streams, or one and its triggers, and measure the delay between."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pylsl
from pylsl.util import LostError
from pylsl.util import TimeoutError as LslTimeoutError

from rtbold.acquire.describe import describe, require_eeg, require_markers
from rtbold.acquire.streams import Resolver, StreamQuery, choose, fitting, found_stream
from rtbold.acquire.triggers import choose_label, marker_labels
from rtbold.clock import Clock
from rtbold.delay import (
    DelayEstimate,
    Recorded,
    estimate_delay,
    estimate_onset,
    regular_times,
)
from rtbold.electrodes import canonical
from rtbold.errors import ConfigError, StreamMismatch, StreamNotFound
from rtbold.messages import FloatArray, StreamDescription

PULL_EVERY_S = 0.1
PULL_MAX = 2048  # 0.1 s of the fastest stream is 500
LOOK_EVERY_S = 0.05
OPEN_LIMIT_S = 5.0
CHANNELS_MIN = 2  # in common; one alone could be a reference that is flat
CHANNELS_MAX = 16  # more do not sharpen the answer
Progress = Callable[[float], None]
_DTYPES = {
    "float32": np.float32,
    "double64": np.float64,
    "int8": np.int8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
}


@dataclass(frozen=True, slots=True)
class DelayRequest:
    """Which streams are compared, and for how long."""

    raw: str | None
    cleaned: str | None
    trigger_stream: str | None = None
    trigger: str | None = None
    seconds: float = 60.0
    wait_s: float = 5.0
    max_lag_s: float = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """An inlet that is open, and what its stream says of itself."""

    info: pylsl.StreamInfo
    inlet: pylsl.StreamInlet
    stream: StreamDescription
    offset_s: float


class EegTap:
    """An EEG stream as it is being recorded: only the rows that are compared."""

    def __init__(self, opened: Opened, rows: list[int]) -> None:
        self._opened = opened
        self._rows = rows
        dtype = _DTYPES[found_stream(opened.info).format]
        shape = (PULL_MAX, len(opened.stream.channels))
        self._buffer = np.empty(shape, dtype=dtype)
        self._parts: list[FloatArray] = []
        self._stamps_s: list[float] = []

    def pull(self) -> None:
        """Take all that has arrived."""
        n = PULL_MAX
        while n == PULL_MAX:
            _, stamps_s = self._opened.inlet.pull_chunk(
                timeout=0.0, max_samples=PULL_MAX, dest_obj=self._buffer
            )
            n = len(stamps_s)
            part = self._buffer[:n, self._rows]
            self._parts.append(part.astype(np.float64))
            self._stamps_s += stamps_s

    def recorded(self) -> Recorded:
        """Return all that was taken; non-finite samples are zero."""
        if not self._stamps_s:
            raise StreamMismatch(
                f"stream {self._opened.stream.name!r} sent no sample, expected it to "
                "flow: start the sender and repeat"
            )
        times_s = regular_times(np.asarray(self._stamps_s) + self._opened.offset_s)
        # (samples, channels) as LSL has it -> (channels, samples)
        data = np.ascontiguousarray(np.concatenate(self._parts).T)
        return Recorded(times_s, np.nan_to_num(data, posinf=0.0, neginf=0.0))


class MarkerTap:
    """A marker stream as it is being recorded."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._seen: list[tuple[str, float]] = []

    def pull(self) -> None:
        """Take what has arrived."""
        samples, stamps_s = self._opened.inlet.pull_chunk(timeout=0.0)
        for values, stamp_s in zip(samples, stamps_s, strict=True):
            for label in marker_labels(values, self._opened.stream):
                self._seen.append((label, stamp_s + self._opened.offset_s))

    def times_s(self, wanted: str | None) -> FloatArray:
        """Return the times of the volume triggers; ambiguous labels are refused."""
        label = choose_label({label for label, _ in self._seen}, wanted)
        times_s = [t_s for seen, t_s in self._seen if seen == label]
        return np.asarray(times_s, dtype=np.float64)


Tap = EegTap | MarkerTap
Record = Callable[[Sequence[Tap]], None]
Measure = Callable[[Opened, Opened, DelayRequest, Record], DelayEstimate]


def measure_delay(
    request: DelayRequest, clock: Clock, progress: Progress = lambda _: None
) -> DelayEstimate:
    """Record for a while and estimate.

    Parameters
    ----------
    request : raw and cleaned streams, or either of them and the trigger stream.
    clock : any; it says how long.
    progress : called with the seconds that were recorded.

    Raises
    ------
    StreamNotFound, AmbiguousStream, StreamMismatch : the streams are not there, or not
        what they should be.
    DataFileError : they were recorded, but tell nothing.
    """
    names, measure = _compared(request)
    opened = open_streams(list(names), request.wait_s, clock)

    def record(taps: Sequence[Tap]) -> None:
        _record(taps, request.seconds, clock=clock, progress=progress)

    try:
        first, second = (opened[name] for name in names)
        return measure(first, second, request, record)
    except LostError as error:
        raise StreamNotFound(
            f"a stream ended while it was recorded, expected {' and '.join(names)} to "
            f"flow for {request.seconds:g} s: start the sender and repeat"
        ) from error
    finally:
        for one in opened.values():
            one.inlet.close_stream()


def _compared(request: DelayRequest) -> tuple[tuple[str, str], Measure]:
    """Return the names of the two streams, and how they are compared."""
    eeg = [name for name in (request.raw, request.cleaned) if name is not None]
    if len(eeg) == 2:
        return (eeg[0], eeg[1]), _from_pair
    if len(eeg) == 1 and request.trigger_stream is not None:
        return (eeg[0], request.trigger_stream), _from_onset
    raise ConfigError(
        f"--measure-delay has {' and '.join(eeg) or 'no EEG stream'} alone, "
        "expected --raw and --cleaned, or one of them and --trigger-stream"
    )


def _from_pair(
    raw: Opened, cleaned: Opened, request: DelayRequest, record: Record
) -> DelayEstimate:
    for one in (raw, cleaned):
        require_eeg(one.stream, found_stream(one.info).format)
    pairs = common_channels(raw.stream, cleaned.stream)
    taps = EegTap(raw, [i for i, _ in pairs]), EegTap(cleaned, [j for _, j in pairs])
    record(taps)
    return estimate_delay(taps[0].recorded(), taps[1].recorded(), request.max_lag_s)


def _from_onset(
    eeg: Opened, markers: Opened, request: DelayRequest, record: Record
) -> DelayEstimate:
    require_eeg(eeg.stream, found_stream(eeg.info).format)
    require_markers(markers.stream, found_stream(markers.info).format)
    rows = _eeg_rows(eeg.stream) or list(range(len(eeg.stream.channels)))
    tap, triggers = EegTap(eeg, rows[:CHANNELS_MAX]), MarkerTap(markers)
    record((tap, triggers))
    return estimate_onset(
        tap.recorded(), triggers.times_s(request.trigger), request.max_lag_s
    )


def common_channels(
    raw: StreamDescription, cleaned: StreamDescription
) -> list[tuple[int, int]]:
    """Return rows of the EEG channels that both streams have, spread over the cap.

    Raises
    ------
    StreamMismatch : fewer than two.
    """
    there = {canonical(cleaned.channels[j].label): j for j in _eeg_rows(cleaned)}
    pairs = [
        (i, there[label])
        for i in _eeg_rows(raw)
        if (label := canonical(raw.channels[i].label)) in there
    ]
    if len(pairs) < CHANNELS_MIN:
        raise StreamMismatch(
            f"streams {raw.name!r} and {cleaned.name!r} have {len(pairs)} EEG channels "
            f"in common, expected at least {CHANNELS_MIN}: rtbold streams lists them; "
            "are both of the same cap, with labels?"
        )
    return pairs[:: -(-len(pairs) // CHANNELS_MAX)]


def _eeg_rows(stream: StreamDescription) -> list[int]:
    return [i for i, channel in enumerate(stream.channels) if channel.kind == "eeg"]


def open_streams(names: list[str], wait_s: float, clock: Clock) -> dict[str, Opened]:
    """Open each stream by name, or say which is not there, or there twice."""
    queries = {name: StreamQuery(name=name, type=None) for name in names}
    resolver, end_s = Resolver(), clock.now_s() + wait_s
    while True:
        infos = resolver.infos()
        found = [found_stream(info) for info in infos.values()]
        missing = [name for name, q in queries.items() if not fitting(found, q)]
        if not missing or (now_s := clock.now_s()) >= end_s:
            break
        clock.sleep_until(now_s + LOOK_EVERY_S)
    chosen = {name: choose(found, query) for name, query in queries.items()}
    return {name: _opened(infos[stream.uid]) for name, stream in chosen.items()}


def _opened(info: pylsl.StreamInfo) -> Opened:
    inlet = pylsl.StreamInlet(info, max_buflen=30, recover=False)
    try:
        stream = describe(inlet.info(timeout=OPEN_LIMIT_S).as_xml())
        inlet.open_stream(timeout=OPEN_LIMIT_S)
        offset_s = float(inlet.time_correction(timeout=OPEN_LIMIT_S))
    except (LostError, LslTimeoutError) as error:
        raise StreamNotFound(
            f"stream {info.name()!r} was announced but does not answer: is its sender "
            "still running, and its port open in the firewall?"
        ) from error
    return Opened(info, inlet, stream, offset_s)


def _record(
    taps: Sequence[Tap], seconds: float, *, clock: Clock, progress: Progress
) -> None:
    begin_s = clock.now_s()
    while (elapsed_s := clock.now_s() - begin_s) < seconds:
        for tap in taps:
            tap.pull()
        progress(elapsed_s)
        clock.sleep_until(begin_s + elapsed_s + PULL_EVERY_S)
