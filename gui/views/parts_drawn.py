"""Refreshing the parts of a page so that a fault in one stops no other."""

from collections.abc import Iterable
from typing import cast

from PyQt6.QtWidgets import QWidget

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.views.session.parts import Panel
from rtbold.gui.views.stale_overlay import StaleOverlay

FAULT = "not drawn: a fault of the dashboard"


class PartsDrawn:
    """Refreshes parts one by one; covers one that fails, for it shows the past."""

    def __init__(self, colours: Colours) -> None:
        self._colours = colours
        self._veils: dict[Panel, StaleOverlay] = {}

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours = colours
        for veil in self._veils.values():
            veil.set_colours(colours)

    def refresh(
        self, parts: Iterable[Panel], state: DashboardState, now_s: float
    ) -> Exception | None:
        """Draw the newest state; return the first fault, for whoever tells faults."""
        first = None
        for part in parts:
            try:
                part.refresh(state, now_s)
            except Exception as error:  # told by the caller once all others are drawn
                first = first or error
                self._veil(part).say(FAULT)
            else:
                if part in self._veils:
                    self._veils[part].say("")
        return first

    def _veil(self, part: Panel) -> StaleOverlay:
        if part not in self._veils:
            self._veils[part] = StaleOverlay(self._colours, cast(QWidget, part))
        return self._veils[part]
