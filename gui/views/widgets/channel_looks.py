"""How the state of a channel looks: a shape and a colour for each.

The scope, the head map and the set-up page use these, so that a diamond is mains hum
everywhere. The states are those of the feed's ``quality`` message; their words are
`rtbold.gui.state.wording.channel_words`.
"""

from dataclasses import dataclass
from typing import Final, Literal

from PyQt6.QtCore import QPointF, QRectF
from PyQt6.QtGui import QPainterPath, QPolygonF

from rtbold.gui.state.theme_colours import Colours

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
