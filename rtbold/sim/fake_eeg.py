"""EEG of a feed without a brain: made once as a loop, so that a message costs little.

Pink noise on each channel, one alpha rhythm at the back of the head and one theta
rhythm all over it; how much there is of the two follows alertness.
"""

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np

from rtbold.electrodes import positions
from rtbold.messages import MODEL_RATE_HZ, Float32Array, FloatArray
from rtbold.sim.noise import generator, narrow_band, power_law

LOOP_SAMPLES: Final = 12_000  # 60 s; a good length for an FFT, so the ends meet
NOISE_UV: Final = 7.0
ALPHA_UV: Final = (2.0, 16.0)  # asleep, awake
THETA_UV: Final = (24.0, 5.0)
ALPHA_HZ: Final = 10.2
THETA_HZ: Final = 5.6
NEIGHBOURS: Final = 4


class FakeEeg:
    """Conditioned EEG of a cap, at 200 Hz against the average reference.

    Parameters
    ----------
    channels : names of the 10-05 system.
    """

    def __init__(self, channels: Sequence[str], *, seed: int) -> None:
        xyz = positions(channels)
        noise = power_law(
            generator(seed, "fake EEG"),
            (len(channels), LOOP_SAMPLES),
            rate_hz=MODEL_RATE_HZ,
            band_hz=(0.5, 80.0),
            exponent=1.2,
        )
        self._noise = NOISE_UV * (noise - noise.mean(axis=0))  # (channels, loop)
        self._rhythms = narrow_band(
            generator(seed, "fake rhythms"),
            LOOP_SAMPLES,
            rate_hz=MODEL_RATE_HZ,
            peaks_hz=np.array([ALPHA_HZ, THETA_HZ]),
            width_hz=0.9,
        )  # (2, loop)
        self._maps = _maps(xyz)
        self._neighbours = np.argsort(-xyz @ xyz.T, axis=1)  # nearest first, itself

    def samples(
        self, first: int, n: int, *, alertness: float, bad: Collection[int] = ()
    ) -> Float32Array:
        """Return samples `first` to `first` + `n`, (channels, n), microvolt.

        Parameters
        ----------
        bad : numbers of channels that are interpolated from their neighbours.
        """
        at = np.arange(first, first + n) % LOOP_SAMPLES
        sizes_uv = [
            low + alertness * (high - low) for low, high in (ALPHA_UV, THETA_UV)
        ]
        maps = (self._maps * sizes_uv).astype(np.float32)  # (channels, 2)
        data_uv: Float32Array = self._noise[:, at] + maps @ self._rhythms[:, at]
        for channel in bad:
            near = [k for k in self._neighbours[channel] if k not in bad]
            data_uv[channel] = data_uv[near[:NEIGHBOURS]].mean(axis=0)
        return data_uv


def _maps(xyz: FloatArray) -> FloatArray:
    """Return the share of each channel in alpha and theta, (channels, 2)."""
    _, nose, up = xyz.T
    alpha = np.clip(-nose, 0, 1)
    theta = 0.4 + 0.6 * np.clip(up, 0, 1)
    maps = np.stack([alpha, theta], axis=1)
    return np.asarray(maps - maps.mean(axis=0))
