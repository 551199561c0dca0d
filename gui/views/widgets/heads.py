"""The state of each channel on the head: shape, colour, name and words."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from math import hypot
from typing import Final

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPaintEvent,
    QPen,
)
from PyQt6.QtWidgets import QWidget

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.state.words import channel_words
from rtbold.gui.views.widgets.assets import electrode_place
from rtbold.gui.views.widgets.channel_looks import (
    INTERPOLATED,
    LOOKS,
    is_filled,
    look_of,
    path_of,
)
from rtbold.gui.views.widgets.drawn import Drawn
from rtbold.gui.views.widgets.head_drawing import HeadFrame, draw_head

NOTHING: Final = "Nothing is known of the channels yet."
TIP: Final = "The channels that the model needs, and how each is now."
NO_PLACE: Final = "No known place on the head"
NEAR_PX: Final = 12.0
NAMES_FROM_PX: Final = 21.0  # between electrodes; closer ones are named if not good
MOST_NAMED: Final = 12  # names in a line of the legend
WRAPPED: Final = (Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap).value
Line = tuple[str | None, str]  # state (None: no sign), words


class HeadMap(Drawn):
    """Electrodes on a head, beside them what the signs mean and who is concerned."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(colours, parent)
        self.setObjectName("head_map")
        self.setMinimumSize(150, 120)
        self.setMouseTracking(True)
        self._states: dict[str, str] = {}
        self._interpolated: frozenset[str] = frozenset()
        self._places: dict[str, tuple[float, float]] = {}
        self._shown: object = None
        self._nothing = NOTHING

    def show_states(
        self, states: Mapping[str, str], interpolated: Collection[str] = ()
    ) -> None:
        """Show these channels.

        Parameters
        ----------
        states : label to state, as in the feed's quality message; an unknown state is
            drawn as an empty ring and named as it is.
        interpolated : labels that are computed from their neighbours.
        """
        self._states, self._interpolated = dict(states), frozenset(interpolated)
        known = {label: electrode_place(label) for label in states}
        self._places = {label: at for label, at in known.items() if at is not None}
        self.update()

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Show the newest quality message, if it says something new."""
        quality = state.quality
        channels = quality.channels if quality else ()
        if channels == self._shown:
            return
        self._shown = channels
        self.show_states(
            {part.label: part.state for part in channels},
            [part.label for part in channels if part.interpolated],
        )

    def lines(self) -> list[Line]:
        """Return what stands beside the head: a state and its words in each line."""
        found: list[Line] = []
        for state in sorted(set(self._states.values()), key=_worst_first):
            labels = [label for label, now in self._states.items() if now == state]
            who = str(len(labels)) if state == "good" else _named(labels)
            found.append((state, f"{channel_words(state)}: {who}"))
        if self._interpolated:
            listed = [label for label in self._states if label in self._interpolated]
            found.append((None, f"Ring: {INTERPOLATED}: {_named(listed)}"))
        if lost := [label for label in self._states if label not in self._places]:
            found.append((None, f"{NO_PLACE}: {_named(lost)}"))
        return found

    def place_of(self, label: str) -> QPointF:
        """Return where the electrode `label` is drawn; it must have a place."""
        return HeadFrame.inside(self._boxes()[0]).at(*self._places[label])

    def words_at(self, position: QPointF) -> str:
        """Return what there is to say of the electrode at `position`."""
        near = [
            ((self.place_of(label) - position).manhattanLength(), label)
            for label in self._places
        ]
        distance, label = min(near, default=(NEAR_PX, ""))
        if distance >= NEAR_PX:
            return TIP
        state = self._states[label]
        more = f"\nNow {INTERPOLATED}." if label in self._interpolated else ""
        return f"{label}: {channel_words(state)}\n{look_of(state).explained}{more}"

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's)
        """Draw the head and the words."""
        painter = self.painter()
        head, words = self._boxes()
        frame = HeadFrame.inside(head)
        draw_head(painter, frame, self._colours)
        if not self._states:
            painter.setPen(QColor(self._colours.text))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(head.adjusted(20, 0, -20, 0), int(flags), self._nothing)
            return
        self._draw_electrodes(painter, frame)
        self._draw_lines(painter, words)

    def _boxes(self) -> tuple[QRectF, QRectF]:
        """Return where the head is and where the words are."""
        box = QRectF(self.rect()).adjusted(4, 4, -4, -4)
        if box.width() > 1.25 * box.height():
            head = QRectF(box.left(), box.top(), box.height(), box.height())
            return head, box.adjusted(head.width() + 6, 4, 0, 0)
        height = min(box.width(), 0.72 * box.height())
        head = QRectF(box.left(), box.top(), box.width(), height)
        return head, box.adjusted(0, height + 4, 0, 0)

    def _draw_electrodes(self, painter: QPainter, frame: HeadFrame) -> None:
        spacing = frame.radius * _closest(self._places.values())
        size = min(7.0, max(3.0, 0.22 * spacing))
        font = QFont(self.font())
        font.setPixelSize(round(min(12.0, max(8.0, 0.34 * spacing))))
        painter.setFont(font)
        # The bad ones last, so that no good one hides them.
        for label in sorted(
            self._places, key=lambda name: self._states[name] != "good"
        ):
            at, state = frame.at(*self._places[label]), self._states[label]
            self._draw_sign(painter, at, size, state)
            if label in self._interpolated:
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawEllipse(at, 1.9 * size, 1.9 * size)
            if spacing >= NAMES_FROM_PX or state != "good":
                painter.setPen(QColor(self._colours.text))
                height = QFontMetricsF(font).height()
                below = 1.9 if label in self._interpolated else 1.2
                top = at.y() + below * size
                box = QRectF(at.x() - 30, top, 60, height)
                painter.drawText(box, Qt.AlignmentFlag.AlignHCenter.value, label)

    def _draw_sign(
        self, painter: QPainter, at: QPointF, size: float, state: str
    ) -> None:
        look = look_of(state)
        ink = QColor(look.colour(self._colours))
        painter.setPen(QPen(ink, 1.6))
        painter.setBrush(ink if is_filled(look.shape) else Qt.BrushStyle.NoBrush)
        painter.drawPath(path_of(look.shape, at, size))

    def _draw_lines(self, painter: QPainter, box: QRectF) -> None:
        """Write the legend, in smaller letters where it would not fit."""
        for factor in (1.0, 0.85, 0.72):
            font = QFont(self.font())
            font.setPointSizeF(factor * font.pointSizeF())
            painter.setFont(font)
            rooms = self._rooms(painter, box)
            if not rooms or rooms[-1].bottom() <= box.bottom():
                break
        height = QFontMetricsF(painter.font()).height()
        for (state, words), room in zip(self.lines(), rooms, strict=True):
            if state is not None:
                at = QPointF(box.left() + 0.4 * height, room.top() + 0.5 * height)
                self._draw_sign(painter, at, 0.28 * height, state)
            painter.setPen(QColor(self._colours.text))
            painter.drawText(room, WRAPPED, words)

    def _rooms(self, painter: QPainter, box: QRectF) -> list[QRectF]:
        """Return where each line goes, from the top, right of its sign."""
        rooms: list[QRectF] = []
        left, top = box.left() + 0.9 * QFontMetricsF(painter.font()).height(), box.top()
        for _, words in self.lines():
            room = QRectF(left, top, box.right() - left, 1000)
            room.setHeight(painter.boundingRect(room, WRAPPED, words).height())
            rooms.append(room)
            top = room.bottom() + 2
        return rooms


def _worst_first(state: str) -> tuple[int, str]:
    order = [
        "missing",
        "nonfinite",
        "flat",
        "railed",
        "amplitude",
        "line_noise",
        "good",
    ]
    return (order.index(state) if state in LOOKS else len(order), state)


def _named(labels: Sequence[str]) -> str:
    more = len(labels) - MOST_NAMED
    named = " ".join(labels[:MOST_NAMED])
    return named if more <= 0 else f"{named} and {more} more"


def _closest(places: Iterable[tuple[float, float]]) -> float:
    """Return the distance at which electrodes typically have a neighbour."""
    listed = list(places)
    nearest = dict.fromkeys(listed, 2.0)
    for a, b in combinations(set(listed), 2):
        distance = hypot(a[0] - b[0], a[1] - b[1])
        nearest[a], nearest[b] = min(nearest[a], distance), min(nearest[b], distance)
    ordered = sorted(nearest.values())
    # The close fifth of them decides: names of those must not overlap.
    return ordered[len(ordered) // 5] if ordered else 2.0
