import itertools
import math

import numpy as np
import pytest
from feed_messages import Played
from hypothesis import example, given, strategies as st

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.roi_traces import (
    ENOUGH_MEASURED_N,
    roi_trace,
    scaled_measured,
    score_words,
    signed,
    stable_range,
    stretches,
    target_trace,
    trigger_step_ms,
)

ALWAYS = (-math.inf, math.inf)


def played(*statuses):
    session = Played(DashboardState())
    session.hello()
    for status in statuses:
        session.tick(status, reasons=("gap",) if status == "invalid" else ())
    return session


def test_invalid_volumes_are_holes_and_degraded_ones_are_marked():
    view = played("ok", "invalid", "degraded", "ok").state.history.view()
    trace = roi_trace(view, 0, ALWAYS)
    assert np.isfinite(trace.value).tolist() == [True, False, True, True]
    assert trace.degraded.tolist() == [False, False, True, False]
    assert trace.low[0] == pytest.approx(-0.58)
    assert np.isfinite(trace.t_s).all(), "a hole still has its time"


def test_two_runs_are_never_joined():
    session = played("ok", "ok")
    session.volume = -1
    session.tick()
    trace = roi_trace(session.state.history.view(), 1, ALWAYS)
    assert np.isnan(trace.value).tolist() == [False, False, True, False]
    assert math.isnan(trace.t_s[2])


def test_only_the_span_is_returned_with_one_row_beyond_each_end():
    view = played(*["ok"] * 20).state.history.view()
    times = view.bold_time
    trace = roi_trace(view, 0, (times[5], times[8]))
    assert trace.t_s.tolist() == times[4:10].tolist()
    assert len(roi_trace(view, 0, (times[-1] + 100, times[-1] + 200)).t_s) == 0


def test_the_target_of_several_rois_has_its_own_values():
    session = Played(DashboardState())
    session.hello()
    session.tick()
    trace = target_trace(session.state.history.view(), None, ALWAYS)
    assert trace.value.tolist() == [0.42]
    assert np.isnan(trace.measured).all()


def test_nothing_played_is_nothing_drawn():
    trace = target_trace(DashboardState().history.view(), None, ALWAYS)
    assert trace.limits() is None
    assert stable_range(None, None) == (-1.0, 1.0)


def test_measured_bold_takes_the_predictions_mean_and_spread():
    rng = np.random.default_rng(0)
    value = rng.normal(0.3, 0.7, 80)
    measured = 900 + 40 * value
    scaled = scaled_measured(value, measured)
    np.testing.assert_allclose(scaled, value)
    measured[20:25] = np.nan
    assert np.isnan(scaled_measured(value, measured)).sum() == 5


@pytest.mark.parametrize("n", [0, 1, ENOUGH_MEASURED_N - 1])
def test_too_few_measured_volumes_have_no_scale(n):
    value, measured = np.arange(30.0), np.full(30, np.nan)
    measured[:n] = np.arange(n)
    assert np.isnan(scaled_measured(value, measured)).all()


def test_a_constant_measurement_has_no_scale():
    assert np.isnan(scaled_measured(np.arange(30.0), np.full(30, 4.0))).all()


@given(st.lists(st.booleans(), max_size=30))
def test_stretches_cover_what_is_known_and_nothing_else(known):
    known = np.array(known, bool)
    found = np.zeros(len(known), bool)
    pieces = stretches(known)
    for piece in pieces:
        assert piece.stop > piece.start
        found[piece] = True
    assert found.tolist() == known.tolist()
    assert all(a.stop < b.start for a, b in itertools.pairwise(pieces))


@given(st.floats(-1e38, 1e38), st.floats(0, 1e38))
@example(0.0, 50000.00001)  # just above a step
@example(-1.0000000001, 0.0)
@example(-1e23, 2e23)  # whose decade is no exact number
@example(0.0, math.nextafter(1000.0, math.inf))
def test_the_range_holds_everything_and_never_shrinks(low, more):
    first = stable_range(None, (low, low + more))
    assert first[0] <= low
    assert first[1] >= low + more
    assert stable_range(first, (0.0, 0.1)) == first


def test_the_range_grows_in_steps():
    assert stable_range(None, (-0.3, 0.4)) == (-1.0, 1.0)
    assert stable_range((-1.0, 1.0), (-0.3, 1.2)) == (-1.0, 1.5)
    assert stable_range((-1.0, 1.5), (-23.0, 1.2)) == (-30.0, 1.5)


def test_words_of_r():
    session = played("ok")
    assert score_words(None, "dmn") == ""
    truth = session.send("truth")
    words = score_words(truth, "dmn")
    assert words.startswith("R +0.41 (+0.20 to +0.58), causal, so far; n 44 of 120")
    assert score_words(truth, "another") == ""


def test_words_without_enough_volumes():
    from rtbold.publish.wire import TruthScore

    few = TruthScore(r=None, low=None, high=None, n_eff=12.3, n=40)
    truth = played("ok").send("truth", scores=(few,) * 3, target_score=few)
    assert score_words(truth, "V1") == "R: not enough: 12 of 20 independent volumes"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00"), (-0.004, "0.00"),
        (0.834, "+0.83"), (-1.5, "\u22121.50"), (123.4, "+123"),
        (-99.999, "\u2212100"), (2e7, "+2e+07"), (None, "\u2013"), (math.nan, "\u2013"),
    ],
)  # fmt: skip
def test_numbers_have_a_sign(value, text):
    assert signed(value) == text


def test_the_newest_trigger_against_the_one_before():
    session = played("ok")
    assert trigger_step_ms(session.state.history.view(), session.tr_s) is None
    session.tick()
    step_ms = trigger_step_ms(session.state.history.view(), session.tr_s)
    assert step_ms == pytest.approx(0, abs=1e-6)
    session.now_s += 0.012
    session.tick()
    step_ms = trigger_step_ms(session.state.history.view(), session.tr_s)
    assert step_ms == pytest.approx(12)
    session.volume = -1
    session.tick()
    assert trigger_step_ms(session.state.history.view(), session.tr_s) is None
