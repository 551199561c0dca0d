import math

from feed_messages import Played

from rtbold.gui.state.dashboard import DashboardState


def test_marks_of_the_operator_are_kept_with_their_time():
    state = DashboardState()
    played = Played(state)
    played.hello()
    for text in ("operator: mark eyes shut", "operator: pause", "status ok: well"):
        played.now_s += 1
        played.send("log", text=text)
    found = [(mark.kind, mark.text) for mark in state.moments.marks]
    assert found == [("mark", "eyes shut"), ("pause", "")]
    assert state.moments.marks[1].t_s - state.moments.marks[0].t_s == 1


def test_blocks_end_where_the_next_one_begins():
    state = DashboardState()
    played = Played(state)
    played.hello()
    assert state.moments.spans(5.0) == ()
    for name, t_on, t_off in (("rest", 10, 40), ("up", 30, None), ("rest", 60, 90)):
        played.send("phase", name=name, t_on=t_on, t_off_planned=t_off)
        played.send("phase", name=name, t_on=t_on, t_off_planned=t_off)  # said again
    spans = [(begin, end, block.name) for begin, end, block in state.moments.spans(70)]
    assert spans == [(10, 30, "rest"), (30, 60, "up"), (60, 90, "rest")]
    played.send("phase", name="up", t_on=90, t_off_planned=None)
    assert state.moments.spans(100)[-1][:2] == (90, 100)
    assert not any(math.isinf(end) for _, end, _ in state.moments.spans(100))
