"""What the controller tells, as notices and as lines of the log."""

from collections.abc import Callable
from typing import Protocol

from rtbold.gui.controllers.dashboard import News
from rtbold.gui.state.address import Address
from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.received_kinds import LogLevel
from rtbold.gui.views.notices import NoticeBar

QUIET = ("joined", "started", "greeting")  # in the log only


class Window(Protocol):
    """What a notice's button can ask of the operator's window."""

    @property
    def state(self) -> DashboardState:
        """What is known now."""

    def join(self, address: Address) -> None:
        """Watch the session at `address`."""

    def session_ended(self) -> None:
        """Show what it came to."""


class NewsView:
    """Shows news; the newest of a kind replaces the one before."""

    def __init__(
        self, notices: NoticeBar, window: Window, *, now_s: Callable[[], float]
    ) -> None:
        self._notices, self._window, self._now_s = notices, window, now_s

    def show(self, news: News) -> None:
        """Log it; show it, unless it is only for the log."""
        level: LogLevel = "error" if news.level == "invalid" else "info"
        if news.kind != "greeting":  # the state itself logs whom it hears
            self._window.state.log.add(news.text, self._now_s(), level=level)
        if news.kind in ("joined", "started"):
            for kind in ("offer", "died", "trouble", "ended", "doubt"):
                self._notices.take_away(kind)
        elif news.kind == "ended":
            self._window.session_ended()
        if news.kind == "greeting":
            self._notices.take_away("doubt")
        if news.kind in QUIET:
            return
        action = None
        if (where := news.where) is not None:
            action = ("Join it", lambda: self._window.join(where))
        self._notices.show_notice(news.kind, news.text, level=news.level, action=action)
