"""Closing the operator's window while a session runs, without blocking it."""

import math
from collections.abc import Callable

from PyQt6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.controllers.dashboard import DashboardController
from rtbold.gui.state.commands import PATIENCE_S, Choice, ClosingWait, question
from rtbold.gui.views.forms import named_button, wrapped_label

# Closing the window while a session runs: leave it, stop it, or stay.


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


class ClosingDialog(QDialog):
    """Shows that the session is being stopped; the main window tells it how far."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Stopping the session")
        self.setObjectName("closing_dialog")
        self.setModal(True)
        self.words = wrapped_label(name="closing_words")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setRange(0, round(PATIENCE_S))
        self.close_now = named_button(
            "Close the &window now",
            name="closing_close",
            tip="Closes this window only, whatever the session does",
        )
        self.wait_on = named_button("&Keep the window", name="closing_keep")
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


AGAIN_S = 3.0  # between two requests to stop, longer than an answer may take


class Closing:
    """Asks, stops the session if asked to, waits for its goodbye frame by frame.

    Parameters
    ----------
    ask : for tests; None: the dialog.
    """

    def __init__(
        self,
        window: QWidget,
        controller: DashboardController,
        now_s: Callable[[], float],
        *,
        ask: Callable[[], Choice] | None = None,
    ) -> None:
        self._window, self._controller, self._now_s = window, controller, now_s
        self.ask = ask or self._ask
        self._agreed = False
        self._wait: ClosingWait | None = None
        self._asked_s = -math.inf
        self.dialog: ClosingDialog | None = None

    def without_asking(self) -> None:
        """Let the next close pass; the session goes on."""
        self._agreed = True

    def may_close(self) -> bool:
        """Return whether the window may close now; else it may close itself later."""
        if self._agreed or not self._controller.session_alive:
            return True
        if self._wait is not None:
            return False
        choice = self.ask()
        if choice == "stop":
            self._begin_wait()
        return choice == "leave"

    def tick(self, now_s: float) -> None:
        """Look whether the session has ended; then close."""
        if self._wait is None or self.dialog is None:
            return
        self._ask_again(now_s)
        verdict = self._wait.stage(
            now_s,
            bye=self._controller.bye_received,
            exited=self._controller.own and not self._controller.child_runs,
        )
        if verdict == "waiting":
            self.dialog.set_left(self._wait.seconds_left(now_s))
        elif verdict == "late":
            answer = self._controller.commands.stop_reply
            self.dialog.say_late("" if answer is None or answer.ok else answer.words)
        else:
            self._close()

    def _ask_again(self, now_s: float) -> None:
        """Repeat a stop that did not arrive: a session that starts hears none yet."""
        answer = self._controller.commands.stop_reply
        refused = answer is not None and not answer.ok
        if refused and now_s - self._asked_s >= AGAIN_S:
            self._asked_s = now_s
            self._controller.commands.stop()

    def _ask(self) -> Choice:
        address = self._controller.address
        here = address is None or address.here
        dialog = CloseDialog(self._window, own=self._controller.own, here=here)
        dialog.exec()
        dialog.deleteLater()
        return dialog.choice

    def _begin_wait(self) -> None:
        self._asked_s = self._now_s()
        self._controller.commands.stop()
        self._wait = ClosingWait(self._asked_s)
        self.dialog = ClosingDialog(self._window)
        self.dialog.close_now.clicked.connect(self._close)
        self.dialog.wait_on.clicked.connect(self._stay)
        self.dialog.rejected.connect(self._stay)
        self.dialog.show()

    def _end_dialog(self) -> None:
        dialog, self.dialog, self._wait = self.dialog, None, None
        if dialog is not None:
            dialog.blockSignals(True)
            dialog.close()
            dialog.deleteLater()

    def _stay(self) -> None:
        self._end_dialog()

    def _close(self) -> None:
        self._end_dialog()
        self._agreed = True
        self._window.close()
