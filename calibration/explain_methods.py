"""Two ways to say what the tiles of two windows do to their predictions, by captum."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

import numpy as np
import torch
from captum.attr import FeatureAblation, IntegratedGradients
from torch import Tensor

from rtbold.calibration.explain_tiles import N_TIMES, Mixer
from rtbold.errors import ConfigError
from rtbold.messages import FloatArray

Method = Literal["integrated-gradients", "occlusion"]
METHODS: Final[tuple[str, ...]] = get_args(Method)

Progress = Callable[[float], None]  # called with the share that is done, 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainSettings:
    """How long to compute, and how to resample."""

    method: Method = "integrated-gradients"
    n_partners: int = 4  # of each window; occlusion takes one
    n_steps: int = 16  # of the integral
    # Mixtures per call of the network. More are no faster; of NeuroBOLT base each needs
    # 150 MB of gradients' memory.
    at_once: int = 4
    n_draws: int = 1000  # for the intervals
    block_n: int = 1  # neighbouring windows that overlap, resampled together


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Windows and partners, and how much their predictions differ."""

    parts_uv: Tensor  # (windows, bands, channels, samples)
    own: np.ndarray  # (pairs,), indices of windows
    partner: np.ndarray
    difference: FloatArray  # (pairs,), of the predictions

    @property
    def tiles(self) -> tuple[int, int, int]:
        """Shape of one window's tiles: channels, times, bands."""
        _, n_bands, n_channels, _ = self.parts_uv.shape
        return n_channels, N_TIMES, n_bands

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the bands of some pairs: own, partner."""
        for first in range(0, len(self.own), size):
            rows = slice(first, first + size)
            yield self.parts_uv[self.own[rows]], self.parts_uv[self.partner[rows]]


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """What channels, times and bands do to the difference of each pair."""

    channel: FloatArray  # (pairs, channels), of the prediction's difference
    time: FloatArray
    band: FloatArray


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
    done: list[FloatArray] = []
    for own_uv, partner_uv in pairs.batches(size):
        given = method.attribute(
            torch.ones(len(own_uv), *pairs.tiles),
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
    )


def occlusion(
    mixer: Mixer, pairs: Pairs, settings: ExplainSettings, progress: Progress
) -> Effects:
    """Take one channel, one time or one band from the partner.

    Parameters
    ----------
    mixer : of a network with one output, (pairs,).
    """
    method = FeatureAblation(mixer)
    masks = [_groups(pairs.tiles, axis) for axis in range(3)]
    done: list[list[FloatArray]] = [[] for _ in masks]
    for row, (own_uv, partner_uv) in enumerate(pairs.batches(1)):
        for mask, found in zip(masks, done, strict=True):
            given = method.attribute(
                torch.ones(1, *pairs.tiles),
                baselines=0,
                additional_forward_args=(own_uv, partner_uv),
                feature_mask=mask[None],
                perturbations_per_eval=settings.at_once,
            )
            found.append(_per_group(given[0], mask))
        progress((row + 1) / len(pairs.own))
    return Effects(*(np.stack(found) for found in done))


def _groups(shape: tuple[int, int, int], axis: int) -> Tensor:
    """Return the group of each tile: its place along `axis`."""
    view = [1, 1, 1]
    view[axis] = shape[axis]
    return torch.arange(shape[axis]).reshape(view).expand(shape)


def _per_group(given: Tensor, mask: Tensor) -> FloatArray:
    """Return one value per group; captum repeats it on every tile."""
    out = torch.zeros(int(mask.max()) + 1, dtype=torch.float64)
    out[mask.flatten()] = given.detach().double().flatten()
    return out.numpy()


def slope_per_doubling(mixer: Mixer, pairs: Pairs) -> FloatArray:
    """Return how the prediction changes with power, (channels, bands).

    The derivative by the log amplitude of a band in a channel over the whole window,
    mean over windows, for a doubling of power (half a doubling of log amplitude).
    """
    slopes = []
    for parts_uv in torch.split(pairs.parts_uv, 1):
        presence = torch.ones(1, *pairs.tiles, requires_grad=True)
        bold = mixer(presence, parts_uv, torch.zeros_like(parts_uv))
        (slope,) = torch.autograd.grad(bold.sum(), presence)
        slopes.append(slope[0].sum(dim=1).double().numpy())
    mean: FloatArray = np.mean(slopes, axis=0) * math.log(2) / 2
    return mean
