"""The linear model beside every network: log band power of this subject alone.

After Leite et al. 2013 and de Munck et al. Four forms compete inside the training part:
potentials or surface Laplacian, 2 s lags back to 16 s or to 24 s. Form and penalty are
chosen by contiguous blocks, 36 s apart. A form of 16 s runs live as `bandpower_ridge`;
one of 24 s is a reference only, because a session's window is 16 s.

Lags from 16 to 24 s are read in the window of an earlier volume. No window of 24 s
reaches a volume of another part: parts are 36 s apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import nn

from rtbold.calibration.fit.protocol import Material, Pace
from rtbold.calibration.fit.ridge import FitFeatures, LinearHead, solve_head
from rtbold.calibration.fit.split import IntArray
from rtbold.messages import MODEL_RATE_HZ, WINDOW_S, WINDOW_SAMPLES, Float32Array
from rtbold.models import N_LAGS, BandPowerRidge, BandPowerRidgeConfig, Unmixing

LONG_S: Final = 24.0
UNMIXINGS: Final[tuple[Unmixing, ...]] = ("none", "laplacian")
_BATCH: Final = 32
_MORE_LAGS: Final = 4  # of 2 s, behind the window's own
_EARLY_S: Final = LONG_S - WINDOW_S
Form = tuple[Unmixing, float]  # what the power is of, seconds of EEG


@dataclass(frozen=True, slots=True, eq=False)
class RidgeTables:
    """Features of every form, for all windows."""

    channels: tuple[str, ...]
    forms: Mapping[Form, FitFeatures]


@dataclass(frozen=True, slots=True, eq=False)
class SubjectRidge:
    """The chosen form and its map."""

    form: Form
    head: LinearHead
    fit_features: FitFeatures
    channels: tuple[str, ...]

    def predict(self, rows: IntArray) -> Float32Array:
        """Return (rows, rois) in model units."""
        return self.head(
            self.fit_features.features[rows], self.fit_features.prior[rows]
        )

    def module(self) -> nn.Module:
        """Return the network that gives these answers; of a form of 16 s only."""
        unmixing, span_s = self.form
        if span_s != WINDOW_S:
            raise ValueError(f"a form of {span_s:g} s does not fit a window")
        n_rois = self.head.weight.shape[1]
        model = BandPowerRidge(BandPowerRidgeConfig(self.channels, n_rois, unmixing))
        with torch.no_grad():
            model.head.weight.copy_(torch.from_numpy(self.head.weight.T))
            model.head.bias.copy_(torch.from_numpy(self.head.bias))
        return model.eval()


def n_batches(n_windows: int) -> int:
    """Return how many steps `ridge_tables` counts."""
    return -(-n_windows // _BATCH)


def ridge_tables(
    material: Material, channels: Sequence[str], n_rois: int, pace: Pace
) -> RidgeTables:
    """Return the features of all forms for every window."""
    earlier = _earlier_rows(material)
    models = {u: _model(channels, u) for u in UNMIXINGS}
    short: dict[Unmixing, list[Float32Array]] = {u: [] for u in UNMIXINGS}
    more: dict[Unmixing, list[Float32Array]] = {u: [] for u in UNMIXINGS}
    for start in range(0, len(material.volume), _BATCH):
        rows = np.arange(start, min(start + _BATCH, len(material.volume)))
        windows, early = material.windows_uv[rows], _early(material, earlier, rows)
        for unmixing, model in models.items():
            grid = _grid(model, windows)
            short[unmixing].append(grid)
            behind = _grid(model, early)[:, :, :_MORE_LAGS]
            # Where the scan has no such EEG, the oldest lag stands in.
            absent = earlier[rows] < 0
            behind[absent] = grid[absent][:, :, :1]
            more[unmixing].append(behind)
        pace.step()
    forms: dict[Form, FitFeatures] = {}
    prior = np.zeros((len(material.volume), n_rois), np.float32)
    for unmixing in UNMIXINGS:
        near, far = np.concatenate(short[unmixing]), np.concatenate(more[unmixing])
        whole = np.concatenate([far, near], axis=2)
        for span_s, grid in ((WINDOW_S, near), (LONG_S, whole)):
            flat = grid.reshape(len(grid), -1)
            forms[unmixing, span_s] = FitFeatures(flat, prior, material.onsets_s)
    return RidgeTables(tuple(channels), forms)


def fit_subject_ridge(
    tables: RidgeTables, targets: Float32Array, rows: IntArray, *, live: bool = False
) -> SubjectRidge:
    """Return the best form by the inner blocks of `rows`.

    Parameters
    ----------
    live : only forms that a session's window can feed.
    """
    spans = (WINDOW_S,) if live else (WINDOW_S, LONG_S)
    solved = {
        form: solve_head(fit_features, targets, rows)
        for form, fit_features in tables.forms.items()
        if form[1] in spans
    }
    best = min(solved, key=lambda form: solved[form].error)
    return SubjectRidge(best, solved[best], tables.forms[best], tables.channels)


def _model(channels: Sequence[str], unmixing: Unmixing) -> BandPowerRidge:
    return BandPowerRidge(BandPowerRidgeConfig(tuple(channels), 1, unmixing)).eval()


def _grid(model: BandPowerRidge, windows_uv: Float32Array) -> Float32Array:
    """Return (b, c, lag, band)."""
    with torch.inference_mode():
        flat = model.features(torch.tensor(windows_uv)).numpy()
    shape = (len(windows_uv), windows_uv.shape[1], N_LAGS, -1)
    grid: Float32Array = flat.reshape(shape)
    return grid


def _earlier_rows(material: Material) -> IntArray:
    """Return the row whose window holds 24 to 16 s before each volume; -1: none."""
    volume = material.volume
    steps = int(np.ceil(_EARLY_S / _tr_s(material) - 1e-6))
    place = {int(v): row for row, v in enumerate(volume)}
    return np.array([place.get(int(v) - steps, -1) for v in volume])


def _early(material: Material, earlier: IntArray, rows: IntArray) -> Float32Array:
    """Return (b, c, 3200): the first half is EEG of 24 to 16 s ago, the rest zero."""
    first = WINDOW_SAMPLES - round(LONG_S * MODEL_RATE_HZ)  # of the volume's own window
    n = round(_EARLY_S * MODEL_RATE_HZ)
    out = np.zeros((len(rows), *material.windows_uv.shape[1:]), np.float32)
    for at, row in enumerate(rows):
        source = earlier[row]
        if source < 0:
            continue
        back_s = material.onsets_s[row] - material.onsets_s[source]
        start = first + round(back_s * MODEL_RATE_HZ)
        if 0 <= start <= WINDOW_SAMPLES - n:
            out[at, :, :n] = material.windows_uv[source][:, start : start + n]
    return out


def _tr_s(material: Material) -> float:
    steps = np.diff(material.volume)
    return float(np.median(np.diff(material.onsets_s) / steps))
