"""Splitters of the session page, and how their sizes are kept."""

import json
from collections.abc import Mapping, Sequence
from typing import Protocol

from PyQt6.QtCore import QByteArray, Qt
from PyQt6.QtWidgets import QHBoxLayout, QSplitter, QWidget

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.theme_colours import Colours

VERSION = 1  # of the blob; another one is left alone


class Panel(Protocol):
    """What the page asks of each of its parts."""

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Draw the newest state."""


def split(
    name: str,
    parts: Sequence[QWidget],
    *,
    sizes: Sequence[int],
    way: Qt.Orientation = Qt.Orientation.Horizontal,
) -> QSplitter:
    """Return `parts` beside or above one another, none of which can be lost."""
    splitter = QSplitter(way)
    splitter.setObjectName(f"{name}_splitter")
    splitter.setChildrenCollapsible(False)
    for part in parts:
        splitter.addWidget(part)
    splitter.setSizes(list(sizes))
    return splitter


def row_of(parent: QWidget) -> QHBoxLayout:
    """Give `parent` a row without margins."""
    row = QHBoxLayout(parent)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(4)
    return row


def as_bytes(splitters: Sequence[QSplitter], choices: Mapping[str, object]) -> bytes:
    """Return sizes and choices, to be kept until another day."""
    sizes = {
        splitter.objectName(): splitter.saveState().data().hex()
        for splitter in splitters
    }
    kept = {"version": VERSION, "sizes": sizes, "choices": dict(choices)}
    return json.dumps(kept).encode()


def from_bytes(splitters: Sequence[QSplitter], blob: bytes) -> dict[str, object]:
    """Restore the sizes; return the choices. What cannot be read changes nothing."""
    try:
        kept = json.loads(blob)
        if kept["version"] != VERSION:
            return {}
        sizes = {str(k): bytes.fromhex(v) for k, v in kept["sizes"].items()}
        choices = dict(kept["choices"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}
    for splitter in splitters:
        if (state := sizes.get(splitter.objectName())) is not None:
            splitter.restoreState(QByteArray(state))
    return choices
