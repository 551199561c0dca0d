"""The state of each channel on the head: shape, colour, name and words."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import hypot
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPolygonF,
)
from PyQt6.QtWidgets import QWidget

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import Colours
from rtbold.gui.state.words import channel_words
from rtbold.gui.views.drawing import Drawn
from rtbold.gui.views.widgets.assets import electrode_place

# How the state of a channel looks: a shape and a colour for each.
#
# The scope, the head map and the set-up page use these, so that a diamond is mains hum
# everywhere. The states are those of the feed's ``quality`` message; their words are
# `rtbold.gui.state.words.channel_words`.

Shape = Literal[
    "circle", "cross", "bar", "square", "diamond", "triangle", "star", "ring"
]
Role = Literal["ok", "degraded", "invalid", "muted"]


@dataclass(frozen=True, slots=True)
class ChannelLook:
    """Shape, colour and meaning of one state."""

    shape: Shape
    role: Role
    explained: str

    def colour(self, colours: Colours) -> str:
        """Return the colour in a theme, ``#rrggbb``."""
        found: str = getattr(colours, self.role)
        return found


LOOKS: Final[dict[str, ChannelLook]] = {
    "good": ChannelLook("circle", "ok", "The channel looks as EEG should."),
    "missing": ChannelLook(
        "cross",
        "invalid",
        "The model needs this channel and the stream does not have it.",
    ),
    "flat": ChannelLook(
        "bar", "invalid", "The signal does not move: off, or not connected."
    ),
    "railed": ChannelLook(
        "square",
        "invalid",
        "The signal is at the amplifier's limit: check electrode and range.",
    ),
    "line_noise": ChannelLook(
        "diamond",
        "degraded",
        "Mains hum is stronger than the EEG: check impedance and ground.",
    ),
    "amplitude": ChannelLook(
        "triangle",
        "degraded",
        "Larger than EEG is: movement, a loose electrode, or MR artefact left.",
    ),
    "nonfinite": ChannelLook(
        "star", "invalid", "The stream sends values that are no numbers."
    ),
}
UNKNOWN: Final = ChannelLook("ring", "muted", "Nothing is known of it yet.")
INTERPOLATED: Final = "computed from its neighbours"


def look_of(state: str | None) -> ChannelLook:
    """Return how a state looks; a state of a later version looks like no news."""
    return UNKNOWN if state is None else LOOKS.get(state, UNKNOWN)


def is_filled(shape: Shape) -> bool:
    """Whether the shape is filled; the others are lines."""
    return shape not in ("cross", "ring")


def path_of(shape: Shape, centre: QPointF, radius: float) -> QPainterPath:
    """Return the shape around `centre`; all shapes look equally large."""
    path = QPainterPath()
    x, y, r = centre.x(), centre.y(), radius
    if shape in ("circle", "ring"):
        path.addEllipse(centre, r, r)
    elif shape == "bar":
        path.addRect(QRectF(x - r, y - 0.4 * r, 2 * r, 0.8 * r))
    elif shape == "square":
        path.addRect(QRectF(x - 0.88 * r, y - 0.88 * r, 1.76 * r, 1.76 * r))
    elif shape == "cross":
        for sign in (-1, 1):
            path.moveTo(x - 0.8 * r, y - sign * 0.8 * r)
            path.lineTo(x + 0.8 * r, y + sign * 0.8 * r)
    else:
        corners = [QPointF(x + r * a, y + r * b) for a, b in _CORNERS[shape]]
        path.addPolygon(QPolygonF(corners))
        path.closeSubpath()
    return path


_CORNERS: Final[dict[str, tuple[tuple[float, float], ...]]] = {
    "diamond": ((0, -1.25), (1.1, 0), (0, 1.25), (-1.1, 0)),
    "triangle": ((0, -1.25), (1.2, 0.9), (-1.2, 0.9)),
    "star": (
        (0, -1.35), (0.35, -0.4), (1.3, -0.4), (0.55, 0.2), (0.8, 1.15),
        (0, 0.6), (-0.8, 1.15), (-0.55, 0.2), (-1.3, -0.4), (-0.35, -0.4),
    ),
}  # fmt: skip


# The head from above as a flat disc: x right, y nose, the outline at radius 1.
#
# An electrode stands at a distance from the middle that is proportional to its angle
# from the vertex (azimuthal equidistant). Those below the outline (mastoids, ear lobes)
# stand outside of it, as far as 1.22.

OUTLINE_DEG: Final = 105.0  # angle from the vertex that the drawn outline stands for
OUTERMOST: Final = 1.22  # of all electrodes of the 10-05 system, and the ears' edge
FloatArray = NDArray[np.float64]


def on_disc(xyz: FloatArray) -> FloatArray:
    """Return (n, 2) places on the disc of (n, 3) unit vectors (right, nose, up)."""
    angle = np.arccos(np.clip(xyz[:, 2], -1, 1))
    sideways = np.hypot(xyz[:, 0], xyz[:, 1])
    reach = np.degrees(angle) / OUTLINE_DEG
    scale = np.divide(reach, sideways, out=np.zeros_like(reach), where=sideways > 0)
    return np.asarray(xyz[:, :2] * scale[:, None])


def on_sphere(xy: FloatArray) -> FloatArray:
    """Return (n, 3) unit vectors of (n, 2) places on the disc; undoes `on_disc`."""
    reach = np.hypot(xy[:, 0], xy[:, 1])
    angle = np.radians(reach * OUTLINE_DEG)
    scale = np.divide(np.sin(angle), reach, out=np.zeros_like(reach), where=reach > 0)
    return np.column_stack([xy * scale[:, None], np.cos(angle)])


# The head from above, for the head map and the topography.

NOSE_TOP = 1.14


@dataclass(frozen=True, slots=True)
class HeadFrame:
    """Where the head is on a widget, logical pixels."""

    centre: QPointF
    radius: float  # of the outline

    @classmethod
    def inside(cls, box: QRectF) -> Self:
        """Return the largest head that fits, with ears, nose and low electrodes."""
        radius = max(1.0, min(box.width(), box.height()) / (2 * OUTERMOST + 0.1))
        return cls(box.center(), radius)

    def at(self, x: float, y: float) -> QPointF:
        """Return where a place on the head's disc is."""
        return self.centre + QPointF(x * self.radius, -y * self.radius)

    def outline(self) -> QRectF:
        """Return the box around the head's circle."""
        r = self.radius
        return QRectF(self.centre.x() - r, self.centre.y() - r, 2 * r, 2 * r)


def draw_head(painter: QPainter, frame: HeadFrame, colours: Colours) -> None:
    """Draw outline, nose and ears."""
    painter.setPen(QPen(QColor(colours.muted), 1.5))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawEllipse(frame.outline())
    nose = QPainterPath(frame.at(-0.12, 0.993))
    nose.lineTo(frame.at(0, NOSE_TOP))
    nose.lineTo(frame.at(0.12, 0.993))
    painter.drawPath(nose)
    for side in (-1, 1):
        ear = QPainterPath(frame.at(side * 0.985, 0.17))
        ear.cubicTo(
            frame.at(side * 1.13, 0.25),
            frame.at(side * 1.13, -0.25),
            frame.at(side * 0.985, -0.17),
        )
        painter.drawPath(ear)


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
