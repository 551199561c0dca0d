"""The slim bar at the left: pages, and the session's status on every page."""

from collections.abc import Sequence

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QButtonGroup,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.headline import Headline
from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.state.words import status_words
from rtbold.gui.views.plain_widgets import named_button, wrapped_label

PAGES = ("Set-up", "Rehearse", "Session", "Summary")
SHORTEST_WIDTH = 104


class SideBar(QWidget):
    """Buttons of the pages, and below them status and settings.

    Parameters
    ----------
    actions : (object name, words, tooltip) of further buttons; `pressed` tells which.
    """

    chosen = pyqtSignal(int)  # index of a page
    pressed = pyqtSignal(str)  # object name of an action

    def __init__(
        self, colours: Colours, actions: Sequence[tuple[str, str, str]] = ()
    ) -> None:
        super().__init__()
        self.setObjectName("side_bar")
        self._colours = colours
        self._shown: tuple[str, str, str] | None = None
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Expanding)
        self.setMinimumWidth(SHORTEST_WIDTH)
        self.status = wrapped_label(name="side_status")
        self.status.setAlignment(Qt.AlignmentFlag.AlignCenter)
        ignored = QSizePolicy.Policy.Ignored  # its words make the bar no wider
        self.status.setSizePolicy(ignored, QSizePolicy.Policy.Preferred)
        self._group = QButtonGroup(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        for index, name in enumerate(PAGES):
            column.addWidget(self._page_button(index, name))
        column.addSpacing(12)
        column.addWidget(self.status)
        column.addStretch(1)
        for object_name, words, tip in actions:
            column.addWidget(self._action_button(object_name, words, tip))
        self._group.idClicked.connect(self.chosen)

    def _page_button(self, index: int, name: str) -> QPushButton:
        slug = name.lower().replace("-", "")
        button = named_button(
            name, name=f"page_{slug}", tip=f"{name} (Ctrl+{index + 1})"
        )
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._group.addButton(button, index)
        return button

    def _action_button(self, object_name: str, words: str, tip: str) -> QPushButton:
        button = named_button(words, name=object_name, tip=tip)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda: self.pressed.emit(object_name))
        return button

    def mark(self, index: int) -> None:
        """Show which page is open."""
        button = self._group.button(index)
        if button is not None:
            button.setChecked(True)

    def show_headline(self, headline: Headline) -> None:
        """Show the session's status; does nothing while it stays the same."""
        now = (headline.level, headline.word, headline.why)
        if now == self._shown:
            return
        self._shown = now
        colour = self._colours.of_level(headline.level)
        self.status.setText(f"{status_words(headline.level).symbol}\n{headline.word}")
        self.status.setToolTip(f"{headline.why}\n{headline.do}".strip())
        self.status.setStyleSheet(
            f"border: 2px solid {colour}; border-radius: 4px; padding: 6px 0px;"
            f"color: {colour}; font-weight: bold;"
        )

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours, self._shown = colours, None
