"""What the glass brain says of each ROI: place, z, value, in words. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.received_kinds import Prediction
from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.state.words import reason_words, status_words
from rtbold.gui.views.widgets.assets import roi_dots

FloatArray = NDArray[np.float64]

LIMIT_Z: Final = 3.0
SIGN_FROM_Z: Final = 1.0  # dots further out carry a plus or a minus
MOST_NAMED: Final = 4
# Blue below, orange above the baseline (Okabe and Ito's, lighter on dark).
_ENDS: Final = {
    "dark": ("#56b4e9", "#6b7682", "#ff9a4d"),
    "light": ("#0072b2", "#aab3bc", "#d55e00"),
}
NO_SESSION: Final = "No predictions yet."
OLD: Final = "The newest values are old: hollow dots."
CAPTION: Final = "Dots at ROI centres, not maps; z against the model's own baseline."


@dataclass(frozen=True, slots=True, eq=False)
class RoiDot:
    """One ROI that has a place."""

    name: str
    places_mm: FloatArray  # (dots, 3)
    z: float | None  # None: nothing that may be shown as a value
    value: float | None  # model units
    is_target: bool

    @property
    def share(self) -> float | None:
        """Where z is on the colour scale, -1 to 1."""
        return None if self.z is None else max(-1.0, min(1.0, self.z / LIMIT_Z))

    def words(self) -> str:
        """Return name and value."""
        lines = [f"{self.name}, the target" if self.is_target else self.name]
        if self.value is None:
            return "\n".join([*lines, "no value now"])
        z = "not known" if self.z is None else f"{self.z:+.2f}"
        return "\n".join([*lines, f"z {z}, value {self.value:.3g} (model units)"])


@dataclass(frozen=True, slots=True, eq=False)
class BrainContent:
    """All that is drawn at one time."""

    dots: tuple[RoiDot, ...]  # the strongest last
    caption: str


def content_of(state: DashboardState, now_s: float) -> BrainContent:
    """Return what the newest prediction says, and in words what it does not."""
    if state.hello is None:
        return BrainContent((), NO_SESSION)
    rois, prediction = state.hello.rois, state.current_prediction(now_s)
    values = _column(prediction.values if prediction else None, len(rois))
    scores = _column(prediction.values_z if prediction else None, len(rois))
    found, lost = [], []
    for roi, value, z in zip(rois, values, scores, strict=True):
        places_mm = roi_dots(roi)
        if places_mm is None:
            lost.append(roi)
            continue
        # A z without a value would be a number that nobody may use.
        kept = None if value is None else z
        is_target = roi == state.hello.target
        found.append(RoiDot(roi, places_mm, kept, value, is_target))
    found.sort(key=lambda dot: (dot.is_target, abs(dot.z or 0.0)))
    notes = [CAPTION, *_lost_words(lost)]
    if prediction is None and state.prediction is not None:
        notes.append(OLD)
    else:
        notes += _status_words(prediction, scores)
    return BrainContent(tuple(found), " ".join(notes))


def dot_colour(share: float, colours: Colours) -> tuple[int, int, int]:
    """Return red, green, blue of a place on the scale, -1 to 1."""
    low, middle, high = (bytes.fromhex(end[1:]) for end in _ENDS[colours.name])
    red, green, blue = (
        round(near + (far - near) * abs(share))
        for near, far in zip(middle, high if share > 0 else low, strict=True)
    )
    return red, green, blue


def _column(values: FloatArray | None, n: int) -> list[float | None]:
    if values is None or len(values) != n:
        return [None] * n
    return [float(v) if np.isfinite(v) else None for v in values]


def _lost_words(lost: Sequence[str]) -> list[str]:
    if not lost:
        return []
    more = len(lost) - MOST_NAMED
    named = ", ".join(lost[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return [f"Place not known: {named}."]


def _status_words(
    prediction: Prediction | None, scores: Sequence[float | None]
) -> list[str]:
    if prediction is None:
        return ["No prediction yet: hollow dots."]
    if prediction.values is None:
        why = ", ".join(reason_words(reason).short for reason in prediction.reasons)
        word = status_words(prediction.status).word
        return [f"{word}, hollow dots: {why or 'no values'}."]
    if all(z is None for z in scores):
        return ["The model has no baseline for z: hollow dots."]
    return []
