"""A bar over all pages: what the operator has to know, with what to do about it."""

from collections.abc import Callable

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.state.words import Level
from rtbold.gui.views.plain_widgets import named_button, wrapped_label

MOST_NOTICES = 3
MOST_LINES = 3  # of one notice
SYMBOLS: dict[Level, str] = {"ok": "●", "degraded": "▲", "invalid": "■", "silent": "✕"}


class Notice(QWidget):
    """One line with at most one action and a button to put it away."""

    def __init__(self, key: str, *, level: Level, colours: Colours) -> None:
        super().__init__()
        self.key, self._level = key, level
        self.setObjectName(f"notice_{key}")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.label = wrapped_label()
        self.action = named_button("", name=f"notice_{key}_action")
        self.action.hide()
        self.dismiss = named_button(
            "Hide",
            name=f"notice_{key}_hide",
            tip="Put this line away; it comes back if it happens again",
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 4, 6, 4)
        row.addWidget(self.label, stretch=1)
        row.addWidget(self.action)
        row.addWidget(self.dismiss)
        self.set_colours(colours)

    def say(self, text: str) -> None:
        """Show the first lines of `text`, with the symbol of its level."""
        lines = text.splitlines()
        shown = "\n".join(lines[:MOST_LINES])
        more = " … (all of it: Events, on the Session page)" * (len(lines) > MOST_LINES)
        self.label.setText(f"{SYMBOLS.get(self._level, '●')}  {shown}{more}")
        self.label.setToolTip(text)

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        edge = colours.of_level(self._level)
        self.setStyleSheet(
            f"Notice {{ background: {colours.panel}; border-left: 6px solid {edge}; }}"
        )


class NoticeBar(QWidget):
    """At most three notices, the newest at the top; one for each key."""

    def __init__(self, colours: Colours) -> None:
        super().__init__()
        self.setObjectName("notice_bar")
        self._colours = colours
        self._notices: dict[str, Notice] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(1)
        self.hide()

    def show_notice(
        self,
        key: str,
        text: str,
        *,
        level: Level = "degraded",
        action: tuple[str, Callable[[], None]] | None = None,
    ) -> None:
        """Show or renew the notice `key`.

        Parameters
        ----------
        action : words of a button, and what it does; the notice goes with it.
        """
        self.take_away(key)
        notice = Notice(key, level=level, colours=self._colours)
        notice.say(text)
        if action is not None:
            words, do = action
            notice.action.setText(words)
            notice.action.clicked.connect(lambda: self.take_away(key))
            notice.action.clicked.connect(lambda: do())
            notice.action.show()
        notice.dismiss.clicked.connect(lambda: self.take_away(key))
        self._notices[key] = notice
        self._column.insertWidget(0, notice)
        for old in list(self._notices)[:-MOST_NOTICES]:
            self.take_away(old)
        self.show()

    def take_away(self, key: str) -> None:
        """Remove the notice `key`; nothing if there is none."""
        notice = self._notices.pop(key, None)
        if notice is None:
            return
        self._column.removeWidget(notice)
        notice.hide()
        notice.deleteLater()
        self.setVisible(bool(self._notices))

    def texts(self) -> dict[str, str]:
        """Return what is shown, by key."""
        return {key: notice.label.text() for key, notice in self._notices.items()}

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours = colours
        for notice in self._notices.values():
            notice.set_colours(colours)
