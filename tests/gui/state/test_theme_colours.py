import re
from dataclasses import fields

import pytest

from rtbold.gui.state.preferences import DARK, LIGHT, Colours, colours
from rtbold.gui.views.session.roi_choice import legend

TEXT = ("text", "muted", "accent")
STATUS = ("ok", "degraded", "invalid", "warmup", "paused", "silent")
LINES = ("prediction", "measured")


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    """WCAG 2.2, 1.4.3."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda c: c.name)
def test_text_and_status_can_be_read_on_every_background(theme: Colours):
    for name in TEXT + STATUS:
        for ground in (theme.background, theme.panel):
            assert contrast(getattr(theme, name), ground) >= 4.5, name
    for name in (*STATUS, "accent"):
        assert contrast(theme.on_fill, getattr(theme, name)) >= 4.5, name


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda c: c.name)
def test_lines_stand_out_from_the_panel_and_from_the_bands(theme: Colours):
    for name in LINES:
        assert contrast(getattr(theme, name), theme.panel) >= 3, name
    assert contrast(theme.prediction, theme.band95) >= 3
    assert len({theme.band80, theme.band95, theme.panel}) == 3


def test_each_colour_is_plain_rgb_and_a_level_has_its_own():
    for theme in (colours("dark"), colours("light")):
        for field in fields(theme):
            if field.name != "name":
                assert re.fullmatch("#[0-9a-f]{6}", getattr(theme, field.name))
        assert theme.of_level("invalid") == theme.invalid
        assert theme.of_level("none") == theme.muted
    assert (colours("dark"), colours("light")) == (DARK, LIGHT)


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda c: c.name)
def test_borders_and_all_of_the_legend_stand_out(theme: Colours):
    """WCAG 2.2, 1.4.11: what one must see to know what is what."""
    for name in ("border", "band_edge"):
        for ground in (theme.background, theme.panel):
            assert contrast(getattr(theme, name), ground) >= 3, name
    shown = re.findall(r"[^-]color:(#[0-9a-f]{6})", legend(theme))
    assert len(shown) >= 8
    for colour in shown:
        assert contrast(colour, theme.panel) >= 3, colour
        assert contrast(colour, theme.background) >= 3, colour
    for band in (theme.band80, theme.band95):
        assert contrast(theme.text, band) >= 4.5


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda c: c.name)
def test_degraded_and_invalid_differ_in_lightness_and_not_in_hue_alone(theme: Colours):
    assert contrast(theme.degraded, theme.invalid) >= 1.7
