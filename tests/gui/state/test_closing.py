from rtbold.gui.state.commands import ClosingWait, question


def test_the_question_says_that_the_session_goes_on():
    assert "started here" in question(own=True, here=True)
    away = question(own=False, here=False)
    assert "another machine" in away
    assert "only closes this view" in away


def test_waiting_ends_with_the_goodbye_or_the_process_or_patience():
    wait = ClosingWait(asked_s=100.0)
    assert wait.stage(101.0, bye=False, exited=False) == "waiting"
    assert wait.stage(101.0, bye=True, exited=False) == "ended"
    assert wait.stage(101.0, bye=False, exited=True) == "ended"
    assert wait.stage(105.1, bye=False, exited=False) == "late"
    assert [wait.seconds_left(t) for t in (100.0, 102.5, 109.0)] == [5, 3, 0]
