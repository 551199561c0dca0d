import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLabel, QPushButton

from rtbold.gui.views.closing import CloseDialog, ClosingDialog


@pytest.mark.parametrize("choice", ["leave", "stop", "cancel"])
def test_each_button_is_a_choice(qtbot, choice):
    dialog = CloseDialog(own=True, here=True)
    qtbot.addWidget(dialog)
    dialog.findChild(QPushButton, f"close_{choice}").click()
    assert dialog.choice == choice


def test_enter_leaves_the_session_running_and_esc_keeps_the_window(qtbot):
    for key, choice in ((Qt.Key.Key_Return, "leave"), (Qt.Key.Key_Escape, "cancel")):
        dialog = CloseDialog(own=True, here=True)
        qtbot.addWidget(dialog)
        dialog.show()
        qtbot.keyClick(dialog, key)
        assert dialog.choice == choice
        assert not dialog.isVisible()


def test_it_says_where_the_session_is(qtbot):
    dialog = CloseDialog(own=False, here=False)
    qtbot.addWidget(dialog)
    words = dialog.findChild(QLabel, "close_words").text()
    assert "joined, on another machine" in words


def test_the_closing_dialog_counts_down_and_says_when_it_is_late(qtbot):
    dialog = ClosingDialog()
    qtbot.addWidget(dialog)
    dialog.set_left(3)
    assert "3 s" in dialog.words.text()
    dialog.say_late("no such command")
    dialog.say_late("no such command")
    assert "no such command It is asked again" in dialog.words.text()
