"""What stands beside the models: linear baselines, and controls that must not predict.

All learn from the rows that a model may learn from, and choose what there is to choose
on the validation rows. The rows that are scored are read for EEG, time and confounds,
never for BOLD.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rtbold.calibration.compare.material import (
    BandPower,
    Fold,
    Part,
    learned_and_chosen,
    standard,
)
from rtbold.calibration.compare.pls import PlsFit, fit_pls
from rtbold.calibration.compare.scores import Kind, Rows
from rtbold.calibration.evaluate.confounds import EXPECTED
from rtbold.calibration.train.ridge import RidgeFit, fit_ridge
from rtbold.messages import FloatArray
from rtbold.truth import autocorrelation

if TYPE_CHECKING:
    from rtbold.calibration.datasets.cache import PreparedScan
    from rtbold.models import Unmixing

RIDGE: Final = "band-power ridge"
RIDGE_GSR: Final = "band-power ridge, no global signal"
PLS: Final = "band-power PLS"
TIME: Final = "time alone"
BODY: Final = "motion and heart rate alone"
LAST: Final = "last measured volumes alone"
PREVIOUS: Final = "previous volume known"

# What each is, for the page and the docs.
MEANING: Final[Mapping[str, str]] = {
    RIDGE: "ridge on log band power per channel and 2 s lag, potentials or Laplacian, "
    "penalty and unmixing chosen on the validation part",
    RIDGE_GSR: "the same, learned and chosen on targets without the global signal",
    PLS: "partial least squares on the same features, number of components chosen on "
    "the validation part",
    TIME: "polynomials of the time in the scan, to degree 5: what falling vigilance "
    "and drift give without any EEG",
    BODY: "motion, heart rate and respiration of the data set's confounds at several "
    "lags, without any EEG",
    LAST: "the nearest volumes of the same scan that a model may learn from, weighted "
    "by the target's autocorrelation: above zero, the split leaks",
    PREVIOUS: "the volume before, measured: how smooth the target is; no model has it",
}
UNMIXINGS: Final[tuple["Unmixing", ...]] = ("none", "laplacian")
TIME_DEGREE: Final = 5
MOTION_LAGS: Final = range(-1, 7)  # volumes
BODY_LAG_S: Final = 24.0  # of heart rate and respiration
NEAREST_N: Final = 12  # volumes that the leak check looks at
LAGS_N: Final = 40  # of the autocorrelation; volumes farther away say nothing
_NOISE: Final = 1e-3  # on the diagonal, in the target's variance


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """One control's predictions of one scan."""

    model: str
    kind: Kind
    values: FloatArray  # (rows, rois), sd of the target


class Controls:
    """The controls of one fold; each is fitted once, when it is first asked for."""

    def __init__(self, fold: Fold, power: BandPower, *, tr_s: float) -> None:
        self._fold = fold
        self._power = power
        self._tr_s = tr_s
        self._fitted: dict[tuple[str, str], tuple[RidgeFit | PlsFit, Unmixed]] = {}
        self.notes: dict[str, str] = {}  # control -> what is to be known of it

    def predict(self, scan: "PreparedScan", rows: Rows) -> list[Control]:
        """Return what every control says of some rows of a scan."""
        found = [
            Control(RIDGE, "baseline", self._linear(RIDGE, scan, rows)),
            Control(RIDGE_GSR, "baseline", self._linear(RIDGE_GSR, scan, rows)),
            Control(PLS, "baseline", self._linear(PLS, scan, rows)),
            Control(TIME, "control", self._linear(TIME, scan, rows)),
        ]
        if self._body_columns():
            found.append(Control(BODY, "control", self._linear(BODY, scan, rows)))
        else:
            self.notes[BODY] = (
                "not known: the cache holds neither motion nor heart rate nor "
                "respiration of every scan (a confounds table of the data set has them)"
            )
        found.append(Control(LAST, "control", self._last_volumes(scan, rows)))
        found.append(Control(PREVIOUS, "reference", _previous(scan, rows)))
        return found

    def _linear(self, name: str, scan: "PreparedScan", rows: Rows) -> FloatArray:
        fitted, features = self._fit(name, scan)
        x = np.asarray(features(scan)[rows], dtype=np.float64)
        out: FloatArray = (x - fitted.mean) / fitted.scale @ fitted.weights
        return out + fitted.bias

    def _fit(
        self, name: str, scan: "PreparedScan"
    ) -> tuple["RidgeFit | PlsFit", "Unmixed"]:
        lessons = self._fold.lessons(scan)
        key = name, lessons[0].scan.name if len(lessons) == 1 else ""
        if key not in self._fitted:
            self._fitted[key] = self._best(name, lessons)
        return self._fitted[key]

    def _best(
        self, name: str, lessons: Sequence[Part]
    ) -> tuple["RidgeFit | PlsFit", "Unmixed"]:
        """Fit on every form of the features; keep the one that validates best."""
        tried = []
        for features in self._forms(name):
            x = [features(part.scan) for part in lessons]
            train, validation = learned_and_chosen(lessons, x, gsr=name == RIDGE_GSR)
            fitted: RidgeFit | PlsFit = (
                fit_pls(train, validation)
                if name == PLS
                else fit_ridge(train, validation=validation)
            )
            tried.append((fitted, features))
        return max(tried, key=lambda pair: pair[0].r)

    def _forms(self, name: str) -> list["Unmixed"]:
        if name in (RIDGE, RIDGE_GSR, PLS):
            return [_unmixed(self._power, unmixing) for unmixing in UNMIXINGS]
        if name == TIME:
            longest_s = max(_end_s(part.scan) for part in self._fold.parts)
            return [lambda scan: time_basis(scan.scan.onsets_s, longest_s)]
        columns = self._body_columns()
        return [lambda scan: body_features(scan, columns, tr_s=self._tr_s)]

    def _body_columns(self) -> tuple[str, ...]:
        """Return the columns of the body that every scan has."""
        starts = tuple(start for names in EXPECTED.values() for start in names)
        shared = set.intersection(*(set(p.scan.confounds) for p in self._fold.parts))
        return tuple(sorted(name for name in shared if name.startswith(starts)))

    def _last_volumes(self, scan: "PreparedScan", rows: Rows) -> FloatArray:
        """Return the best linear guess from the scan's rows that are open to learning.

        A scan that nobody learns from has none: the guess is its mean.
        """
        own = [part for part in self._fold.parts if part.scan.name == scan.name]
        open_rows = [np.concatenate([p.train, p.validation]) for p in own]
        known = np.sort(np.concatenate([*open_rows, np.empty(0, int)])).astype(int)
        known = np.setdiff1d(known, rows)
        y = standard(scan)
        out = np.zeros((len(rows), y.shape[1]))
        if len(known) < 2:
            return out
        rho = _autocorrelation(y[known], scan.volume[known])
        level = y[known].mean(axis=0)
        for place, row in enumerate(rows):
            distance = np.abs(scan.volume[known] - scan.volume[row])
            near = known[np.argsort(distance, kind="stable")[:NEAREST_N]]
            weights = _kriging(scan.volume[near], scan.volume[row], rho)
            out[place] = level + weights @ (y[near] - level)
        return out


Unmixed = Callable[["PreparedScan"], FloatArray]  # scan -> (windows, features)


def _unmixed(power: BandPower, unmixing: "Unmixing") -> Unmixed:
    return lambda scan: power(scan, unmixing)


def _end_s(scan: "PreparedScan") -> float:
    return float(scan.scan.onsets_s[-1])


def time_basis(onsets_s: FloatArray, longest_s: float) -> FloatArray:
    """Return (windows, 5): Legendre polynomials of the time since the scan began."""
    u = np.clip(2 * np.asarray(onsets_s) / longest_s - 1, -1, 1)
    basis = np.polynomial.legendre.legvander(u, TIME_DEGREE)[:, 1:]
    return np.asarray(basis, dtype=np.float64)


def body_features(
    scan: "PreparedScan", columns: Sequence[str], *, tr_s: float
) -> FloatArray:
    """Return (windows, columns * lags): what a body gives to later volumes.

    Motion from one volume ahead to six back; heart rate and respiration up to 24 s
    back, which spans their response functions. Each column in its own sd; a volume that
    is not known is 0.
    """
    back = range(round(BODY_LAG_S / tr_s) + 1)
    lagged = []
    for name in columns:
        slow = name.startswith((*EXPECTED["heart rate"], *EXPECTED["respiration"]))
        series = _on_grid(np.asarray(scan.confounds[name], float), scan.volume)
        for lag in back if slow else MOTION_LAGS:
            at = scan.volume - scan.volume.min() - lag
            inside = (at >= 0) & (at < len(series))
            lagged.append(np.where(inside, series[np.clip(at, 0, len(series) - 1)], 0))
    return np.stack(lagged, axis=1)


def _on_grid(values: FloatArray, volume: Rows) -> FloatArray:
    known = np.isfinite(values)
    mean = values[known].mean() if known.any() else 0.0
    sd = values[known].std() if known.any() else 0.0
    # Relative, or rounding would make a regressor of a constant.
    varies = known.any() and sd > 1e-9 * np.abs(values[known]).max()
    units = np.where(known & varies, (values - mean) / (sd if varies else 1.0), 0.0)
    grid = np.zeros(int(volume.max() - volume.min()) + 1)
    grid[volume - volume.min()] = units
    return grid


def _previous(scan: "PreparedScan", rows: Rows) -> FloatArray:
    """Return the target one volume earlier; nan where that was not measured."""
    y = standard(scan)
    row_of = {int(volume): row for row, volume in enumerate(scan.volume)}
    before = [row_of.get(int(scan.volume[row]) - 1) for row in rows]
    missing = np.full(y.shape[1], np.nan)
    return np.stack([missing if at is None else y[at] for at in before])


def _autocorrelation(y: FloatArray, volume: Rows) -> FloatArray:
    """Return lags 0 to 40, the mean over ROIs, of rows that may have holes.

    Each lag is over the pairs of volumes that are there; one without any is between its
    neighbours. Tapered, so that no long lag makes up for few pairs.
    """
    place = volume - volume.min()
    grid = np.zeros((int(place.max()) + 1, y.shape[1]))
    there = np.zeros((len(grid), 1))
    left = y - y.mean(axis=0)
    sd = left.std(axis=0)
    grid[place], there[place] = left / np.where(sd > 0, sd, 1.0), 1.0
    lags = np.arange(min(LAGS_N, len(grid) - 1) + 1)
    sums = autocorrelation(grid, lags[-1]).mean(axis=1) * (grid**2).sum(axis=0).mean()
    pairs = autocorrelation(there, lags[-1])[:, 0] * there.sum()
    known = pairs > 0.5  # whole numbers, by an FFT
    rho = np.interp(lags, lags[known], sums[known] / pairs[known])
    out = np.zeros(LAGS_N + 1)
    out[: len(rho)] = rho / max(rho[0], 1e-12) * (1 - lags / (LAGS_N + 1))
    return out


def _kriging(near: Rows, asked: int, rho: FloatArray) -> FloatArray:
    """Return the weights of the best linear guess, given the autocorrelation."""

    def of(lag: Rows) -> FloatArray:
        return np.where(lag <= LAGS_N, rho[np.minimum(lag, LAGS_N)], 0.0)

    among = of(np.abs(near[:, None] - near[None])) + _NOISE * np.eye(len(near))
    weights = np.linalg.lstsq(among, of(np.abs(near - asked)), rcond=None)[0]
    return np.asarray(weights, dtype=np.float64)
