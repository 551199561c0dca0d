"""The solver that the evidence replaced, kept to be compared with and for nothing else.

One penalty for all ROIs, chosen by the mean squared error over four blocks that are
36 s apart; an infinite one, where there is a prior, learns the prior's slope alone.
The subject's ridge took potentials or Laplacian, whichever did better on the blocks;
the head took all features or what the earlier head answers, likewise. As in commit
388c492, but for forms of 24 s, which no session could run.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtbold.calibration.fit.folds import PreparedScan
from rtbold.calibration.fit.ridge import ridge_weights
from rtbold.calibration.fit.split import inner_blocks, strict_folds
from rtbold.calibration.fit.target import fit_scaling, targets
from rtbold.models import N_LAGS

PENALTIES = tuple(float(a) for a in np.logspace(-3, 4, 15))
N_BLOCKS = 4


@dataclass(frozen=True)
class Before:
    """One reading, solved on one training part."""

    mean: np.ndarray
    scale: np.ndarray
    weight: np.ndarray  # of the scaled features
    level: np.ndarray
    slope: float
    error: float

    def predict(self, features: np.ndarray, prior: np.ndarray) -> np.ndarray:
        """Return (rows, rois) in model units."""
        z = (features - self.mean) / self.scale
        return z @ self.weight + self.level + self.slope * prior


def series_before(session: PreparedScan) -> dict[str, np.ndarray]:
    """Return out-of-fold predictions of the head and of the ridge, (windows, rois)."""
    found = {
        name: np.full(session.measured.bold.shape, np.nan) for name in ("head", "ridge")
    }
    prior = np.asarray(session.prepared.fit_features.prior, dtype=float)
    for part in strict_folds(session.material.onsets_s):
        scaling = fit_scaling(session.measured, part.train)
        rows = np.sort(np.concatenate([part.train, part.stop]))
        y = np.empty(session.measured.bold.shape)
        for some in (part.train, part.stop):
            y[some] = targets(session.measured, some, scaling)
        for name, readings, drawn in (
            ("head", _of_network(session), prior),
            ("ridge", _of_band_power(session), np.zeros_like(prior)),
        ):
            fits = [_solved(session, x, drawn, y=y, rows=rows) for x in readings]
            at = int(np.argmin([fit.error for fit in fits]))
            test = part.test
            found[name][test] = fits[at].predict(readings[at][test], drawn[test])
    return found


def _of_network(session: PreparedScan) -> Sequence[np.ndarray]:
    read = session.prepared.fit_features
    assert read.earlier is not None
    features = read.features.astype(float)
    return features, features @ read.earlier.weight + read.earlier.bias


def _of_band_power(session: PreparedScan) -> Sequence[np.ndarray]:
    power = session.table.features.astype(float)
    grid = power.reshape(len(power), len(session.table.channels), 2, N_LAGS, -1)
    return [grid[:, :, kind].reshape(len(power), -1) for kind in (1, 0)]


def _solved(
    session: PreparedScan,
    x: np.ndarray,
    prior: np.ndarray,
    *,
    y: np.ndarray,
    rows: np.ndarray,
) -> Before:
    mean, scale = x[rows].mean(axis=0), np.maximum(x[rows].std(axis=0), 1e-6)
    z = (x[rows] - mean) / scale
    a, b = (v[rows] - v[rows].mean(axis=0) for v in (prior, y))
    power = (a * a).sum()
    slope = max(float((a * b).sum() / power), 0.0) if power > 0 else 0.0
    kernel, rest = z @ z.T, y[rows] - slope * prior[rows]
    candidates = (*PENALTIES, np.inf) if slope else PENALTIES
    errors = np.zeros(len(candidates))
    n_checked = 0
    onsets_s = session.material.onsets_s[rows]
    for learn, check in inner_blocks(np.arange(len(rows)), onsets_s, N_BLOCKS):
        level = rest[learn].mean(axis=0)
        inner, across = kernel[np.ix_(learn, learn)], kernel[np.ix_(check, learn)]
        duals = ridge_weights(inner, rest[learn] - level, candidates, relative=True)
        for i, dual in enumerate(duals):
            errors[i] += ((across @ dual + level - rest[check]) ** 2).sum()
        n_checked += len(check) * rest.shape[1]
    best = len(errors) - 1 - int(np.argmin(errors[::-1]))  # of equals the heaviest
    level, chosen = rest.mean(axis=0), candidates[best : best + 1]
    (dual,) = ridge_weights(kernel, rest - level, chosen, relative=True)
    error = float(errors[best] / n_checked)
    return Before(mean, scale, z.T @ dual, level, slope, error)
