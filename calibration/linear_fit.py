"""Closed-form fit of the linear models: band-power ridge and EEG finger-print."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from rtbold.calibration.train.dataset import in_batches
from rtbold.calibration.train.fit import Split
from rtbold.calibration.train.ridge import RidgeFit, Table, fit_ridge
from rtbold.models.efp import Efp, EfpConfig
from rtbold.models.linear_model import LinearModel


def features_table(features: Callable[[Tensor], Tensor], part: Split) -> Table:
    """Return features (volumes, features) and targets of every scan, in float64.

    Parameters
    ----------
    features : of a model in eval mode; (b, channels, 3200) microvolt -> (b, features).
    """
    rows = []
    with torch.inference_mode():
        for scan in part.scans:
            batches = [features(torch.from_numpy(b)) for b in in_batches(scan)]
            rows.append(torch.cat(batches).numpy().astype(np.float64))
    return Table(rows, [target.astype(np.float64) for target in part.targets])


def fit_linear(model: LinearModel, train: Split) -> RidgeFit:
    """Fit scaling and map in place; the penalty by cross-validation over scans."""
    model.eval()
    fitted = fit_ridge(features_table(model.features, train))
    with torch.no_grad():
        model.mean.copy_(torch.from_numpy(fitted.mean))
        model.scale.copy_(torch.from_numpy(fitted.scale))
        model.head.weight.copy_(torch.from_numpy(fitted.weights.T))
        model.head.bias.copy_(torch.from_numpy(fitted.bias))
    return fitted


def fit_efp(
    config: EfpConfig, train: Split, electrodes: Sequence[str] | None = None
) -> tuple[Efp, RidgeFit]:
    """Return the finger-print of the electrode with the best cross-validated R.

    The choice is part of the fit: the R of the winner is optimistic by it, so scores
    come from scans outside of `train`.

    Parameters
    ----------
    electrodes : to choose from; None: all of the model's channels.
    """
    fits = []
    for electrode in electrodes or config.channels:
        model = Efp(dataclasses.replace(config, electrode=electrode))
        fits.append((model, fit_linear(model, train)))
    return max(fits, key=lambda pair: pair[1].r)
