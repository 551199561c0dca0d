import pytest
from feed_messages import Played
from PyQt6.QtCore import Qt

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.views.session.questions import QuestionBox
from rtbold.publish.wire import QuestionPart

EFFORT = QuestionPart(name="effort", text="How hard?", kind="slider", maximum=10)
FREE = QuestionPart(name="free", text="What did you do?", kind="text")


@pytest.fixture
def answers():
    return []


@pytest.fixture
def box(qtbot, answers):
    made = QuestionBox(lambda *answer: answers.append(answer))
    qtbot.addWidget(made)
    return made


@pytest.fixture
def session():
    made = Played(DashboardState())
    made.hello()
    return made


def ask(box, session, *questions):
    session.send("phase", name="end", block=0, questions=questions)
    box.refresh(session.state, session.now_s)


def test_it_is_hidden_while_nothing_is_asked(box, session):
    box.refresh(DashboardState(), 0.0)
    assert box.isHidden()
    ask(box, session, EFFORT)
    assert not box.isHidden()
    ask(box, session)
    assert box.isHidden()
    assert box.rows == {}


def test_a_slider_that_nobody_touched_is_no_answer(qtbot, box, session, answers):
    ask(box, session, EFFORT)
    row = box.rows["effort"]
    assert not row.send.isEnabled()
    row.slider.setValue(7)
    qtbot.mouseClick(row.send, Qt.MouseButton.LeftButton)
    assert answers == [("effort", "7")]


def test_a_text_is_sent_as_it_was_typed(qtbot, box, session, answers):
    ask(box, session, FREE)
    row = box.rows["free"]
    qtbot.keyClick(row.line, Qt.Key.Key_Return)
    row.line.setText("  ")
    assert not row.send.isEnabled()
    qtbot.keyClicks(row.line, "counted backwards")
    qtbot.keyClick(row.line, Qt.Key.Key_Return)
    assert answers == [("free", "counted backwards")]


def test_what_is_typed_stays_while_another_question_is_answered(box, session):
    ask(box, session, EFFORT, FREE)
    box.rows["free"].line.setText("half a sen")
    ask(box, session, FREE)
    assert list(box.rows) == ["free"]
    assert box.rows["free"].line.text() == "half a sen"


def test_it_goes_with_the_session(box, session):
    ask(box, session, EFFORT)
    session.send("bye")
    box.refresh(session.state, session.now_s)
    assert box.isHidden()
