"""What band power could give if the EEG of a simulation were unmixed perfectly.

Ridge on the true amplitude of every rhythm in every source, in two forms: one map of
all sources to all ROIs, and for each ROI its own source beside the mean over sources,
which needs fewer scans to be learned from. The one that validates better is kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rtbold.calibration.compare.material import (
    Part,
    learned_and_chosen,
    standard,
    with_choice,
)
from rtbold.calibration.inputs.bold_series import plain_name
from rtbold.calibration.train.ridge import ALPHAS, RidgeFit, fit_ridge
from rtbold.messages import FloatArray
from rtbold.sim import SourceAmplitudes, source_amplitudes
from rtbold.truth import pearson_r

if TYPE_CHECKING:
    from rtbold.calibration.datasets.cache import PreparedScan

LAGS_S: Final = np.arange(1.0, 16.0, 2.0)  # middles of the lags of band-power ridge


@dataclass(frozen=True, slots=True, eq=False)
class RegionalFit:
    """One map a ROI: ``prediction = (features - mean) / scale @ weights + bias``."""

    mean: FloatArray  # (rois, features)
    scale: FloatArray  # (rois, features)
    weights: FloatArray  # (rois, features)
    bias: FloatArray  # (rois,)
    r: float = float("nan")  # on the validation part

    def __call__(self, features: FloatArray) -> FloatArray:
        """Return (windows, rois) from (rois, windows, features)."""
        units = (features - self.mean[:, None]) / self.scale[:, None]
        out: FloatArray = np.einsum("rwf,rf->wr", units, self.weights)
        return out + self.bias


@dataclass(frozen=True, slots=True, eq=False)
class UnmixedFit:
    """Both forms; the better one on the validation part speaks."""

    shared: RidgeFit | None  # None: more numbers than there are windows to learn from
    regional: RegionalFit

    def predict(self, scan: "PreparedScan") -> FloatArray:
        """Return (windows, rois), sd of the target."""
        shared = self.shared
        if shared is None or self.regional.r >= shared.r:
            return self.regional(regional_features(scan))
        x = (shared_features(scan) - shared.mean) / shared.scale
        out: FloatArray = x @ shared.weights + shared.bias
        return out


def fit_unmixed(lessons: Sequence[Part]) -> UnmixedFit:
    """Fit both forms on simulated scans."""
    lessons = with_choice(lessons)
    regional = fit_regional(lessons)
    x = [shared_features(part.scan) for part in lessons]
    if sum(len(part.train) for part in lessons) < x[0].shape[1]:
        return UnmixedFit(None, regional)
    train, validation = learned_and_chosen(lessons, x)
    return UnmixedFit(fit_ridge(train, validation=validation), regional)


def shared_features(scan: "PreparedScan") -> FloatArray:
    """Return (windows, sources * rhythms * lags) of the true log-amplitudes."""
    found, times_s = _amplitudes(scan)
    logs = found.at(times_s)[found.in_eeg]  # (sources, rhythms, windows, lags)
    features: FloatArray = np.moveaxis(logs, 2, 0).reshape(len(times_s), -1)
    return features


def regional_features(scan: "PreparedScan") -> FloatArray:
    """Return (rois, windows, features): own source, then the mean over all sources.

    A ROI without a source has the mean alone.
    """
    found, times_s = _amplitudes(scan)
    logs = np.moveaxis(found.at(times_s), 2, 1)  # (sources, windows, rhythms, lags)
    logs = logs.reshape(len(logs), len(times_s), -1)
    mean = logs[found.in_eeg].mean(axis=0)
    places = columns_of(found.roi_names, scan.rois)
    return np.stack(
        [
            np.concatenate(
                [
                    logs[place]
                    if place is not None and found.in_eeg[place]
                    else np.zeros_like(mean),
                    mean,
                ],
                axis=1,
            )
            for place in places
        ]
    )


def fit_regional(lessons: Sequence[Part]) -> RegionalFit:
    """Fit every ROI on its own features; one penalty for all, by validation.

    Sums are added scan by scan, so that one scan's features are in memory.
    """
    sums = _Sums()
    for part in lessons:
        if len(part.train):
            features = regional_features(part.scan)[:, part.train]
            sums.add(features, standard(part.scan)[part.train])
    fits = sums.fits(ALPHAS)
    asked = (
        (regional_features(p.scan)[:, p.validation], standard(p.scan)[p.validation])
        for p in lessons
        if len(p.validation) >= 2
    )
    r = _mean_r(fits, asked)
    best = int(np.argmax(r))
    one = fits[best]
    return RegionalFit(one.mean, one.scale, one.weights, one.bias, float(r[best]))


class _Sums:
    """Moments of features and targets, per ROI."""

    def __init__(self) -> None:
        self._n = 0
        self._x = self._xx = self._y = self._xy = np.zeros(())

    def add(self, x: FloatArray, y: FloatArray) -> None:
        """Take (rois, windows, features) and (windows, rois)."""
        self._n += len(y)
        self._x = self._x + x.sum(axis=1)
        self._xx = self._xx + np.einsum("rwf,rwg->rfg", x, x, optimize=True)
        self._y = self._y + y.sum(axis=0)
        self._xy = self._xy + np.einsum("rwf,wr->rf", x, y)

    def fits(self, alphas: Sequence[float]) -> list[RegionalFit]:
        """Return the ridge of every penalty, features in their own sd."""
        mean, bias = self._x / self._n, self._y / self._n
        gram = self._xx - self._n * mean[:, :, None] * mean[:, None]
        variance = np.maximum(np.diagonal(gram, axis1=1, axis2=2) / self._n, 0.0)
        scale = np.sqrt(variance) + 1e-9
        gram = gram / scale[:, :, None] / scale[:, None]
        product = (self._xy - self._n * mean * bias[:, None]) / scale
        eye = np.eye(mean.shape[1])
        solved = (
            np.linalg.solve(gram + alpha * eye, product[..., None])[..., 0]
            for alpha in alphas
        )
        return [
            RegionalFit(mean, scale, np.asarray(weights, np.float64), bias)
            for weights in solved
        ]


def _mean_r(
    fits: Sequence[RegionalFit], asked: Iterable[tuple[FloatArray, FloatArray]]
) -> FloatArray:
    r = [[float(pearson_r(fit(x), y).mean()) for fit in fits] for x, y in asked]
    mean: FloatArray = np.mean(r, axis=0)
    return mean


def _amplitudes(scan: "PreparedScan") -> tuple[SourceAmplitudes, FloatArray]:
    """Return a scan's sources, and the times (windows, lags) that are looked at."""
    if scan.twin is None:
        raise ValueError(f"{scan.name} is not simulated")
    times_s: FloatArray = np.asarray(scan.scan.onsets_s)[:, None] - LAGS_S
    return source_amplitudes(scan.twin), times_s


def columns_of(names: Sequence[str], rois: Sequence[str]) -> list[int | None]:
    """Return where each ROI is in a simulation; None: nowhere."""
    places = {plain_name(name).casefold(): place for place, name in enumerate(names)}
    return [places.get(plain_name(roi).casefold()) for roi in rois]
