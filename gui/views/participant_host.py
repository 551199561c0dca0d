"""Opens, feeds and closes the participant's window for the operator's."""

from typing import Protocol

from PyQt6.QtWidgets import QWidget

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import Preferences
from rtbold.gui.views.participant import ParticipantWindow
from rtbold.gui.views.participant_dialog import ParticipantDialog


class Owner(Protocol):
    """The operator's window."""

    preferences: Preferences

    def set_preferences(self, preferences: Preferences) -> None:
        """Take and keep other preferences."""


class ParticipantHost:
    """At most one participant's window, and the dialog of its choices."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self.window: ParticipantWindow | None = None
        self.dialog: ParticipantDialog | None = None

    def toggle(self) -> None:
        """Open the window and its choices, or close both."""
        if self.window is not None:
            self.close()
            return
        self.open()
        parent = self._owner if isinstance(self._owner, QWidget) else None
        self.dialog = ParticipantDialog(self._owner.preferences, parent)
        self.dialog.changed.connect(self._owner.set_preferences)
        self.dialog.show()

    def open(self) -> None:
        """Open the window, on the second screen if there is one."""
        self.window = ParticipantWindow(self._owner.preferences)
        self.window.closed.connect(self._forget)
        self.window.go_to_second_screen()

    def close(self) -> None:
        """Close the window and the dialog; nothing if there is none."""
        if self.window is not None:
            self.window.close()

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Draw the newest state."""
        if self.window is not None:
            self.window.refresh(state, now_s)

    def neutral(self) -> None:
        """Show nothing; for when the dashboard itself has a fault."""
        if self.window is not None:
            self.window.neutral()

    def set_preferences(self, preferences: Preferences) -> None:
        """Take another drawing, range or square."""
        if self.window is not None and self.window.preferences != preferences:
            self.window.set_preferences(preferences)

    def _forget(self) -> None:
        window, self.window = self.window, None
        dialog, self.dialog = self.dialog, None
        if window is not None:
            window.deleteLater()
        if dialog is not None:
            dialog.close()
            dialog.deleteLater()
