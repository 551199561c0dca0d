"""How much later the cleaned EEG is stamped than the raw one.

Cleaning software may send a sample long after it was measured and stamp it on
sending: the window would then be shifted in silence. Where raw and cleaned stream are
both visible, the lag that makes them most alike is that delay; where only one stream
and the triggers are, the gradient artefact's onset after the trigger is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pylsl
from pylsl.util import LostError, TimeoutError as LslTimeoutError
from scipy import signal

from rtbold.acquire import (
    Resolver,
    StreamQuery,
    describe_info,
    fitting,
    found_stream,
    marker_labels,
    require_eeg,
    require_markers,
    same_label,
    select_label,
    select_stream,
)
from rtbold.clock import Clock
from rtbold.electrodes import canonical
from rtbold.errors import ConfigError, DataFileError, StreamMismatch, StreamNotFound
from rtbold.messages import FloatArray, StreamDescription

BAND_HZ = (1.0, 25.0)
GRID_HZ = 250.0  # ten times the band: the peak's parabola is then a good one
BLOCK_S = 4.0
MAX_LAG_S = 2.0
MIN_CORRELATION = 0.3  # a block whose best lag is less alike tells nothing
MIN_BLOCKS = 5
ONSET_CONTRAST = 5.0  # loud over quiet, in amplitude
QUIET_S = 1.0  # before a trigger that starts a run
PAUSE_S = 3.0  # without a trigger: the next one starts a run
MAX_JITTER_S = 0.15  # of stamps around a line; bursts of 200 ms have 0.1 s
PULL_EVERY_S = 0.1
PULL_MAX = 2048  # 0.1 s of the fastest stream is 500
LOOK_EVERY_S = 0.05
OPEN_LIMIT_S = 5.0
CHANNELS_MIN = 2  # in common; one alone could be a reference that is flat
CHANNELS_MAX = 16  # more do not sharpen the answer
DTYPES = {"float32": "f4", "double64": "f8", "int8": "i1", "int16": "i2",
          "int32": "i4", "int64": "i8"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DelayEstimate:
    """A delay with its spread over blocks, or over scanner starts."""

    method: str  # "cross_correlation" or "gradient_onset"
    delay_s: float  # median; positive: the cleaned stream is later
    iqr_s: float | None  # interquartile range; None: one onset has no spread
    sd_s: float | None
    n_used: int  # blocks or onsets that were clear
    n_seen: int
    correlation: float | None = None  # median at the best lag; None: an onset


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """A stretch of one stream with a time for every sample."""

    t_s: FloatArray  # (samples,), one clock for all streams
    data_uv: FloatArray  # (channels, samples)


def estimate_delay(
    raw: Recorded, cleaned: Recorded, max_lag_s: float = MAX_LAG_S
) -> DelayEstimate:
    """Return how much later the cleaned stream shows what the raw one shows.

    Parameters
    ----------
    raw, cleaned : the same channels in the same order; rates may differ. Best with
        the scanner off: what both have in common is then the whole signal.
    max_lag_s : lags of either sign up to this are tried.

    Raises
    ------
    DataFileError : too short, or too few blocks in which the streams are alike.
    """
    first_s = max(raw.t_s[0], cleaned.t_s[0])
    last_s = min(raw.t_s[-1], cleaned.t_s[-1])
    grid_s = np.arange(first_s, last_s, 1 / GRID_HZ)
    lag_n, block_n = round(max_lag_s * GRID_HZ), round(BLOCK_S * GRID_HZ)
    starts = range(lag_n, grid_s.size - block_n - lag_n + 1, block_n)
    if len(starts) < MIN_BLOCKS:
        needed_s = MIN_BLOCKS * BLOCK_S + 2 * max_lag_s
        raise DataFileError(
            f"raw and cleaned stream overlap for {max(last_s - first_s, 0):.1f} s, "
            f"expected at least {needed_s:g} s: record longer (--seconds); are both "
            "stamped on LSL's clock?"
        )
    a, b = _on_grid(raw, grid_s), _on_grid(cleaned, grid_s)
    # (lag, correlation) of each block of the raw stream against the cleaned one.
    found = [
        _best_lag(
            a[:, start : start + block_n],
            b[:, start - lag_n : start + block_n + lag_n],
        )
        for start in starts
    ]
    used = [(lag, r) for lag, r in found if r >= MIN_CORRELATION]
    if len(used) < MIN_BLOCKS:
        raise DataFileError(
            f"raw and cleaned stream are alike in {len(used)} of {len(found)} blocks, "
            f"expected at least {MIN_BLOCKS}: are they the same person's, with the "
            "same reference? Try with the scanner off, or with a longer --max-lag"
        )
    lags_s = np.array([lag for lag, _ in used]) / GRID_HZ
    estimate = _summary("cross_correlation", lags_s, len(found))
    return replace(estimate, correlation=float(np.median([r for _, r in used])))


def estimate_onset(
    stream: Recorded, triggers_s: FloatArray, max_lag_s: float = MAX_LAG_S
) -> DelayEstimate:
    """Return how long after the trigger that starts a run the artefact is seen.

    Parameters
    ----------
    stream : raw, or cleaned by software that lets the first volumes through; its
        rate limits the answer (5 ms at 200 Hz).
    triggers_s : of the volumes, on the stream's clock. Only the first after a pause
        of 3 s counts: in a running scan the onset is covered by the volume before.

    Raises
    ------
    DataFileError : no run starts in the recording, or none shows its artefact.
    """
    pause_s = np.diff(triggers_s, prepend=-np.inf)
    starts_s = triggers_s[pause_s > PAUSE_S]
    steps_uv = np.abs(np.diff(stream.data_uv, axis=1)).mean(axis=0)
    found = [
        _onset_s(steps_uv, stream.t_s[1:] - start_s, max_lag_s) for start_s in starts_s
    ]
    delays_s = np.array([onset_s for onset_s in found if onset_s is not None])
    if delays_s.size == 0:
        raise DataFileError(
            f"{starts_s.size} scanner starts in the recording, none with an onset "
            f"{ONSET_CONTRAST:g} times louder than the second before it: start the "
            "scanner while this runs, after at least 3 s without it"
        )
    return _summary("gradient_onset", delays_s, starts_s.size)


def regular_times(stamps_s: FloatArray) -> FloatArray:
    """Return the times of samples on a line through their stamps.

    Stamps of one burst may be alike; the line through all of them is not moved.

    Raises
    ------
    DataFileError : the stamps leave the line, so samples are missing.
    """
    if stamps_s.size < 2:
        raise DataFileError(
            f"{stamps_s.size} samples came, expected a stream that flows: is the "
            "sender running?"
        )
    count = np.arange(stamps_s.size, dtype=np.float64)
    origin_s = stamps_s[0]
    slope_s, intercept_s = np.polyfit(count, stamps_s - origin_s, 1)
    on_line_s = intercept_s + slope_s * count
    off_s = float(np.abs(stamps_s - origin_s - on_line_s).max())
    if off_s > MAX_JITTER_S:
        raise DataFileError(
            f"stamps are up to {off_s:.2f} s off a line, expected at most "
            f"{MAX_JITTER_S:g} s: samples were lost, measure again"
        )
    return np.asarray(origin_s + on_line_s)


def _on_grid(stream: Recorded, grid_s: FloatArray) -> FloatArray:
    """Return the stream's band, filtered without delay, at the times of the grid."""
    rate_hz = (stream.t_s.size - 1) / (stream.t_s[-1] - stream.t_s[0])
    band = signal.butter(2, BAND_HZ, "bandpass", fs=rate_hz, output="sos")
    centred = stream.data_uv - stream.data_uv[:, :1]
    filtered = signal.sosfiltfilt(band, centred, axis=1)
    return np.stack([np.interp(grid_s, stream.t_s, row) for row in filtered])


def _best_lag(raw: FloatArray, cleaned: FloatArray) -> tuple[float, float]:
    """Return lag in samples and the mean correlation over channels at that lag.

    Parameters
    ----------
    raw : (channels, n).
    cleaned : (channels, n + 2 m), from m samples before `raw` to m after it.
    """
    n = raw.shape[1]
    product = np.stack(
        [
            signal.correlate(y, x, mode="valid", method="fft")
            for x, y in zip(raw, cleaned, strict=True)
        ]
    )
    power = np.cumsum(np.pad(cleaned**2, ((0, 0), (1, 0))), axis=1)
    norm = np.sqrt((raw**2).sum(axis=1, keepdims=True) * (power[:, n:] - power[:, :-n]))
    alike = np.divide(product, norm, out=np.zeros_like(product), where=norm > 0)
    curve = alike.mean(axis=0)
    best = int(curve.argmax())
    if best in (0, curve.size - 1):
        return 0.0, 0.0  # the peak is beyond the lags that were tried
    left, top, right = curve[best - 1 : best + 2]
    bend = left - 2 * top + right
    shift = 0.5 * (left - right) / bend if bend else 0.0
    return best + float(shift) - (curve.size - 1) / 2, float(top)


def _onset_s(
    steps_uv: FloatArray, since_trigger_s: FloatArray, max_lag_s: float
) -> float | None:
    """Return the time from the trigger to the first loud step; None if unclear."""
    before = (since_trigger_s >= -QUIET_S) & (since_trigger_s < 0)
    after = (since_trigger_s >= 0) & (since_trigger_s <= max_lag_s)
    if not before.any() or not after.any():
        return None
    quiet_uv = float(np.percentile(steps_uv[before], 95))
    loud_uv = float(np.percentile(steps_uv[after], 95))
    if loud_uv <= ONSET_CONTRAST * quiet_uv:
        return None
    # Half way in the logarithm: above all of the quiet, and early in the rise.
    threshold_uv = np.sqrt(max(quiet_uv, loud_uv * 1e-4) * loud_uv)
    loud = after & (steps_uv > threshold_uv)
    return float(since_trigger_s[loud.argmax()])


def _summary(method: str, delays_s: FloatArray, n_seen: int) -> DelayEstimate:
    several = delays_s.size > 1
    low_s, high_s = np.percentile(delays_s, (25, 75))
    return DelayEstimate(
        method=method,
        delay_s=float(np.median(delays_s)),
        iqr_s=float(high_s - low_s) if several else None,
        sd_s=float(delays_s.std(ddof=1)) if several else None,
        n_used=int(delays_s.size),
        n_seen=n_seen,
    )


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
        shape = (PULL_MAX, len(opened.stream.channels))
        self._buffer = np.empty(shape, DTYPES[found_stream(opened.info).format])
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
        label = select_label({label for label, _ in self._seen}, wanted)
        times_s = [
            t_s
            for seen, t_s in self._seen
            if label is not None and same_label(seen, wanted or label)
        ]
        return np.asarray(times_s, dtype=np.float64)


Tap = EegTap | MarkerTap
ShareCallback = Callable[[float], None]


def measure_delay(
    request: DelayRequest, clock: Clock, progress: ShareCallback = lambda _: None
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
    names = _names(request)
    opened = open_streams(names, request.wait_s, clock)
    first, second = (opened[name] for name in names)
    record = partial(_record, clock=clock, seconds=request.seconds, progress=progress)
    try:
        require_eeg(first.stream, found_stream(first.info).format)
        if request.raw is not None and request.cleaned is not None:
            raw, cleaned = _pair(first, second)
            record([raw, cleaned])
            return estimate_delay(raw.recorded(), cleaned.recorded(), request.max_lag_s)
        eeg, markers = _with_triggers(first, second)
        record([eeg, markers])
        recorded, times_s = eeg.recorded(), markers.times_s(request.trigger)
        return estimate_onset(recorded, times_s, request.max_lag_s)
    except LostError as error:
        raise StreamNotFound(
            f"a stream ended while it was recorded, expected {' and '.join(names)} to "
            f"flow for {request.seconds:g} s: start the sender and repeat"
        ) from error
    finally:
        for one in opened.values():
            one.inlet.close_stream()


def _names(request: DelayRequest) -> list[str]:
    """Return which two streams are compared."""
    eeg = [name for name in (request.raw, request.cleaned) if name is not None]
    if len(eeg) == 2:
        return eeg
    if eeg and request.trigger_stream is not None:
        return [*eeg, request.trigger_stream]
    raise ConfigError(
        f"--measure-delay has {' and '.join(eeg) or 'no EEG stream'} alone, "
        "expected --raw and --cleaned, or one of them and --trigger-stream"
    )


def _pair(raw: Opened, cleaned: Opened) -> tuple[EegTap, EegTap]:
    require_eeg(cleaned.stream, found_stream(cleaned.info).format)
    pairs = common_channels(raw.stream, cleaned.stream)
    return EegTap(raw, [i for i, _ in pairs]), EegTap(cleaned, [j for _, j in pairs])


def _with_triggers(eeg: Opened, markers: Opened) -> tuple[EegTap, MarkerTap]:
    require_markers(markers.stream, found_stream(markers.info).format)
    rows = _eeg_rows(eeg.stream) or list(range(len(eeg.stream.channels)))
    return EegTap(eeg, rows[:CHANNELS_MAX]), MarkerTap(markers)


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
    chosen = {name: select_stream(found, query) for name, query in queries.items()}
    return {name: _opened(infos[stream.uid]) for name, stream in chosen.items()}


def _opened(info: pylsl.StreamInfo) -> Opened:
    inlet = pylsl.StreamInlet(info, max_buflen=30, recover=False)
    try:
        stream = describe_info(inlet.info(timeout=OPEN_LIMIT_S))
        inlet.open_stream(timeout=OPEN_LIMIT_S)
        offset_s = float(inlet.time_correction(timeout=OPEN_LIMIT_S))
    except (LostError, LslTimeoutError) as error:
        raise StreamNotFound(
            f"stream {info.name()!r} was announced but does not answer: is its sender "
            "still running, and its port open in the firewall?"
        ) from error
    return Opened(info, inlet, stream, offset_s)


def _record(
    taps: Sequence[Tap], *, clock: Clock, seconds: float, progress: ShareCallback
) -> None:
    begin_s = clock.now_s()
    while (elapsed_s := clock.now_s() - begin_s) < seconds:
        for tap in taps:
            tap.pull()
        progress(elapsed_s)
        clock.sleep_until(begin_s + elapsed_s + PULL_EVERY_S)
