"""Two ways to say what the tiles of two windows do to their predictions, by captum."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

import numpy as np
import torch
from captum.attr import FeatureAblation, IntegratedGradients
from torch import Tensor

from rtbold.calibration.explain_tiles import BandSignals, Mixer
from rtbold.errors import ConfigError
from rtbold.messages import FloatArray

Method = Literal["integrated-gradients", "occlusion"]
METHODS: Final[tuple[str, ...]] = get_args(Method)
LOG_DOUBLE: Final = math.log(2.0)

Progress = Callable[[float], None]  # called with the share that is done, 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainSettings:
    """How long to compute, and how to resample."""

    method: Method = "integrated-gradients"
    n_partners: int = 4  # of each window; occlusion takes one
    n_steps: int = 16  # of the integral
    at_once: int = 16  # mixtures per call of the network
    n_draws: int = 1000  # for the intervals
    block_n: int = 1  # neighbouring windows that overlap, resampled together


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Windows and partners, and how much their predictions differ."""

    signals: BandSignals
    own: np.ndarray  # (pairs,), indices of windows
    partner: np.ndarray
    difference: FloatArray  # (pairs,), of the predictions

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the band signals of some pairs: own, partner."""
        parts_uv = self.signals.parts_uv
        for first in range(0, len(self.own), size):
            rows = slice(first, first + size)
            yield parts_uv[self.own[rows]], parts_uv[self.partner[rows]]

    def louder(self) -> FloatArray:
        """Return ln(own power / partner's), (pairs, channels, times, bands)."""
        log_power = self.signals.log_power.double().numpy()
        louder: FloatArray = log_power[self.own] - log_power[self.partner]
        return louder


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """What channels, times and bands do to the difference of each pair."""

    channel: FloatArray  # (pairs, channels), of the prediction's difference
    time: FloatArray
    band: FloatArray
    doubled: FloatArray  # (channels, bands)


def as_method(name: str) -> Method:
    """Return `name` as a method.

    Raises
    ------
    ConfigError : it is none.
    """
    for method in get_args(Method):
        if method == name:
            return cast("Method", method)
    raise ConfigError(f"--method is {name!r}, expected one of {', '.join(METHODS)}")


def integrated(
    mixer: Mixer, pairs: Pairs, settings: ExplainSettings, progress: Progress
) -> Effects:
    """Integrate the gradient along the straight line from partner to window.

    Parameters
    ----------
    mixer : of a network with one output, (pairs,).
    """
    method = IntegratedGradients(mixer)
    size = max(settings.at_once // 4, 1)
    shape = pairs.signals.log_power.shape[1:]
    done: list[FloatArray] = []
    for own_uv, partner_uv in pairs.batches(size):
        given = method.attribute(
            torch.ones(len(own_uv), *shape),
            additional_forward_args=(own_uv, partner_uv),
            n_steps=settings.n_steps,
            internal_batch_size=settings.at_once,
        )
        done.append(given.detach().double().numpy())
        progress(min(len(done) * size / len(pairs.own), 1.0))
    tiles = np.concatenate(done)  # (pairs, channels, times, bands)
    return Effects(
        channel=tiles.sum(axis=(2, 3)),
        time=tiles.sum(axis=(1, 3)),
        band=tiles.sum(axis=(1, 2)),
        doubled=_slope(tiles, pairs.louder()).sum(axis=1) * LOG_DOUBLE,
    )


def occlusion(
    mixer: Mixer, pairs: Pairs, settings: ExplainSettings, progress: Progress
) -> Effects:
    """Take one channel, time, band, or band of a channel from the partner.

    Parameters
    ----------
    mixer : of a network with one output, (pairs,).
    """
    method = FeatureAblation(mixer)
    shape = tuple(pairs.signals.log_power.shape[1:])
    masks = [_groups(shape, axes) for axes in ((0,), (1,), (2,), (0, 2))]
    done: list[list[FloatArray]] = [[] for _ in masks]
    for row, (own_uv, partner_uv) in enumerate(pairs.batches(1)):
        for mask, found in zip(masks, done, strict=True):
            given = method.attribute(
                torch.ones(1, *shape),
                baselines=0,
                additional_forward_args=(own_uv, partner_uv),
                feature_mask=mask[None],
                perturbations_per_eval=settings.at_once,
            )
            found.append(_per_group(given[0], mask))
        progress((row + 1) / len(pairs.own))
    channel, time, band, cell = (np.stack(found) for found in done)
    cell = cell.reshape(-1, shape[0], shape[2])  # (pairs, channels, bands)
    louder = pairs.louder().mean(axis=2)
    return Effects(channel, time, band, _slope(cell, louder) * LOG_DOUBLE)


def _groups(shape: tuple[int, ...], axes: tuple[int, ...]) -> Tensor:
    """Return the group of each tile, where tiles differ along `axes` only."""
    sizes = [shape[axis] for axis in axes]
    view = [size if axis in axes else 1 for axis, size in enumerate(shape)]
    return torch.arange(math.prod(sizes)).reshape(view).expand(shape)


def _per_group(given: Tensor, mask: Tensor) -> FloatArray:
    """Return one value per group; captum repeats it on every tile."""
    out = torch.zeros(int(mask.max()) + 1, dtype=torch.float64)
    out[mask.flatten()] = given.detach().double().flatten()
    return out.numpy()


def _slope(effects: FloatArray, louder: FloatArray) -> FloatArray:
    """Return the effect of one unit of log power, least squares over pairs."""
    slope: FloatArray = (effects * louder).sum(axis=0) / (louder**2).sum(axis=0)
    return slope
