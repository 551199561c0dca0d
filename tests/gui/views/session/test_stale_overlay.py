import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.views.session.parts import StaleOverlay


@pytest.fixture
def covered(qtbot):
    widget = QWidget()
    qtbot.addWidget(widget)
    QVBoxLayout(widget).addWidget(QPushButton("below"))
    widget.resize(400, 200)
    widget.show()
    return widget


def test_it_covers_everything_and_follows_the_size(covered):
    veil = StaleOverlay(DARK, covered)
    assert veil.isHidden()
    alive = covered.grab().toImage()
    veil.say("NO HEARTBEAT for 3 s\nlast prediction 12:03:14")
    assert not veil.isHidden()
    assert veil.geometry() == covered.rect()
    assert covered.grab().toImage() != alive
    covered.resize(500, 300)
    assert veil.geometry() == covered.rect()
    veil.say("")
    assert veil.isHidden()


@pytest.mark.usefixtures("real_letters")
def test_the_words_change_while_it_lasts(covered):
    veil = StaleOverlay(DARK, covered)
    veil.say("for 3 s")
    before = covered.grab().toImage()
    veil.say("for 4 s")
    assert veil.words == veil.accessibleName() == "for 4 s"
    assert covered.grab().toImage() != before
    veil.set_colours(LIGHT)
    assert covered.grab().toImage() != before


def test_what_is_below_can_still_be_clicked(covered, qtbot):
    veil = StaleOverlay(DARK, covered)
    veil.say("old")
    assert veil.testAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
