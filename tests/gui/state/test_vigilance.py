import numpy as np
import pytest

from rtbold.gui.state.received import BandPowers
from rtbold.gui.state.signals import VigilanceIndex

CHANNELS = ("Fp1", "Cz", "O1", "O2")
BANDS = ("delta", "theta", "alpha", "beta", "gamma")
EDGES = ((1.0, 4.0), (4.0, 8.0), (8.0, 13.0), (13.0, 30.0), (30.0, 45.0))


def look(t_end, alpha, slow=10.0, bands=BANDS):
    power = np.full((5, 4), slow / 2)
    power[2, 2:] = alpha  # only the back of the head has alpha
    return BandPowers(t_end=t_end, bands=bands, edges_hz=EDGES, power_uv2=power)


def fed(seconds, alpha=20.0, index=None, begin=1000.0, scatter=0.1):
    index = index or VigilanceIndex()
    random = np.random.default_rng(0)
    for k in range(seconds):
        now_alpha = alpha * np.exp(scatter * random.standard_normal())
        index.take(look(begin + k, now_alpha), CHANNELS)
    return index


def test_nothing_is_known_at_first_and_the_reason_is_told():
    assert VigilanceIndex().now(1000.0).why == "no band powers yet"
    found = fed(60).now(1060.0)
    assert (found.word, found.value) == ("unknown", None)
    assert "61 s to go" in found.why


def test_the_first_two_minutes_are_what_awake_means():
    found = fed(180).now(1180.0)
    assert found.word == "awake"
    assert found.value == pytest.approx(0, abs=0.1)
    assert "not a sleep stage" in found.why


def test_alpha_that_gives_way_is_named_after_half_a_minute():
    index = fed(130)
    fed(10, alpha=8.0, index=index, begin=1130.0)
    assert index.now(1140.0).word == "awake"
    fed(25, alpha=8.0, index=index, begin=1140.0)
    found = index.now(1165.0)
    assert found.word == "drowsy?"
    assert found.value == pytest.approx(np.log(0.4), abs=0.1)


def test_more_alpha_is_not_drowsy():
    index = fed(130)
    fed(40, alpha=60.0, index=index, begin=1130.0)
    assert index.now(1170.0).word == "awake"


def test_a_restless_start_needs_a_larger_fall():
    index = fed(130, scatter=1.0)
    fed(40, alpha=8.0, index=index, begin=1130.0)
    assert index.now(1170.0).word == "awake"


def test_old_powers_say_nothing():
    assert fed(180).now(1180.0 + 31).word == "unknown"
    assert fed(180).now(None).word == "unknown"


@pytest.mark.parametrize(
    ("channels", "skip", "why"),
    [
        (("Fp1", "Cz", "F3", "F4"), (), "no good channel"),
        (CHANNELS, ("O1", "O2"), "no good channel"),
        ((), (), "names are not known"),
    ],
)
def test_without_the_back_of_the_head_it_is_unknown(channels, skip, why):
    index = VigilanceIndex()
    index.take(look(1000.0, 20.0), channels, skip)
    assert why in index.now(1000.0).why


def test_other_bands_and_dead_power_are_unknown():
    index = VigilanceIndex()
    index.take(look(1000.0, 20.0, bands=("a", "b", "c", "d", "e")), CHANNELS)
    assert "other bands" in index.now(1000.0).why
    index.take(look(1000.0, 0.0, slow=0.0), CHANNELS)
    assert "no band power" in index.now(1000.0).why


def test_capitals_do_not_matter():
    index = VigilanceIndex()
    index.take(look(1000.0, 20.0), ("FP1", "CZ", "o1", "o2"))
    assert "learning" in index.now(1000.0).why
