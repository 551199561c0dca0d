import math

import pytest
from feed_messages import Played
from PyQt6.QtCore import QPointF
from PyQt6.QtGui import QColor

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.state.signals import Vigilance
from rtbold.gui.views.widgets.gauges import (
    SYMBOLS,
    Gauges,
    ood_gauge,
    vigilance_gauge,
)


@pytest.fixture
def gauges(qtbot):
    gauges = Gauges(DARK)
    qtbot.addWidget(gauges)
    gauges.resize(340, 130)
    return gauges


@pytest.mark.parametrize(
    ("unlikeness", "word", "role", "mark"),
    [
        (0.5, "like the calibration", "ok", 0.25),
        (0.9, "near the limit", "degraded", 0.45),
        (1.2, "unlike the calibration", "invalid", 0.6),
        (50.0, "unlike the calibration", "invalid", 1.0),
        (None, "not known", "muted", None),
    ],
)
def test_ood_score(unlikeness, word, role, mark):
    reading = ood_gauge(unlikeness)

    assert (reading.word, reading.role) == (word, role)
    assert reading.mark == (None if mark is None else pytest.approx(mark))
    assert (reading.limit, reading.beyond) == (0.5, "right")


def test_vigilance_below_its_limit_is_left_of_it():
    reading = vigilance_gauge(Vigilance("drowsy?", -0.9, "why", -0.6))

    assert reading.role == "degraded"
    assert reading.mark < reading.limit < 0.5
    assert reading.beyond == "left"


def test_vigilance_as_at_the_start_is_in_the_middle():
    assert vigilance_gauge(Vigilance("awake", 0.0, "why", -0.4)).mark == 0.5
    assert vigilance_gauge(Vigilance("awake", 9.0, "why", -0.4)).mark == 1.0
    assert vigilance_gauge(Vigilance("awake", math.log(4), "", -0.4)).mark == 1.0


def test_vigilance_that_is_not_known_has_no_mark():
    reading = vigilance_gauge(Vigilance("unknown", None, "no band powers yet"))

    assert (reading.mark, reading.role) == (None, "muted")
    assert reading.why == "no band powers yet"


def test_every_role_has_its_own_symbol():
    assert len(set(SYMBOLS.values())) == len(SYMBOLS) == 4


def test_it_follows_the_newest_prediction_and_forgets_it_in_silence(gauges):
    played = Played(DashboardState())
    played.hello()
    played.send("hb")
    played.send("pred.fb", unlikeness=1.3)
    gauges.refresh(played.state, played.now_s)
    assert gauges.readings[1].word == "unlike the calibration"

    played.link(alive=False, silent_s=5.0)
    gauges.refresh(played.state, played.now_s)
    assert gauges.readings[1].word == "not known"


def test_nothing_known_at_all_is_said(gauges):
    gauges.refresh(DashboardState(), 1.0)

    assert [reading.role for reading in gauges.readings] == ["muted", "muted"]


def test_the_mark_is_drawn_where_the_reading_says(gauges):
    gauges.readings = (gauges.readings[0], ood_gauge(1.5))

    image = gauges.grab().toImage()

    inked = [
        (x, y)
        for x in range(image.width())
        for y in range(90, image.height())
        if QColor.fromRgb(image.pixel(x, y)).name() == DARK.invalid
    ]
    middle = sum(x for x, _ in inked) / len(inked)
    assert middle == pytest.approx(6 + 0.75 * 328, abs=3)


def test_under_the_mouse_are_words(gauges):
    gauges.readings = (
        vigilance_gauge(Vigilance("awake", 0.0, "as at the start", -0.4)),
        ood_gauge(0.5),
    )

    assert gauges.words_at(QPointF(50, 10)).startswith("Vigilance: awake\nas at the")
    assert gauges.words_at(QPointF(50, 120)).startswith("OOD score: like the calib")


@pytest.mark.parametrize("size", [(160, 60), (900, 60), (300, 400)])
def test_any_size_and_both_themes_can_be_drawn(gauges, size):
    gauges.resize(*size)
    dark = gauges.grab().toImage()
    gauges.set_colours(LIGHT)

    assert gauges.grab().toImage() != dark
    assert gauges.minimumSizeHint().height() < gauges.sizeHint().height()
