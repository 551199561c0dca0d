import pytest
from feed_messages import Played

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.session_words import model_words, origin_words


def said(reasons=(), *, origin="subject", simulated=False, tick=True):
    session = Played(DashboardState())
    session.hello(simulated_stream=simulated, model_origin=origin)
    if tick:
        session.tick("degraded", reasons, model_origin=origin)
    return origin_words(session.state)


@pytest.mark.parametrize("tick", [True, False])
def test_what_is_simulated_is_said_from_the_first_hello_on(tick):
    assert said(simulated=True, tick=tick) == (
        "SIMULATED EEG: nothing here comes from a brain"
    )
    both = said(simulated=True, origin="simulated", tick=tick)
    assert both.startswith("SIMULATED EEG AND MODEL")
    assert said(origin="simulated", tick=tick).startswith("SIMULATED MODEL on real EEG")


def test_a_model_without_a_verdict_is_said():
    assert said(("unvalidated",)).startswith("UNVALIDATED")
    assert said(("simulated_model",)).startswith("SIMULATED MODEL")


def test_a_real_session_has_no_banner():
    assert said() == ""
    assert origin_words(DashboardState()) == ""


def test_what_predicts():
    session = Played(DashboardState())
    assert model_words(session.state) == ""
    session.hello()
    assert model_words(session.state) == "Model S01-a for S01, openvino f32"
    session = Played(DashboardState())
    session.hello(subject=None, engine="", precision="")
    assert model_words(session.state) == "Model S01-a"
