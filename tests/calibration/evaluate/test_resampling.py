import numpy as np
import pytest

pytest.importorskip("torch")

from rtbold.calibration.evaluate.nulls import pairing
from rtbold.calibration.evaluate.scores import block_length, bootstrap_interval


def pair(n=300, signal=0.7, width=7, seed=0):
    rng = np.random.default_rng(seed)
    kernel = np.hanning(width + 2)[1:-1]
    a, noise = (
        np.convolve(rng.standard_normal(n + width), kernel, "valid")[:n]
        for _ in range(2)
    )
    b = signal * a + np.sqrt(1 - signal**2) * noise
    return pairing(a[:, None], b[:, None])


def test_interval_holds_r_and_is_wider_when_cross_fitted():
    one = pair()
    block_n = block_length(one)
    low, high = bootstrap_interval(one, block_n, seed=0, reuse=1.0)
    wide_low, wide_high = bootstrap_interval(one, block_n, seed=0, reuse=2.0)
    assert wide_low[0] < low[0] < one.r[0] < high[0] < wide_high[0]


def test_blocks_grow_with_memory():
    assert block_length(pair(width=1)) < block_length(pair(width=15))


def test_interval_covers_the_true_r():
    covered = 0
    for seed in range(50):
        one = pair(n=200, seed=seed)
        low, high = bootstrap_interval(one, block_length(one), seed=seed, reuse=1.0)
        covered += int(low[0] <= 0.7 <= high[0])
    assert covered >= 0.84 * 50


def test_a_constant_has_the_widest_interval():
    flat = pairing(np.ones((100, 1)), pair(n=100).measured)
    low, high = bootstrap_interval(flat, 4.0, seed=0, reuse=2.0)
    assert (low[0], high[0]) == (-1, 1)


def test_same_seed_same_interval():
    one = pair()
    assert bootstrap_interval(one, 5.0, seed=3, reuse=2.0) == (
        bootstrap_interval(one, 5.0, seed=3, reuse=2.0)
    )
