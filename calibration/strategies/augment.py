"""Channel dropout as the live loop knows it: a lost channel is interpolated."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rtbold.condition.spatial import spline_interpolation
from rtbold.electrodes import has_position, positions

MAX_LOST = 4
MIN_CHANNELS = 8  # with fewer, the neighbours say too little


class ChannelDropout:
    """Replaces random channels of a window by spherical splines of the others.

    A session interpolates bad channels in the same way; zeros would be a signal that
    no session gives.

    Parameters
    ----------
    p : expected share of the channels that are lost.
    """

    def __init__(self, channels: Sequence[str], p: float, *, seed: int) -> None:
        usable = len(channels) >= MIN_CHANNELS and all(map(has_position, channels))
        self._p = p if usable else 0.0
        self._xyz = positions(channels) if usable else np.empty((0, 3))
        self._rng = np.random.default_rng((seed, 0xC4))

    def __call__(self, windows: Tensor) -> Tensor:
        """Return (b, c, s) with the same channels lost in all of the batch."""
        if not self._p:
            return windows
        n = len(self._xyz)
        lost = np.flatnonzero(self._rng.random(n) < self._p)[:MAX_LOST]
        if not len(lost):
            return windows
        kept = np.setdiff1d(np.arange(n), lost)
        matrix = np.eye(n)
        matrix[lost] = 0.0
        weights = spline_interpolation(self._xyz[kept], self._xyz[lost])
        matrix[np.ix_(lost, kept)] = weights
        return torch.from_numpy(matrix.astype(np.float32)) @ windows
