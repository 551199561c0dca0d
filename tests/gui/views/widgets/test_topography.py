import numpy as np
import pytest
from feed_messages import CHANNELS, Played
from PyQt6.QtCore import QPointF
from PyQt6.QtWidgets import QComboBox, QLabel

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.views.widgets.topography import NOTHING, TIP, TOO_FEW, Topography


@pytest.fixture
def powers(qtbot):
    powers = Topography(DARK)
    qtbot.addWidget(powers)
    powers.resize(260, 240)
    powers.show()
    return powers


@pytest.fixture
def played():
    played = Played(DashboardState())
    played.hello()
    return played


def rows(alpha):
    return ((10.0,) * 4, (10.0,) * 4, tuple(alpha), (2.0,) * 4, (1.0,) * 4)


def shown(powers, played, **changes):
    played.send("bands", **changes)
    powers.refresh(played.state, played.now_s)
    return powers.map


def test_says_that_there_is_nothing_before_the_first_message(powers, played):
    powers.refresh(played.state, played.now_s)

    assert powers.map.text == NOTHING


def test_alpha_is_shown_first_and_against_the_median(powers, played):
    drawn = shown(powers, played, power_uv2=rows((1.0, 10.0, 10.0, 100.0)))

    assert powers.band == "alpha"
    assert drawn.text == ""
    values = drawn.values_db()
    assert values == pytest.approx(dict(zip(CHANNELS, (-10, 0, 0, 10), strict=True)))
    assert powers.findChild(QLabel, "topography_caption").text() == "8 to 13 Hz"


def test_another_band_is_shown_at_once(powers, played, qtbot):
    shown(powers, played, power_uv2=rows((1.0, 10.0, 10.0, 100.0)))

    choice = powers.findChild(QComboBox, "topography_band")
    choice.setCurrentText("gamma")
    choice.activated.emit(choice.currentIndex())
    powers.refresh(played.state, played.now_s)

    assert set(powers.map.values_db().values()) == {0.0}
    assert powers.findChild(QLabel, "topography_caption").text() == "30 to 45 Hz"


def test_bands_of_another_session_are_offered(powers, played):
    shown(
        powers, played, bands=("low", "alpha"), edges_hz=((1, 8), (8, 12)),
        power_uv2=((1.0,) * 4, (4.0,) * 4),
    )  # fmt: skip

    choice = powers.findChild(QComboBox, "topography_band")
    assert [choice.itemText(k) for k in range(choice.count())] == ["low", "alpha"]
    assert powers.band == "alpha"


def test_no_bands_at_all_are_nothing(powers, played):
    drawn = shown(powers, played, bands=(), edges_hz=(), power_uv2=())

    assert drawn.text == NOTHING


def test_too_few_channels_are_said(powers, played):
    drawn = shown(powers, played, power_uv2=rows((1.0, None, 10.0, 100.0)))

    assert drawn.text == TOO_FEW


def test_powers_of_other_channels_than_the_hello_names_are_not_drawn(powers, played):
    played.send("bands", power_uv2=tuple((1.0,) * 7 for _ in range(5)))
    powers.refresh(played.state, played.now_s)

    assert powers.map.text == NOTHING


def test_an_old_map_says_how_old(powers, played):
    shown(powers, played)
    fresh = powers.grab().toImage()
    played.now_s += 9.0
    played.link()

    powers.refresh(played.state, played.now_s)

    assert powers.map.age_s == 9
    assert powers.grab().toImage() != fresh


def test_under_the_mouse_are_words(powers, played):
    drawn = shown(powers, played, power_uv2=rows((1.0, 10.0, 10.0, 100.0)))

    words = drawn.words_at(drawn.place_of("O2"))

    assert words == "O2: +10.0 dB against the median (100 µV²)"
    assert drawn.words_at(QPointF(0, 0)) == TIP


def test_both_themes_can_be_drawn(powers, played):
    shown(powers, played, power_uv2=rows((1.0, 10.0, 10.0, 100.0)))
    dark = powers.map.grab().toImage()
    powers.set_colours(LIGHT)

    assert powers.map.grab().toImage() != dark
    pixels = [dark.pixelColor(x, 120).name() for x in range(dark.width())]
    assert len(set(pixels)) > 20  # a map, not a surface
    assert np.isfinite(list(powers.map.values_db().values())).all()
