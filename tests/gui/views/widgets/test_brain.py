import pytest
from feed_messages import Played
from PyQt6.QtCore import QPointF
from PyQt6.QtGui import QColor

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.views.widgets.assets import roi_dots
from rtbold.gui.views.widgets.brain import NO_SESSION, TIP, GlassBrain, dot_colour
from rtbold.publish.compose import roi_hash

ROIS = ("Thalamus", "Cuneus", "Insula antero-superior")


@pytest.fixture
def brain(qtbot):
    brain = GlassBrain(DARK)
    qtbot.addWidget(brain)
    brain.resize(600, 260)
    return brain


@pytest.fixture
def played():
    played = Played(DashboardState(), rois=ROIS)
    played.hello(target="Cuneus")
    return played


def predict(brain, played, **changes):
    played.send("pred.roi", roi_hash=roi_hash(ROIS), **changes)
    brain.refresh(played.state, played.now_s)


def places(brain, roi):
    return [
        QPointF(x, y) for view in brain.views() for x, y in view.dots(roi_dots(roi))
    ]


def colour_beside_the_sign(brain, roi):
    image = brain.grab().toImage()
    at = places(brain, roi)[0] + QPointF(-2.5, -2.5)
    return QColor.fromRgb(image.pixel(at.toPoint())).name()


def test_dots_are_coloured_by_z(brain, played):
    predict(brain, played, values=(3.0, 0.0, -3.0))

    above = QColor(*dot_colour(1.0, DARK)).name()
    below = QColor(*dot_colour(-1.0, DARK)).name()
    assert colour_beside_the_sign(brain, "Thalamus") == above
    assert colour_beside_the_sign(brain, "Insula antero-superior") == below


def test_an_invalid_volume_takes_the_colours_away(brain, played):
    predict(brain, played, values=(3.0, 0.0, -3.0))
    predict(brain, played, status="invalid", reasons=("gap",))

    assert "INVALID" in brain.content.caption
    above = QColor(*dot_colour(1.0, DARK)).name()
    assert colour_beside_the_sign(brain, "Thalamus") != above


def test_under_the_mouse_is_the_nearest_roi(brain, played):
    predict(brain, played, values=(3.0, 0.0, -3.0))

    for at in places(brain, "Insula antero-superior"):
        assert brain.words_at(at).startswith("Insula antero-superior\nz -3.00")
    assert brain.words_at(QPointF(0, 0)) == TIP


def test_without_a_session_it_is_empty_and_says_so(brain):
    brain.refresh(DashboardState(), 1.0)

    assert brain.content.dots == ()
    assert brain.content.caption == NO_SESSION
    assert not brain.grab().isNull()


def test_the_same_prediction_is_not_read_twice(brain, played):
    predict(brain, played, values=(3.0, 0.0, -3.0))
    before = brain.content

    brain.refresh(played.state, played.now_s + 0.03)

    assert brain.content is before


def test_another_theme(brain, played):
    predict(brain, played, values=(3.0, 0.0, -3.0))
    brain.set_colours(LIGHT)

    above = QColor(*dot_colour(1.0, LIGHT)).name()
    assert colour_beside_the_sign(brain, "Thalamus") == above


@pytest.mark.parametrize("size", [(200, 130), (300, 500), (1200, 200)])
def test_any_size_can_be_drawn(brain, played, size):
    predict(brain, played, values=(3.0, 0.0, -3.0))
    brain.resize(*size)

    assert not brain.grab().isNull()
