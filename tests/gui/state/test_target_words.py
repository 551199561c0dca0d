import pytest
from feed_messages import Played
from msgspec import structs

from rtbold.config import FeedbackSettings
from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.session_words import NOTHING, target_words
from rtbold.publish.compose import _feedback_part
from rtbold.publish.wire import NormPart


@pytest.fixture
def session():
    made = Played(DashboardState())
    made.hello()
    return made


def words(session, later_s=0.1):
    return target_words(session.state, session.now_s + later_s)


def test_a_value_with_its_interval_and_volume(session):
    session.tick(value=0.42, low_80=None)
    found = words(session)
    assert (found.kind, found.name, found.value, found.z) == (
        "value", "dmn", "+0.42", "+0.42",
    )  # fmt: skip
    assert found.interval == "95 %: \u22120.58 to +1.42"
    assert found.volume == "BOLD of volume 0, from the EEG before it"
    assert found.mark == ""
    assert "z +0.42" in found.spoken


def test_what_is_shown_of_the_range_and_how_it_was_made_is_said(session):
    how = FeedbackSettings(smooth="mean", low=-2.0, high=2.0, baseline="block")
    session.hello(feedback=_feedback_part(how))
    session.tick()
    fb = structs.replace(
        session.state.fb, shown=0.62, limited=True, reward=True,
        norm=NormPart(baseline="baseline 1", n=80),
    )  # fmt: skip
    session.state.take(fb, session.now_s)
    said = words(session).volume
    assert said.endswith(
        "; shown 0.62, limited, rewarded; mean of 3, z of 'baseline 1', 80 volumes"
    )
    assert session.state.shown(session.now_s).share == 0.62
    session.state.take(structs.replace(fb, shown=None), session.now_s)
    assert "; shown: nothing; " in words(session).volume


def test_a_prediction_that_looks_ahead_names_its_volume(session):
    session.tick(horizon_tr=1)
    assert words(session).volume == "BOLD of volume 1, 2.1 s from volume 0"


def test_a_volume_without_a_trigger_is_told(session):
    session.tick(trigger_locked=False)
    assert words(session).volume.endswith("(timed without a trigger)")


def test_an_invalid_volume_holds_the_last_value_for_a_tr_and_then_shows_a_dash(session):
    session.tick(value=0.42)
    session.tick("invalid", ("gap",))
    held = words(session)
    assert held.kind == "hold"
    assert held.mark.startswith("HELD")
    assert held.value == "+0.42"
    session.tick("invalid", ("gap",))
    neutral = words(session)
    assert neutral.kind == "neutral"
    assert (neutral.value, neutral.z, neutral.interval) == (NOTHING, "", "")
    assert neutral.mark == "nothing may be shown"


def test_without_a_session_there_is_a_dash():
    found = target_words(DashboardState(), 3.0)
    assert found.value == NOTHING
    assert found.name == "target"


def test_the_target_is_named_before_the_first_prediction(session):
    assert words(session).name == "dmn"


def test_no_z_and_no_interval_are_said(session):
    session.tick()

    fb = structs.replace(session.state.fb, z=None, low=None, high=None, clipped=True)
    session.state.take(fb, session.now_s)
    found = words(session)
    assert found.z == "\u2013"
    assert found.interval.startswith("no interval")
    assert found.mark == "clipped to its range"


@pytest.mark.parametrize(
    ("run_type", "said"),
    [("transfer", "transfer run"), ("rest", "baseline run"), ("sham", "sham run")],
)
def test_the_operator_sees_the_value_and_that_nobody_else_does(session, run_type, said):
    session.tick(value=0.42)
    session.state.phase = structs.replace(session.state.phase, run_type=run_type)
    found = words(session)
    assert (found.kind, found.value) == ("hold", "+0.42")
    assert found.mark == f"NOT SHOWN: {said}"
