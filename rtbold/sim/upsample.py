"""Bring the twin's 200 Hz to an amplifier's rate, block by block.

The content ends below 90 Hz, so a polyphase interpolation loses nothing; above that a
real amplifier has noise, and so a little white noise is added at the full rate.
"""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from scipy.signal import resample_poly

from rtbold.messages import Float32Array
from rtbold.sim.noise import generator
from rtbold.sim.settings import BASE_RATE_HZ

BLOCK_S = 1.0  # short: a player computes a block between two chunks
MARGIN_S = 0.1  # twice the interpolation filter, so that blocks join seamlessly
BROADBAND_UV = 0.3


def upsampled(
    eeg_uv: Float32Array, rate_hz: float, *, seed: int
) -> Iterator[Float32Array]:
    """Yield blocks of (channels, samples) at `rate_hz`, from 200 Hz.

    The blocks together have ``round(duration * rate)`` samples; a sample at a time that
    the 200 Hz signal has too keeps its value within the filter's ripple.
    """
    ratio = Fraction(round(rate_hz), round(BASE_RATE_HZ))
    up, down = ratio.numerator, ratio.denominator
    per_block = down * max(1, round(BLOCK_S * BASE_RATE_HZ / down))
    margin = down * int(np.ceil(MARGIN_S * BASE_RATE_HZ / down))
    n_total = round(eeg_uv.shape[1] * up / down)
    padded = np.pad(eeg_uv, ((0, 0), (margin, margin + down)), mode="edge")
    rng = generator(seed, "broadband")
    done = 0
    for first in range(0, eeg_uv.shape[1], per_block):
        piece = padded[:, first : first + per_block + 2 * margin]
        block = piece if ratio == 1 else resample_poly(piece, up, down, axis=1)
        cut = margin * up // down
        n = min(per_block * up // down, n_total - done)
        block = np.array(block[:, cut : cut + n], dtype=np.float32)
        if ratio != 1:
            noise = rng.standard_normal(block.shape, dtype=np.float32)
            block += np.float32(BROADBAND_UV) * noise
        done += n
        yield block
