"""The subject's own model: log band power under a prior that is shaped like a response.

After Leite et al. 2013 and de Munck et al. What is read is the log power of every
channel, band and 2 s lag of a window, of the surface Laplacian beside the potentials.
The prior knows what a weight at one lag says of another lag: weights are smooth over
lags, and as large as the haemodynamic response is at that delay. How large they are
for each component of the ROIs, `evidence` says. The result is one linear map of band
power, which a session runs as `bandpower_ridge`; on top of a base it runs as `stacked`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from scipy.stats import gamma
from torch import nn

from rtbold.calibration.fit.evidence import Reading, TrainingPart, training_part
from rtbold.calibration.fit.protocol import Material, Pace
from rtbold.calibration.fit.split import IntArray
from rtbold.messages import WINDOW_S, Float32Array, FloatArray
from rtbold.models import (
    N_LAGS,
    BandPowerRidge,
    BandPowerRidgeConfig,
    Stacked,
    Unmixing,
    stacked_on,
)

UNMIXING: Final[Unmixing] = "both"
LAPLACIAN_SHARE: Final = 0.7  # of the prior variance; the rest is the potentials'
PEAK_S: Final = 4.8  # of the response
SMOOTH_S: Final = 8.0  # how far weights at two lags are alike
LOOSE: Final = 0.02  # of the prior variance: what no response explains
_BATCH: Final = 32
_LAG_S: Final = WINDOW_S / N_LAGS
_SCALE_FLOOR: Final = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class BandPowerTable:
    """Log band power of all windows, as `bandpower_ridge` reads it."""

    channels: tuple[str, ...]
    features: Float32Array  # (windows, channels * 2 * lags * bands)


@dataclass(frozen=True, slots=True, eq=False)
class SubjectModel:
    """One linear map of band power; on top of a base where `slope` is not None."""

    channels: tuple[str, ...]
    weight: FloatArray  # (features, rois)
    bias: FloatArray  # (rois,)
    notes: dict[str, float]
    slope: float | None = None  # of the base's answers; None: from nothing

    def own(self, features: Float32Array) -> Float32Array:
        """Return (n, rois) in model units, without what the base adds."""
        return np.asarray(features @ self.weight + self.bias, dtype=np.float32)

    def predict(self, features: Float32Array, base: Float32Array) -> Float32Array:
        """Return (n, rois) in model units.

        Parameters
        ----------
        features, base : band power and the base's answers for the same windows.
        """
        own = self.own(features)
        return own if self.slope is None else self.slope * base + own

    def module(self) -> BandPowerRidge:
        """Return the network that gives the answers of `own`."""
        n_rois = self.weight.shape[1]
        model = BandPowerRidge(BandPowerRidgeConfig(self.channels, n_rois, UNMIXING))
        with torch.no_grad():
            model.head.weight.copy_(torch.from_numpy(self.weight.T))
            model.head.bias.copy_(torch.from_numpy(self.bias))
        return model.eval()

    def stacked(self, base: nn.Module) -> Stacked:
        """Return one network: the base's answers times the slope, and `own` added."""
        return stacked_on(base, self.module(), slope=self.slope or 0.0)


def n_batches(n_windows: int) -> int:
    """Return how many steps `band_power_table` counts."""
    return -(-n_windows // _BATCH)


def band_power_table(
    material: Material, channels: Sequence[str], pace: Pace
) -> BandPowerTable:
    """Return the band power of every window."""
    config = BandPowerRidgeConfig(tuple(channels), 1, UNMIXING)
    model, found = BandPowerRidge(config).eval(), []
    with torch.inference_mode():
        for start in range(0, len(material.volume), _BATCH):
            windows = torch.tensor(material.windows_uv[start : start + _BATCH])
            found.append(model.features(windows).numpy())
            pace.step()
    return BandPowerTable(tuple(channels), np.concatenate(found))


def band_power_reading(
    table: BandPowerTable, rows: IntArray, *, ahead_s: float = 0.0
) -> Reading:
    """Return band power, scaled by `rows`, in units of the prior.

    Parameters
    ----------
    ahead_s : how long after its window a volume is predicted.
    """
    features: FloatArray = table.features.astype(np.float64)
    mean = features[rows].mean(axis=0)
    scale = np.maximum(features[rows].std(axis=0), _SCALE_FLOOR)
    root: FloatArray = np.asarray(np.linalg.cholesky(lag_prior(ahead_s)), np.float64)
    share = np.sqrt([LAPLACIAN_SHARE, 1 - LAPLACIAN_SHARE])
    shape = (len(table.channels), len(share), N_LAGS, -1)

    def shaped(values: FloatArray, matrix: FloatArray) -> FloatArray:
        grid = values.reshape(len(values), *shape)
        mixed = np.einsum("nkslb,lm->nksmb", grid, matrix, optimize=True)
        flat: FloatArray = (mixed * share[:, None, None]).reshape(len(values), -1)
        return flat

    def raw(weight: FloatArray) -> FloatArray:
        own: FloatArray = shaped(weight.T, root.T).T / scale[:, None]
        return own

    z: FloatArray = (features - mean) / scale
    return Reading(shaped(z, root), raw, mean)


def lag_prior(ahead_s: float = 0.0) -> FloatArray:
    """Return the covariance of weights over lags, the oldest first, (lags, lags).

    ``e_i e_j exp(-(d_ij / 8 s)^2 / 2) + 0.02 I``, e the size of the canonical response
    at the lag, 1 at its peak.
    """
    lag: FloatArray = np.arange(N_LAGS, dtype=np.float64)[::-1]
    delay_s: FloatArray = ahead_s + _LAG_S * (lag + 0.5)
    size = np.abs(response(delay_s))
    apart = (delay_s[:, None] - delay_s) / SMOOTH_S
    prior: FloatArray = np.outer(size, size) * np.exp(-(apart**2) / 2)
    prior += LOOSE * np.eye(N_LAGS)
    return prior


def response(delay_s: FloatArray) -> FloatArray:
    """Return the haemodynamic response at a delay: two gamma functions, 1 at the peak.

    Shape of the canonical response (Friston et al. 1998: peak and undershoot 6 : 16,
    undershoot a sixth), with time scaled to `PEAK_S`.
    """

    def shape(t: FloatArray) -> FloatArray:
        found: FloatArray = gamma.pdf(t, 6.0) - gamma.pdf(t, 16.0) / 6
        return found

    grid: FloatArray = np.arange(0, 20, 0.01)
    values = shape(grid)
    scaled: FloatArray = delay_s * grid[values.argmax()] / PEAK_S
    found: FloatArray = shape(scaled) / values.max()
    return found


def subject_part(
    table: BandPowerTable,
    targets: FloatArray,
    rows: IntArray,
    onsets_s: FloatArray,
    *,
    prior: FloatArray | None = None,
    ahead_s: float = 0.0,
) -> TrainingPart:
    """Return a training part of this model; see `evidence.training_part`."""
    reading = band_power_reading(table, rows, ahead_s=ahead_s)
    return training_part([reading], targets, rows, onsets_s, prior=prior)


def subject_model(
    table: BandPowerTable, part: TrainingPart, targets: FloatArray
) -> SubjectModel:
    """Return the map that a part's targets teach.

    Parameters
    ----------
    targets : (rows, rois) of the part, in model units.
    """
    solved = part.solve(targets)
    ((weight, bias),) = part.weights(solved)
    slope = float(solved.slope)
    notes = {"none": float(solved.shares[0].mean()), "slope": slope}
    from_nothing = part.prior is None
    return SubjectModel(
        table.channels, weight, bias, notes, None if from_nothing else slope
    )
