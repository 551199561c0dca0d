"""What the dashboard remembers between two days, and the colours to choose from."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from rtbold.gui.state.words import Level

# Colours of the dashboard, dark and light; told apart with any colour vision.
#
# Hues are those of Okabe and Ito (2008), "Color Universal Design", made lighter or
# darker until they stand out from their panel. Colour is never the only sign: every
# status has a word and a symbol too (`rtbold.gui.state.words`).

ThemeName = Literal["dark", "light"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Colours:
    """Colours as ``#rrggbb``; a view that wants them see-through sets the alpha."""

    name: ThemeName
    background: str  # of the window
    panel: str  # of plots, tables and fields
    border: str
    text: str
    muted: str  # captions, things that are not in use
    accent: str  # what can be clicked, what is chosen
    on_fill: str  # text on top of accent or of a status colour
    ok: str
    degraded: str
    invalid: str
    warmup: str
    paused: str
    silent: str
    prediction: str
    measured: str
    band80: str  # opaque, as it looks on `panel`
    band95: str
    band_edge: str  # around both
    grid: str

    def of_level(self, level: Level) -> str:
        """Return the colour of a status level of the headline."""
        if level == "none":
            return self.muted
        found: str = getattr(self, level)
        return found


DARK = Colours(
    name="dark",
    background="#14171c",
    panel="#1d2229",
    border="#6f7b89",
    text="#e8ecf1",
    muted="#9aa5b1",
    accent="#56b4e9",
    on_fill="#101317",
    ok="#1fc08f",
    degraded="#ffc13d",
    invalid="#f0603a",
    warmup="#56b4e9",
    paused="#d893b7",
    silent="#ffffff",
    prediction="#56b4e9",
    measured="#e8ecf1",
    band80="#2c4d62",
    band95="#243846",
    band_edge="#5f8ba8",
    grid="#353d48",
)
LIGHT = Colours(
    name="light",
    background="#f2f4f6",
    panel="#ffffff",
    border="#7f8a95",
    text="#15181c",
    muted="#5a6570",
    accent="#0067a3",
    on_fill="#ffffff",
    ok="#007a58",
    degraded="#8f6100",
    invalid="#7d1a00",
    warmup="#0067a3",
    paused="#9c3f73",
    silent="#000000",
    prediction="#0072b2",
    measured="#22272d",
    band80="#a9cfe6",
    band95="#d6e8f3",
    band_edge="#5f93b3",
    grid="#dde2e7",
)


def colours(name: ThemeName) -> Colours:
    """Return the colours of a theme."""
    return DARK if name == "dark" else LIGHT


ParticipantForm = Literal["thermometer", "circle", "trace"]
ParticipantLook = Literal["blue on black", "white on black", "black on white"]
PARTICIPANT_LOOKS: tuple[ParticipantLook, ...] = get_args(ParticipantLook)
ScopeFilter = Literal["as sent", "1-40 Hz"]
PARTICIPANT_FORMS: tuple[ParticipantForm, ...] = get_args(ParticipantForm)
SMALLEST_TEXT, LARGEST_TEXT = 0.7, 2.0
Fits = Callable[[object], bool]
MOST_REMEMBERED = 40  # choices, and characters of one in thousands


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Choices of the operator; frozen, so a change is another object.

    Parameters
    ----------
    text_scale : factor on the system's point size, 0.7 to 2.
    participant_limit_z : z at the ends of the participant's scale, 0.5 to 10.
    participant_smooth : glide to a new value instead of jumping.
    participant_down : a higher value is drawn lower: for learning to regulate down.
    participant_look : colours of the drawing and of what is behind it.
    participant_cross : a cross to look at while the protocol rests.
    participant_goal_z : where the line of the goal is; None: there is none.
    participant_screen : name of the screen; empty: one that the operator has not.
    photodiode_px : side of the square that flips, 0 (none) to 400.
    scope_uv, scope_seconds, scope_filter : of the EEG scope.
    choices : last choices of the set-up page, by name.
    plan : the runs of the set-up page and what its notes say, each a text.
    layout : sizes of splitters by page, each a blob in hexadecimal.
    """

    theme: ThemeName = "dark"
    text_scale: float = 1.0
    participant: ParticipantForm = "thermometer"
    participant_limit_z: float = 3.0
    participant_smooth: bool = False
    participant_down: bool = False
    participant_look: ParticipantLook = "blue on black"
    participant_cross: bool = True
    participant_goal_z: float | None = None
    participant_screen: str = ""
    photodiode_px: int = 40
    scope_uv: float = 100.0
    scope_seconds: float = 10.0
    scope_filter: ScopeFilter = "as sent"
    choices: Mapping[str, str] = field(default_factory=dict)
    plan: Mapping[str, str] = field(default_factory=dict)
    layout: Mapping[str, str] = field(default_factory=dict)

    def with_text_scale(self, factor: float) -> "Preferences":
        """Return these with the text larger or smaller, within what is readable."""
        wanted = min(LARGEST_TEXT, max(SMALLEST_TEXT, self.text_scale * factor))
        return replace(self, text_scale=round(wanted, 3))


def as_dict(preferences: Preferences) -> dict[str, Any]:
    """Return plain values, for JSON."""
    plain = {f.name: getattr(preferences, f.name) for f in fields(preferences)}
    return {k: dict(v) if isinstance(v, Mapping) else v for k, v in plain.items()}


def from_dict(plain: object) -> Preferences:
    """Return the preferences in `plain`; what is unknown or bad becomes the default.

    The file is the operator's, perhaps of another version: it never keeps the dashboard
    from starting.
    """
    given = plain if isinstance(plain, Mapping) else {}
    good = {
        name: given[name]
        for name, fits in _FITS.items()
        if name in given and fits(given[name])
    }
    return Preferences(**good)


def _within(low: float, high: float, *, whole: bool = False) -> Fits:
    def fits(value: object) -> bool:
        if isinstance(value, bool) or not isinstance(
            value, int if whole else int | float
        ):
            return False
        return math.isfinite(value) and low <= value <= high

    return fits


def _texts(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and len(value) <= MOST_REMEMBERED
        and all(isinstance(part, str) for item in value.items() for part in item)
        and all(len(text) <= 1000 * MOST_REMEMBERED for text in value.values())
    )


_FITS: dict[str, Fits] = {
    "theme": get_args(ThemeName).__contains__,
    "text_scale": _within(SMALLEST_TEXT, LARGEST_TEXT),
    "participant": PARTICIPANT_FORMS.__contains__,
    "participant_limit_z": _within(0.5, 10),
    "participant_smooth": lambda value: isinstance(value, bool),
    "participant_down": lambda value: isinstance(value, bool),
    "participant_look": PARTICIPANT_LOOKS.__contains__,
    "participant_cross": lambda value: isinstance(value, bool),
    "participant_goal_z": lambda value: value is None or _within(-10, 10)(value),
    "participant_screen": lambda value: isinstance(value, str) and len(value) < 200,
    "photodiode_px": _within(0, 400, whole=True),
    "scope_uv": _within(1, 10_000),
    "scope_seconds": _within(1, 60),
    "scope_filter": get_args(ScopeFilter).__contains__,
    "choices": _texts,
    "plan": _texts,
    "layout": _texts,
}
