from feed_messages import Played

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.received import Link
from rtbold.gui.state.session_words import loss_words


def test_nothing_lost_nothing_said():
    session = Played(DashboardState())
    session.hello()
    session.tick()
    assert loss_words(session.state) == ""
    assert loss_words(DashboardState()) == ""


def test_what_the_session_and_this_window_lost_is_said():
    session = Played(DashboardState())
    session.hello()
    session.send("hb", n_encode_errors=2, n_dropped=7, n_refused=3)
    session.send("quality", n_overflow_samples=480, n_triggers_implausible=1)
    session.state.take(Link(t_s=session.now_s, heard=True, n_dropped=12), session.now_s)
    assert loss_words(session.state) == (
        "2 messages not encoded, 480 samples dropped, 1 triggers ignored, "
        "3 connections or commands refused, 7 messages dropped in its feed, "
        "12 messages dropped in this window"
    )


def test_when_the_eeg_comes_is_said_once_that_has_changed():
    session = Played(DashboardState())
    session.hello()
    session.send("quality", stream_lag_ms=70.0, stream_lag_usual_ms=50.0)
    assert loss_words(session.state) == ""
    session.send("quality", stream_lag_ms=552.0, stream_lag_usual_ms=50.0)
    said = "EEG that comes 552 ms after its time, usually 50 ms"
    assert loss_words(session.state) == said
