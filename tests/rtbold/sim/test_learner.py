"""A person in a closed loop: learns from feedback of their own, and from no other."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from rtbold.errors import ConfigError
from rtbold.sim.learner import (
    EFFECTS,
    FADE_S,
    ClosedLoopHead,
    Effort,
    Learner,
    LearnerSettings,
    closed_loop_head,
)
from rtbold.sim.settings import BASE_RATE_HZ, TwinSettings

TR_S = 2.1
BLOCK_N = 14  # volumes


def trained(seed, shown, *, learns=True, blocks=18, direction=1.0):
    """Return the efforts of all volumes; `shown(effort)` is what is felt."""
    person = Learner(LearnerSettings(seed=seed, learns=learns))
    efforts, t_s = [], 0.0
    for block in range(2 * blocks):
        asked = direction if block % 2 else 0.0
        for _ in range(BLOCK_N):
            person.asked(asked, t_s)
            if asked:
                efforts.append(person.effort)
            person.felt(shown(person.effort), t_s)
            t_s += TR_S
    return np.array(efforts)


def noisy(rng, gain=1.2):
    return lambda effort: gain * effort + 0.6 * rng.standard_normal()


def late(efforts):
    """The second half."""
    return efforts[len(efforts) // 2 :].mean()


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_a_learner_comes_to_do_what_is_asked(direction):
    rng = np.random.default_rng(3)
    found = [late(trained(s, noisy(rng), direction=direction)) for s in range(30)]
    assert direction * np.mean(found) > 0.6


def test_who_does_not_learn_moves_nothing_on_average():
    rng = np.random.default_rng(4)
    found = [trained(s, noisy(rng), learns=False).mean() for s in range(200)]
    assert abs(np.mean(found)) < 4 * np.std(found) / 200**0.5


def test_feedback_of_somebody_else_teaches_nothing():
    rng = np.random.default_rng(5)
    found = [
        trained(s, lambda _: 1.0 + 0.6 * rng.standard_normal()).mean()
        for s in range(200)
    ]
    assert abs(np.mean(found)) < 4 * np.std(found) / 200**0.5


def test_without_feedback_nothing_is_learned_and_nothing_breaks():
    found = trained(1, lambda _: None)
    assert set(np.unique(found)) <= set(EFFECTS)


def test_there_is_no_effort_at_rest():
    person = Learner(LearnerSettings(seed=1))
    assert person.effort == 0.0
    person.asked(1.0, 0.0)
    person.asked(0.0, 30.0)
    assert person.effort == 0.0


def test_strategies_raise_and_lower_alike():
    assert sum(EFFECTS) == 0.0


def test_the_same_seed_is_the_same_person():
    one, other = (trained(7, lambda e: e) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=8), st.integers(1, 400))
def test_an_effort_comes_and_goes_slowly_whatever_the_chunks(wanted, n):
    effort, before = Effort(), 0.0
    largest = 1.0 / (FADE_S * BASE_RATE_HZ) + 1e-12
    for each in wanted:
        values = effort.samples(each, n)
        assert np.abs(np.diff([before, *values])).max() <= largest
        before = values[-1]


def test_an_effort_is_reached():
    values = Effort().samples(-0.5, round(FADE_S * BASE_RATE_HZ))
    assert values[-1] == pytest.approx(-0.5)


def head():
    still = np.zeros((2, 100), np.float32)
    return ClosedLoopHead(still, still + 2, still - 4)


def test_the_eeg_lies_between_the_three():
    moved = head().eeg_uv(10, np.array([0.0, 0.5, 1.0, -0.5, -1.0]))
    np.testing.assert_allclose(moved[0], [0, 1, 2, -2, -4])


@pytest.mark.parametrize(("first", "n"), [(-1, 5), (98, 5)])
def test_what_was_not_made_is_refused(first, n):
    with pytest.raises(IndexError, match="of 100"):
        head().eeg_uv(first, np.zeros(n))


@pytest.fixture(scope="module")
def twin():
    settings = TwinSettings(seed=11, level="easy", duration_s=60.0)
    return closed_loop_head(settings, "SomMotA"), settings


def test_effort_moves_the_networks_rhythm_above_all(twin):
    made, settings = twin
    labels = [label.upper() for label in settings.eeg_labels]

    def beta(eeg_uv, label):
        """Power at 16 to 25 Hz, dB; SomMotA's falls as its drive rises."""
        rows = eeg_uv[labels.index(label)]
        power = np.abs(np.fft.rfft(rows)) ** 2
        hz = np.fft.rfftfreq(len(rows), 1 / BASE_RATE_HZ)
        return 10 * np.log10(power[(hz > 16) & (hz < 25)].mean())

    still, raised = made.still, made.raised
    assert beta(raised, "C3") < beta(still, "C3") - 0.3
    assert beta(made.lowered, "C3") > beta(still, "C3") + 0.3
    there, elsewhere = (beta(still, at) - beta(raised, at) for at in ("C3", "O1"))
    assert there > 2 * abs(elsewhere)


def test_the_still_brain_is_the_twins_own(twin):
    from rtbold.sim.twin import simulate

    made, settings = twin
    np.testing.assert_array_equal(made.still, simulate(settings).eeg_uv)


def test_an_unknown_network_is_refused():
    with pytest.raises(ConfigError, match="SomMotA"):
        closed_loop_head(TwinSettings(seed=1, duration_s=60.0), "Motor")
