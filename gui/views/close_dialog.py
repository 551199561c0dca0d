"""Closing the window while a session runs: leave it, stop it, or stay."""

from PyQt6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.closing import PATIENCE_S, Choice, question
from rtbold.gui.views.plain_widgets import named_button, wrapped_label


class CloseDialog(QDialog):
    """Asks what becomes of the session; Esc and Cancel keep the window."""

    def __init__(
        self, parent: QWidget | None = None, *, own: bool = True, here: bool = True
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("A session is running")
        self.setObjectName("close_dialog")
        self.choice: Choice = "cancel"
        self.leave = self._button("&Leave it running", "leave")
        self.stop = self._button("&Stop the session", "stop")
        self.cancel = self._button("&Cancel", "cancel")
        self.leave.setDefault(True)
        self.leave.setToolTip("Close this window only")
        self.stop.setToolTip("Ask the session to end, wait for it, then close")
        row = QHBoxLayout()
        for button in (self.leave, self.stop, self.cancel):
            row.addWidget(button)
        column = QVBoxLayout(self)
        words = wrapped_label(question(own=own, here=here), name="close_words")
        column.addWidget(words)
        column.addLayout(row)
        self.setMinimumWidth(440)

    def _button(self, words: str, choice: Choice) -> QPushButton:
        button = named_button(words, name=f"close_{choice}")
        button.clicked.connect(lambda: self._choose(choice))
        return button

    def _choose(self, choice: Choice) -> None:
        self.choice = choice
        if choice == "cancel":
            self.reject()
        else:
            self.accept()


class FarewellDialog(QDialog):
    """Shows that the session is being stopped; the main window tells it how far."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Stopping the session")
        self.setObjectName("farewell_dialog")
        self.setModal(True)
        self.words = wrapped_label(name="farewell_words")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setRange(0, round(PATIENCE_S))
        self.close_now = named_button(
            "Close the &window now",
            name="farewell_close",
            tip="Closes this window only, whatever the session does",
        )
        self.wait_on = named_button("&Keep the window", name="farewell_keep")
        for button in (self.close_now, self.wait_on):
            button.setAutoDefault(False)
        row = QHBoxLayout()
        row.addWidget(self.close_now)
        row.addWidget(self.wait_on)
        column = QVBoxLayout(self)
        column.addWidget(self.words)
        column.addWidget(self.bar)
        column.addLayout(row)
        self.setMinimumWidth(440)
        self.set_left(round(PATIENCE_S))

    def set_left(self, seconds: int) -> None:
        """Show how long the window still waits."""
        self.bar.setValue(round(PATIENCE_S) - seconds)
        self.words.setText(f"Waiting for the session to say goodbye: {seconds} s.")

    def say_late(self, why: str = "") -> None:
        """Say that it did not end in time, and what can be done."""
        if self.bar.maximum() == 0:
            return
        self.bar.setRange(0, 0)  # moves without an end
        self.words.setText(
            f"The session was not stopped within {PATIENCE_S:g} s: {why} It is asked "
            "again while this stands here. Close the window, and the session goes on."
            if why
            else f"The session has not ended within {PATIENCE_S:g} s. It may still be "
            "closing its recording. Close the window, or keep it and watch."
        )
