"""What was predicted and what was measured, volume by volume: the past of both. Pure.

Both go through the same causal low-pass before they are compared, so that its delay
touches their correlation as little as it can.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt, sosfilt_zi, sosfiltfilt

from rtbold.messages import Float32Array, FloatArray

# Pearson R of series side by side. Pure.

LEAST_SD: Final = 1e-6  # a column that varies less explains nothing


def pearson_r(
    a: FloatArray | Float32Array,
    b: FloatArray | Float32Array,
    *,
    constant: float = 0.0,
) -> FloatArray:
    """Return R of each column of two series (volumes, columns).

    Parameters
    ----------
    constant : R where either column has an sd below 1e-6.
    """
    a_left: FloatArray = a - a.mean(axis=0, dtype=np.float64)
    b_left: FloatArray = b - b.mean(axis=0, dtype=np.float64)
    least = np.minimum((a_left**2).mean(axis=0), (b_left**2).mean(axis=0))
    return np.where(least >= LEAST_SD**2, centred_r(a_left, b_left), constant)


def centred_r(a: FloatArray, b: FloatArray, *, constant: float = 0.0) -> FloatArray:
    """Return R of each column of two series without mean, 0 where missing.

    Parameters
    ----------
    constant : R where either column is 0 throughout.
    """
    power = (a**2).sum(axis=0) * (b**2).sum(axis=0)
    varies = power > 0
    r: FloatArray = (a * b).sum(axis=0) / np.sqrt(np.where(varies, power, 1.0))
    return np.where(varies, r, constant)


# How many independent samples autocorrelated series hold. Pure.
#
# Series are (volumes, columns) on a regular grid of volumes. A volume that is missing
# is 0 in a series without mean, and False in the mask.

BoolArray = NDArray[np.bool_]
MAX_LAG_SHARE: Final = 0.25  # of the series; later lags are too few products to tell
MIN_EFFECTIVE_N: Final = 3.0


def autocorrelation(series: FloatArray, n_lags: int) -> FloatArray:
    """Return lags 0 to `n_lags` of each column, (lags + 1, columns).

    The biased estimate (sums over n, not over n - lag): it falls to 0 by itself, and
    missing volumes weigh nothing. A constant column is 1 at lag 0 and 0 after it.
    """
    n = len(series)
    spectrum = np.fft.rfft(series, 2 * n, axis=0)
    sums = np.fft.irfft(np.abs(spectrum) ** 2, 2 * n, axis=0)[: n_lags + 1]
    power = np.where(sums[0] > 0, sums[0], 1.0)
    ratio: FloatArray = sums / power
    ratio[0] = 1.0
    return ratio


def effective_n(a: FloatArray, b: FloatArray, mask: BoolArray) -> FloatArray:
    """Return the independent pairs that each column of two series amounts to.

    ``n / (1 + 2 sum_l (1 - l/n) rho_a(l) rho_b(l))`` up to a quarter of the series
    (Bartlett 1935, 1946): what the variance of R between unrelated series of this
    autocorrelation asks for. Between 3 and n.

    Parameters
    ----------
    a, b : (volumes, columns), without mean; 0 where missing.
    mask : (volumes,), False where missing.
    """
    n = len(mask)
    lags = np.arange(1, int(n * MAX_LAG_SHARE) + 1)
    weight = (1 - lags / n)[:, None]
    products = autocorrelation(a, len(lags))[1:] * autocorrelation(b, len(lags))[1:]
    return _bounded(mask, 1 + 2 * (weight * products).sum(axis=0))


def effective_n_of_mean(series: FloatArray, mask: BoolArray) -> FloatArray:
    """Return the independent samples that the mean of each column rests on.

    The sum over lags ends where the autocorrelation first falls below 0 (Geyer 1992),
    because the biased estimate sums to nothing over all lags.
    """
    n_lags = int(len(mask) * MAX_LAG_SHARE)
    rho = autocorrelation(series, n_lags)[1:]
    before_zero = np.cumprod(rho > 0, axis=0)
    return _bounded(mask, 1 + 2 * (rho * before_zero).sum(axis=0))


def _bounded(mask: BoolArray, inflation: FloatArray) -> FloatArray:
    n = float(mask.sum())
    least = min(MIN_EFFECTIVE_N, n)
    bounded: FloatArray = np.clip(n / np.maximum(inflation, 1e-9), least, n)
    return bounded


# R of prediction and measurement over the newest volumes, with its interval. Pure.

ENOUGH_EFFECTIVE_N: Final = 20.0  # independent pairs; below, an R says nothing
LEAST_VOLUMES: Final = 8
HALF_95: Final = NormalDist().inv_cdf(0.975)  # of a normal distribution, in sd
_LARGEST_R: Final = 1 - 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class RollingR:
    """One R per column; nan where there is not enough to say one."""

    r: FloatArray  # (columns,)
    low: FloatArray  # (columns,), 95 % interval
    high: FloatArray
    n_eff: FloatArray  # (columns,), independent pairs (Bartlett)
    n: FloatArray  # (columns,), pairs


def rolling_r(predicted: FloatArray, measured: FloatArray) -> RollingR:
    """Return R of each column of two series; a straight line is taken off both.

    The interval is Fisher's with the effective number of pairs. Below 20 effective
    pairs there is no R at all.

    Parameters
    ----------
    predicted, measured : (volumes, columns) on a grid of volumes; nan: missing.
    """
    there: BoolArray = np.isfinite(predicted) & np.isfinite(measured)
    n_columns = there.shape[1]
    r, n_eff = np.full(n_columns, np.nan), np.zeros(n_columns)
    n = there.sum(axis=0).astype(np.float64)
    # Columns that miss the same volumes go together: usually that is all of them.
    masks, group = np.unique(there, axis=1, return_inverse=True)
    for k, mask in enumerate(masks.T):
        columns = np.flatnonzero(group.ravel() == k)
        n_eff[columns] = n[columns]
        if mask.sum() < LEAST_VOLUMES:
            continue
        a = _straightened(predicted[:, columns], mask)
        b = _straightened(measured[:, columns], mask)
        n_eff[columns] = effective_n(a, b, mask)
        r[columns] = centred_r(a, b, constant=np.nan)
    r = np.where(n_eff >= ENOUGH_EFFECTIVE_N, r, np.nan)
    low, high = fisher_interval(r, n_eff)
    return RollingR(r=r, low=low, high=high, n_eff=n_eff, n=n)


def fisher_interval(r: FloatArray, n_eff: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the ends of the 95 % interval of R that rests on `n_eff` pairs."""
    error = 1 / np.sqrt(np.maximum(n_eff - 3, 1e-9))
    half = HALF_95 * error
    z = np.arctanh(np.clip(r, -_LARGEST_R, _LARGEST_R))
    return np.tanh(z - half), np.tanh(z + half)


def _straightened(series: FloatArray, mask: BoolArray) -> FloatArray:
    """Return the series without its straight line, 0 where missing."""
    t = np.flatnonzero(mask).astype(np.float64)
    design = np.stack([np.ones_like(t), t - t.mean()], axis=1)
    weights = np.linalg.lstsq(design, series[mask], rcond=None)[0]
    straight = np.zeros_like(series)
    straight[mask] = series[mask] - design @ weights
    # What rounding leaves of a constant is no signal.
    size = np.abs(series[mask]).max(axis=0)
    straight[:, straight[mask].std(axis=0) <= 1e-9 * size] = 0.0
    return straight


# Low-pass of a series that comes volume by volume: causal in a session. Pure.

CAUSAL_ORDER: Final = 2
MAX_HELD: Final = 2  # missing volumes in a row that are bridged
SETTLING_CYCLES: Final = 0.6  # of the cut-off's period, until a start has worn off
LEAST_ZERO_PHASE: Final = 20  # volumes; the padding alone needs 18
TARGET_CUTOFF_HZ: Final = 0.15
_TARGET_ORDER: Final = 5
# Odd extension at both ends of a run, as sosfiltfilt makes it; shorter on short runs.
_PADDING_N: Final = 18


class CausalLowpass:
    """Butterworth of order 2 over the volumes of one run, one volume a call.

    A missing volume holds the last value for the filter and gives nan; after more than
    `MAX_HELD` in a row, the filter starts anew and gives nan until it has settled.

    Parameters
    ----------
    cutoff_hz : None, or above what the TR can carry: nothing is filtered.
    tr_s : of the volumes.
    """

    def __init__(self, cutoff_hz: float | None, tr_s: float) -> None:
        self._sos = None
        self._settling_n = 0
        if cutoff_hz is not None and cutoff_hz < 0.5 / tr_s:
            self._sos = butter(CAUSAL_ORDER, cutoff_hz, fs=1 / tr_s, output="sos")
            self._settling_n = int(np.ceil(SETTLING_CYCLES / (cutoff_hz * tr_s)))
        self.restart()

    def restart(self) -> None:
        """Forget everything: another run begins."""
        self._state: FloatArray | None = None
        self._last: FloatArray | None = None
        self._n_missing = self._n_since_start = 0

    def __call__(self, values: FloatArray) -> FloatArray:
        """Return the filtered volume, (columns,); nan where it cannot be told.

        Parameters
        ----------
        values : (columns,); nan: missing. A volume all of whose columns are nan is a
            missing volume.
        """
        here = np.isfinite(values)
        if not here.any():
            self._n_missing += 1
            if self._n_missing > MAX_HELD or self._last is None:
                self.restart()
            else:
                self._filtered(self._last)
            return np.full(len(values), np.nan)
        self._n_missing = 0
        before = values if self._last is None else self._last
        filtered = self._filtered(np.where(here, values, before))
        settled = self._n_since_start > self._settling_n
        return np.where(here & settled, filtered, np.nan)

    def _filtered(self, values: FloatArray) -> FloatArray:
        self._last = values
        self._n_since_start += 1
        if self._sos is None:
            return values
        steady: FloatArray = sosfilt_zi(self._sos)[:, :, None] * values
        if self._state is None:
            self._state = steady
        # A column that comes for the first time starts as if it had always been so.
        self._state = np.where(np.isfinite(self._state), self._state, steady)
        filtered, self._state = sosfilt(self._sos, values[None], axis=0, zi=self._state)
        row: FloatArray = filtered[0]
        return row


def lowpassed(run: FloatArray, tr_s: float, lowpass_hz: float | None) -> FloatArray:
    """Return a run (volumes, columns) as targets are made: low-passed to and fro.

    Butterworth of order 5. It sees the future of each volume: for training and for
    scores after a run, never for a session. A run of one volume, and any run whose
    sampling holds nothing above the cutoff (TR of 3.3 s and more at 0.15 Hz), is
    returned as it came.

    Parameters
    ----------
    run : one contiguous run without holes.
    """
    if lowpass_hz is None or lowpass_hz >= 0.5 / tr_s or len(run) < 2:
        return run
    sos = butter(_TARGET_ORDER, lowpass_hz, fs=1 / tr_s, output="sos")
    padding_n = min(_PADDING_N, len(run) - 1)
    filtered: FloatArray = sosfiltfilt(sos, run, axis=0, padlen=padding_n)
    return filtered


WINDOW_VOLUMES: Final = 150  # of the rolling R: five minutes at a TR of 2.1 s
KEPT_VOLUMES: Final = 5000  # for the score after the run: three hours at 2.1 s
ENOUGH_FOR_UNITS: Final = 60  # volumes, to put a measurement into model units


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One volume; nan where there is nothing."""

    volume: int
    predicted: FloatArray  # (columns,), model units
    measured: FloatArray  # (columns,), the scanner's unit


class PairHistory:
    """The pairs of a session, low-passed and as they came.

    Parameters
    ----------
    lowpass_hz : cut-off of the target; None: not filtered.
    tr_s : of the volumes.
    """

    def __init__(self, lowpass_hz: float | None, tr_s: float) -> None:
        self._lowpass_hz = lowpass_hz
        self._tr_s = tr_s
        self._of_predicted = CausalLowpass(lowpass_hz, tr_s)
        self._of_measured = CausalLowpass(lowpass_hz, tr_s)
        self._newest = -1
        self._window: deque[Pair] = deque(maxlen=WINDOW_VOLUMES)  # filtered
        self._kept: deque[Pair] = deque(maxlen=KEPT_VOLUMES)  # as they came

    def begin_run(self) -> None:
        """Start the filters anew; volumes are counted from 0 again."""
        self._newest = -1
        self._of_predicted.restart()
        self._of_measured.restart()

    def forget(self) -> None:
        """Forget all pairs: their columns are others now."""
        self.begin_run()
        self._window.clear()
        self._kept.clear()

    def add(self, pair: Pair) -> Pair:
        """Take the next volume of the run; return it low-passed."""
        n_missed = pair.volume - self._newest - 1 if self._newest >= 0 else 0
        nothing = np.full(len(pair.measured), np.nan)
        for _ in range(min(n_missed, MAX_HELD + 1)):
            self._of_predicted(nothing)
            self._of_measured(nothing)
        self._newest = pair.volume
        filtered = Pair(
            pair.volume,
            self._of_predicted(pair.predicted),
            self._of_measured(pair.measured),
        )
        self._kept.append(pair)
        self._window.append(filtered)
        return filtered

    def rolling(self, n_columns: int) -> RollingR:
        """Return R over the newest volumes, (columns,)."""
        return rolling_r(*_on_grid(self._window, n_columns))

    def newest_in_units(self) -> Pair | None:
        """Return the newest pair, filtered, with the measurement in model units.

        A session's scanner gain is not the calibration's, so the measurement is
        standardised by its own last volumes; None before there are 60 of them.
        """
        if len(self._window) < ENOUGH_FOR_UNITS:
            return None
        past = np.array([pair.measured for pair in self._window])
        enough = np.isfinite(past).sum(axis=0) >= ENOUGH_FOR_UNITS
        if not enough.any():
            return None
        past[:, ~enough] = 0.0
        mean, sd = np.nanmean(past, axis=0), np.nanstd(past, axis=0)
        newest = self._window[-1]
        scale = np.where(enough & (sd > 0), sd, np.nan)
        return Pair(newest.volume, newest.predicted, (newest.measured - mean) / scale)

    def after_run(self, n_columns: int) -> RollingR | None:
        """Return R of the newest run with the measurement filtered as the target.

        Forwards and backwards: it sees the future of each volume, so it is a score
        after the run and nothing for a session. None if the run was too short.
        """
        predicted, measured = _on_grid(_last_run(self._kept), n_columns)
        there: BoolArray = np.all(np.isfinite(measured), axis=1)
        if not there.any():
            return None
        grid = np.arange(len(measured))
        bridged = [np.interp(grid, grid[there], m[there]) for m in measured.T]
        if len(measured) < LEAST_ZERO_PHASE:
            return None
        target = lowpassed(np.stack(bridged, axis=1), self._tr_s, self._lowpass_hz)
        return rolling_r(predicted, np.where(there[:, None], target, np.nan))


def _last_run(pairs: Sequence[Pair]) -> list[Pair]:
    rows = list(pairs)
    steps = [k for k in range(1, len(rows)) if rows[k].volume <= rows[k - 1].volume]
    return rows[steps[-1] :] if steps else rows


def _on_grid(pairs: Sequence[Pair], n_columns: int) -> tuple[FloatArray, FloatArray]:
    """Return (volumes, columns) twice; nan where volumes are missing.

    A step back or a long hole takes one empty volume, for it is no neighbour.
    """
    nothing = np.full(n_columns, np.nan)
    predicted: list[FloatArray] = []
    measured: list[FloatArray] = []
    for k, pair in enumerate(pairs):
        step = pair.volume - pairs[k - 1].volume if k else 1
        n_missing = step - 1 if 1 <= step <= MAX_HELD + 1 else 1
        predicted += [nothing] * n_missing + [pair.predicted]
        measured += [nothing] * n_missing + [pair.measured]
    if not predicted:
        return np.empty((0, n_columns)), np.empty((0, n_columns))
    return np.array(predicted), np.array(measured)
