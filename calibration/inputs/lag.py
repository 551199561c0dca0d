"""At which lag do EEG and BOLD go together? A check of the alignment, never a cure.

Log band power of each channel, two seconds long, predicts BOLD by ridge out of fold,
at one lag at a time. Where EEG and volumes are aligned, the best lag is that of the
haemodynamic response, some 4 to 6 s. A peak elsewhere is told; nothing is shifted.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from rtbold.calibration.fit.ridge import ridge_weights
from rtbold.calibration.inputs.windows import CalibrationScan
from rtbold.condition import MONITOR_BANDS_HZ
from rtbold.messages import Float32Array, FloatArray
from rtbold.truth import pearson_r

RATE_HZ = 200
SPAN_S = 2.0  # of EEG behind one value of power
USUAL_S = (2.0, 9.0)  # where a haemodynamic response may peak
N_FOLDS = 5
GAP_S = 36.0  # between volumes of different folds
ALPHA = 1.0  # of the ridge, per training volume and standardised feature
N_DRAWS = 500
BLOCK_S = 30.0
MIN_SHIFT_S = 60.0  # of the null's circular shifts
CLEAR_P = 0.05
MIN_VOLUMES = 60
MIN_S = 180.0  # so that each fold leaves enough to train on


@dataclass(frozen=True, slots=True)
class LagSettings:
    """Which lags are tried, and how chance is drawn."""

    from_s: float = -10.0
    to_s: float = 20.0
    step_s: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class LagScan:
    """Correlation of EEG-based prediction and BOLD at each lag, mean over ROIs."""

    lags_s: FloatArray  # (lags,); positive: BOLD follows EEG
    r: FloatArray  # (lags,), out of fold
    peak_s: float
    peak_r: float
    interval_s: tuple[float, float]  # 95 %, of the peak, by a block bootstrap
    width_s: float  # over which r is above half of the peak
    p: float  # of so high a peak by circular shifts of BOLD
    n_volumes: int
    warning: str  # empty: nothing speaks against the alignment

    @property
    def clear(self) -> bool:
        """Whether there is a peak at all that chance does not explain."""
        return self.p <= CLEAR_P


def lag_scan(scan: CalibrationScan, settings: LagSettings | None = None) -> LagScan:
    """Scan the lag between EEG power and BOLD.

    A scan of fewer than 60 windows, or of less than 3 minutes, tells nothing, and
    says so.
    """
    return lag_between(
        log_power(scan.windows),
        scan.bold[scan.volume],
        scan.onsets_s[scan.volume],
        tr_s=scan.tr_s,
        settings=settings,
    )


def lag_between(
    power: FloatArray,
    measured: FloatArray,
    times_s: FloatArray,
    *,
    tr_s: float,
    settings: LagSettings | None = None,
) -> LagScan:
    """Scan the lag between the power before each volume and what was measured.

    Parameters
    ----------
    power : (windows, features), of `log_power`.
    measured : (windows, rois).
    times_s : (windows,), onset of each window's volume.
    """
    settings = settings or LagSettings()
    n_lags = round((settings.to_s - settings.from_s) / settings.step_s) + 1
    lags_s = np.linspace(settings.from_s, settings.to_s, n_lags)
    if len(times_s) < MIN_VOLUMES or np.ptp(times_s) < MIN_S:
        return _too_short(lags_s, times_s)
    bold = _without_drift(measured)
    folds = list(_folds(times_s))
    guesses = np.stack(
        [_guess(_lagged(power, times_s, lag_s), bold, folds) for lag_s in lags_s]
    )  # (lags, volumes, rois)
    r = np.array([_mean_r(guess, bold) for guess in guesses])
    best = int(np.argmax(r))
    rng = np.random.default_rng(settings.seed)
    interval_s = _peak_interval(guesses, bold, lags_s, tr_s, rng=rng)
    p = _chance(guesses, bold, float(r[best]), tr_s, rng=rng)
    return LagScan(
        lags_s=lags_s,
        r=r,
        peak_s=float(lags_s[best]),
        peak_r=float(r[best]),
        interval_s=interval_s,
        width_s=_width_s(lags_s, r),
        p=p,
        n_volumes=len(times_s),
        warning=_warning(float(lags_s[best]), interval_s, p),
    )


def log_power(windows: Iterable[Float32Array]) -> FloatArray:
    """Return (windows, channels * bands), of the last 2 s of each window."""
    n = round(SPAN_S * RATE_HZ)
    hz = np.fft.rfftfreq(n, 1 / RATE_HZ)
    inside = [(hz >= low) & (hz < high) for low, high in MONITOR_BANDS_HZ.values()]
    taper = np.hanning(n)
    rows = []
    for window_uv in windows:
        tail_uv = window_uv[:, -n:].astype(np.float64)
        tail_uv -= tail_uv.mean(axis=1, keepdims=True)
        density = np.abs(np.fft.rfft(tail_uv * taper, axis=1)) ** 2  # (channels, hz)
        bands = [density[:, band].sum(axis=1) for band in inside]
        rows.append(np.log(np.stack(bands, axis=1) + 1e-9).ravel())
    return np.stack(rows)


def _lagged(power: FloatArray, times_s: FloatArray, lag_s: float) -> FloatArray:
    """Return the power `lag_s` before each volume, by interpolation over time."""
    centre_s = times_s - SPAN_S / 2
    wanted_s = times_s - lag_s
    columns = [np.interp(wanted_s, centre_s, column) for column in power.T]
    return np.stack(columns, axis=1)


def _without_drift(bold: FloatArray) -> FloatArray:
    """Remove a cubic from each ROI and scale it; drift is alike at every lag."""
    t = np.linspace(-1, 1, len(bold))
    basis = np.polynomial.legendre.legvander(t, 3)
    flat = bold - basis @ np.linalg.lstsq(basis, bold, rcond=None)[0]
    return np.asarray(flat / (flat.std(axis=0) + 1e-12))


def _folds(times_s: FloatArray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (training, test) volumes: contiguous parts with a gap between them."""
    for test in np.array_split(np.arange(len(times_s)), N_FOLDS):
        low_s, high_s = times_s[test[0]] - GAP_S, times_s[test[-1]] + GAP_S
        train = np.flatnonzero((times_s < low_s) | (times_s > high_s))
        yield train, test


def _guess(
    x: FloatArray, y: FloatArray, folds: list[tuple[np.ndarray, np.ndarray]]
) -> FloatArray:
    """Return out-of-fold predictions (volumes, rois)."""
    out = np.zeros_like(y)
    for train, test in folds:
        mean, sd = x[train].mean(axis=0), x[train].std(axis=0) + 1e-9
        z, centre = (x[train] - mean) / sd, y[train].mean(axis=0)
        product = z.T @ (y[train] - centre)
        (weights,) = ridge_weights(z.T @ z, product, [ALPHA * len(train)])
        out[test] = ((x[test] - mean) / sd) @ weights
    return out


def _mean_r(guess: FloatArray, bold: FloatArray) -> float:
    return float(pearson_r(guess, bold).mean())


def _peak_interval(
    guesses: FloatArray,
    bold: FloatArray,
    lags_s: FloatArray,
    tr_s: float,
    *,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Return the 95 % interval of the peak over draws of blocks of volumes."""
    n_block = max(round(BLOCK_S / tr_s), 1)
    blocks = np.arange(len(bold)) // n_block
    starts = np.flatnonzero(np.diff(blocks, prepend=-1))

    def sums(values: FloatArray) -> FloatArray:
        return np.asarray(np.add.reduceat(values, starts, axis=-2))

    # Each (lags, blocks, rois)
    parts = [sums(v) for v in (guesses, guesses**2, guesses * bold)]
    y, yy = sums(bold), sums(bold**2)
    size = np.bincount(blocks).astype(float)
    n_blocks = len(starts)
    peaks = []
    for _ in range(N_DRAWS):
        w = np.bincount(rng.integers(0, n_blocks, n_blocks), minlength=n_blocks)
        n = w @ size
        gx, gxx, gxy = (np.einsum("b,lbr->lr", w, part) / n for part in parts)
        my, myy = w @ y / n, w @ yy / n
        spread = np.maximum((gxx - gx**2) * (myy - my**2), 1e-24)
        r = ((gxy - gx * my) / np.sqrt(spread)).mean(axis=1)
        peaks.append(lags_s[np.argmax(r)])
    low, high = np.percentile(peaks, (2.5, 97.5))
    return float(low), float(high)


def _chance(
    guesses: FloatArray,
    bold: FloatArray,
    peak_r: float,
    tr_s: float,
    *,
    rng: np.random.Generator,
) -> float:
    """Return how often circular shifts of BOLD reach `peak_r` at any lag."""
    n = len(bold)
    least = min(round(MIN_SHIFT_S / tr_s), n // 4)
    shifts = np.arange(least, n - least)
    drawn = rng.permutation(shifts)[: min(N_DRAWS, len(shifts))]
    centred = guesses - guesses.mean(axis=1, keepdims=True)
    unit = centred / (np.sqrt((centred**2).sum(axis=1, keepdims=True)) + 1e-12)
    y = bold / np.sqrt(len(bold))  # its mean is 0 and its sd 1 by now
    reached = [
        np.einsum("lvr,vr->l", unit, np.roll(y, shift, axis=0)).max() / y.shape[1]
        >= peak_r
        for shift in drawn
    ]
    return float((1 + np.sum(reached)) / (1 + len(reached)))


def _width_s(lags_s: FloatArray, r: FloatArray) -> float:
    """Return how long r stays above half of its peak, around the peak."""
    best = int(np.argmax(r))
    above = r >= r[best] / 2
    first = last = best
    while first > 0 and above[first - 1]:
        first -= 1
    while last < len(r) - 1 and above[last + 1]:
        last += 1
    return float(lags_s[last] - lags_s[first])


def _warning(peak_s: float, interval_s: tuple[float, float], p: float) -> str:
    low_s, high_s = interval_s
    if p > CLEAR_P:
        return (
            "EEG power and BOLD go together at no lag more than by chance "
            f"(p {p:.2f}), so this says nothing about the alignment"
        )
    if high_s < USUAL_S[0] or low_s > USUAL_S[1]:
        return (
            f"BOLD follows EEG best at {peak_s:+.0f} s (95 %: {low_s:+.0f} to "
            f"{high_s:+.0f} s), a haemodynamic response at {USUAL_S[0]:g} to "
            f"{USUAL_S[1]:g} s: are dummy or dropped volumes counted right? Nothing "
            "was shifted"
        )
    if not USUAL_S[0] <= peak_s <= USUAL_S[1]:
        return (
            f"BOLD follows EEG best at {peak_s:+.0f} s, but the interval ({low_s:+.0f} "
            f"to {high_s:+.0f} s) allows a usual response; look at the curve"
        )
    return ""


def _too_short(lags_s: FloatArray, times_s: FloatArray) -> LagScan:
    n, length_s = len(times_s), float(np.ptp(times_s))
    nothing = np.full(len(lags_s), np.nan)
    return LagScan(
        lags_s=lags_s, r=nothing, peak_s=float("nan"), peak_r=float("nan"),
        interval_s=(float("nan"), float("nan")), width_s=float("nan"), p=1.0,
        n_volumes=n,
        warning=f"{n} windows over {length_s:.0f} s are too few for a lag scan, "
        f"expected {MIN_VOLUMES} over {MIN_S:g} s",
    )  # fmt: skip
