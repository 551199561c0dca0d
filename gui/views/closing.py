"""Closing the operator's window while a session runs, without blocking it."""

import math
from collections.abc import Callable

from PyQt6.QtWidgets import QWidget

from rtbold.gui.controllers.dashboard import DashboardController
from rtbold.gui.state.closing import Choice, Farewell
from rtbold.gui.views.close_dialog import CloseDialog, FarewellDialog

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
        self._farewell: Farewell | None = None
        self._asked_s = -math.inf
        self.dialog: FarewellDialog | None = None

    def without_asking(self) -> None:
        """Let the next close pass; the session goes on."""
        self._agreed = True

    def may_close(self) -> bool:
        """Return whether the window may close now; else it may close itself later."""
        if self._agreed or not self._controller.session_alive:
            return True
        if self._farewell is not None:
            return False
        choice = self.ask()
        if choice == "stop":
            self._begin_farewell()
        return choice == "leave"

    def tick(self, now_s: float) -> None:
        """Look whether the session has ended; then close."""
        if self._farewell is None or self.dialog is None:
            return
        self._ask_again(now_s)
        verdict = self._farewell.judge(
            now_s,
            bye=self._controller.said_goodbye,
            exited=self._controller.own and not self._controller.child_runs,
        )
        if verdict == "waiting":
            self.dialog.set_left(self._farewell.seconds_left(now_s))
        elif verdict == "late":
            answer = self._controller.commands.stop_answer
            self.dialog.say_late("" if answer is None or answer.ok else answer.words)
        else:
            self._close()

    def _ask_again(self, now_s: float) -> None:
        """Repeat a stop that did not arrive: a session that starts hears none yet."""
        answer = self._controller.commands.stop_answer
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

    def _begin_farewell(self) -> None:
        self._asked_s = self._now_s()
        self._controller.commands.stop()
        self._farewell = Farewell(self._asked_s)
        self.dialog = FarewellDialog(self._window)
        self.dialog.close_now.clicked.connect(self._close)
        self.dialog.wait_on.clicked.connect(self._stay)
        self.dialog.rejected.connect(self._stay)
        self.dialog.show()

    def _end_dialog(self) -> None:
        dialog, self.dialog, self._farewell = self.dialog, None, None
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
