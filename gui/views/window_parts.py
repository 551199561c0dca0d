"""What the operator's window is made of, and the keys that it knows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rtbold.gui.controllers.dashboard import DashboardController
from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import Preferences
from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.views.remembered import Remembered
from rtbold.gui.views.side_bar import PAGES
from rtbold.gui.views.summary_page import SummaryPage

SETUP, REHEARSE, SESSION, SUMMARY = range(len(PAGES))
SIDE_ACTIONS = (
    ("join", "Join…", "Watch a session that runs, here or elsewhere (Ctrl+J)"),
    ("participant", "Participant", "The participant's window (Ctrl+P)"),
    ("theme", "Light / dark", "Other colours (Ctrl+T)"),
    ("help", "Keys", "What the keys do (F1)"),
)
KEYS: tuple[tuple[str, str], ...] = (
    *((f"Ctrl+{n}", f"page {name}") for n, name in enumerate(PAGES, start=1)),
    ("Ctrl+J", "join a session that runs"),
    ("Ctrl+P", "open or close the participant's window"),
    ("F11, Esc", "on the participant's window: full screen, and back"),
    ("Ctrl+T", "dark or light"),
    ("Ctrl++, Ctrl+-, Ctrl+0", "larger, smaller, usual text"),
    ("Ctrl+Q", "close the dashboard; a session goes on unless you say otherwise"),
    ("F1", "this list"),
)


class Page(Protocol):
    """What the window asks of a page, which is a QWidget too."""

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Draw the newest state; called 30 times a second while it is seen."""

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""


class Ticking(Protocol):
    """A controller that is called once per frame."""

    def tick(self, now_s: float) -> None:
        """Take what has come."""

    def close(self) -> None:
        """End its children and threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the window is made of.

    Parameters
    ----------
    pages : of set-up, rehearsal, session and summary, in this order.
    workers : further controllers, ended with the window.
    keys : lines for F1 beside the window's own.
    gathered : adds what the pages want to be remembered; called at the end.
    base_points : text size of the system, before any scaling.
    now_s : a monotonic clock.
    """

    controller: DashboardController
    pages: tuple[Page, Page, Page, SummaryPage]
    workers: tuple[Ticking, ...]
    remembered: Remembered
    preferences: Preferences
    base_points: float
    now_s: Callable[[], float]
    keys: tuple[tuple[str, str], ...] = ()
    gathered: Callable[[Preferences], Preferences] = lambda preferences: preferences
