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
    overlay = StaleOverlay(DARK, covered)
    assert overlay.isHidden()
    alive = covered.grab().toImage()
    overlay.say("NO HEARTBEAT for 3 s\nlast prediction 12:03:14")
    assert not overlay.isHidden()
    assert overlay.geometry() == covered.rect()
    assert covered.grab().toImage() != alive
    covered.resize(500, 300)
    assert overlay.geometry() == covered.rect()
    overlay.say("")
    assert overlay.isHidden()


@pytest.mark.usefixtures("real_letters")
def test_the_words_change_while_it_lasts(covered):
    overlay = StaleOverlay(DARK, covered)
    overlay.say("for 3 s")
    before = covered.grab().toImage()
    overlay.say("for 4 s")
    assert overlay.words == overlay.accessibleName() == "for 4 s"
    assert covered.grab().toImage() != before
    overlay.set_colours(LIGHT)
    assert covered.grab().toImage() != before


def test_what_is_below_can_still_be_clicked(covered, qtbot):
    overlay = StaleOverlay(DARK, covered)
    overlay.say("old")
    assert overlay.testAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
