import msgspec
import numpy as np
import pytest

from rtbold.bundle.card import Intervals
from rtbold.publish.intervals import STEP, AdaptiveMisses

GRID = tuple(np.linspace(0, 2, 201).tolist())  # residuals even on 0 to 2


def card():
    return Intervals(
        half_width=((1.6, 1.9), (1.6, None)), n_eff=(80.0, 10.0), quantiles=(GRID, GRID)
    )


def test_start_gives_the_cards_half_widths():
    start = AdaptiveMisses.start(card())
    np.testing.assert_allclose(start.half_width(card()), [[1.6, 1.9], [1.6, np.inf]])


def test_a_miss_widens_and_a_hit_narrows():
    start = AdaptiveMisses.start(card())
    hit = start.updated(card(), np.zeros(2), np.zeros(2))
    miss = start.updated(card(), np.zeros(2), np.array([5.0, 5.0]))
    before = start.half_width(card())[0]
    assert (hit.half_width(card())[0] < before).all()
    assert (miss.half_width(card())[0] > before).all()
    np.testing.assert_allclose(
        hit.rate[0] - start.rate[0], STEP * np.array([0.2, 0.05])
    )


def test_no_truth_teaches_nothing():
    start = AdaptiveMisses.start(card())
    after = start.updated(card(), np.zeros(2), np.array([np.nan, 5.0]))
    np.testing.assert_array_equal(after.rate[0], start.rate[0])
    assert not np.array_equal(after.rate[1], start.rate[1])


@pytest.mark.parametrize("sd", [0.3, 1.0, 4.0])
def test_misses_tend_to_their_share_whatever_the_errors(sd):
    state, missed = AdaptiveMisses.start(card()), np.zeros((2, 2))
    rng = np.random.default_rng(0)
    n = 3000
    for _ in range(n):
        error = sd * rng.standard_normal(2)
        missed += np.abs(error)[:, None] > state.half_width(card())
        state = state.updated(card(), np.zeros(2), error)
    # Gibbs and Candes, proposition 4.1: within 2 / (n STEP) of the target.
    np.testing.assert_allclose(missed / n, [[0.2, 0.05]] * 2, atol=2 / (n * STEP))


def test_card_entry_survives_json():
    back = msgspec.json.decode(msgspec.json.encode(card()), type=Intervals)
    assert back == card()
