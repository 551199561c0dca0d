import pytest
from PyQt6.QtCore import Qt
from session_scene import Scene

from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.views.session.alpha import AlphaDialog


@pytest.fixture
def marks():
    return []


@pytest.fixture
def dialog(qtbot, marks):
    made = AlphaDialog(DARK, marks.append)
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def scene():
    return Scene().volumes(1)


def begin(qtbot, dialog, scene):
    qtbot.mouseClick(dialog.begin, Qt.MouseButton.LeftButton)
    dialog.refresh(scene.state, scene.now_s)


def second(dialog, scene, alpha):
    scene.wait(1.0)
    scene.send("pred.fb", volume=scene.volume)
    scene.bands(alpha)
    dialog.refresh(scene.state, scene.now_s)


def test_a_whole_check(qtbot, dialog, scene, marks):
    begin(qtbot, dialog, scene)
    assert dialog.instruction.text() == "Eyes OPEN"
    assert dialog.left.text() == "30 s"
    for _ in range(31):
        second(dialog, scene, alpha=1.0)
    assert dialog.instruction.text() == "Eyes CLOSED"
    for _ in range(31):
        second(dialog, scene, alpha=6.0)
    assert not dialog.running
    assert "● Plausible" in dialog.words.text()
    assert "O1" in dialog.numbers.text()
    assert len(marks) == 3
    assert dialog.begin.text() == "Begin again"


def test_it_explains_itself_before(dialog, scene):
    dialog.refresh(scene.state, scene.now_s)
    assert dialog.instruction.text() == "Alpha check"
    assert "nothing about the person" in dialog.words.text()


@pytest.mark.parametrize("way", ["close", "reject"])
def test_closing_ends_it_with_a_mark(qtbot, dialog, scene, marks, way):
    begin(qtbot, dialog, scene)
    getattr(dialog, way)()
    assert not dialog.running
    assert marks[-1] == "alpha check: stopped, closed by the operator"
    assert len(marks) == 2


def test_silence_ends_it(qtbot, dialog, scene):
    begin(qtbot, dialog, scene)
    dialog.refresh(scene.state, scene.now_s + 4)
    assert not dialog.running
    assert "fell silent" in dialog.words.text()


def test_another_session_ends_it(qtbot, dialog, scene):
    begin(qtbot, dialog, scene)
    scene.state.session = "another"
    dialog.refresh(scene.state, scene.now_s)
    assert "another session" in dialog.words.text()


def test_without_a_session_it_says_so(qtbot, dialog):
    from rtbold.gui.state.dashboard import DashboardState

    qtbot.mouseClick(dialog.begin, Qt.MouseButton.LeftButton)
    dialog.refresh(DashboardState(), 1.0)
    assert "No session" in dialog.words.text()
    assert not dialog.running
    dialog.set_colours(LIGHT)
