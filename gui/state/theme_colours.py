"""Colours of the dashboard, dark and light; told apart with any colour vision.

Hues are those of Okabe and Ito (2008), "Color Universal Design", made lighter or darker
until they stand out from their panel. Colour is never the only sign: every status has
a word and a symbol too (`rtbold.gui.state.wording`).
"""

from dataclasses import dataclass
from typing import Literal

from rtbold.gui.state.words import Level

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
    border="#3a434f",
    text="#e8ecf1",
    muted="#9aa5b1",
    accent="#56b4e9",
    on_fill="#101317",
    ok="#1fc08f",
    degraded="#e69f00",
    invalid="#f4803c",
    warmup="#56b4e9",
    paused="#d893b7",
    silent="#ffffff",
    prediction="#56b4e9",
    measured="#e8ecf1",
    band80="#2c4d62",
    band95="#243846",
    grid="#353d48",
)
LIGHT = Colours(
    name="light",
    background="#f2f4f6",
    panel="#ffffff",
    border="#c3cad2",
    text="#15181c",
    muted="#5a6570",
    accent="#0067a3",
    on_fill="#ffffff",
    ok="#007a58",
    degraded="#8f6100",
    invalid="#b84c00",
    warmup="#0067a3",
    paused="#9c3f73",
    silent="#000000",
    prediction="#0072b2",
    measured="#22272d",
    band80="#a9cfe6",
    band95="#d6e8f3",
    grid="#dde2e7",
)


def colours(name: ThemeName) -> Colours:
    """Return the colours of a theme."""
    return DARK if name == "dark" else LIGHT
