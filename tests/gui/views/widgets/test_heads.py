import pytest
from feed_messages import Played
from PyQt6.QtCore import QPoint, QPointF
from PyQt6.QtGui import QColor

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.views.widgets.assets import electrode_place
from rtbold.gui.views.widgets.heads import NOTHING, TIP, HeadMap
from rtbold.publish.wire import ChannelPart

STATES = {"Fp1": "good", "Cz": "flat", "O1": "line_noise", "O2": "good", "EXG1": "good"}


@pytest.fixture
def heads(qtbot):
    heads = HeadMap(DARK)
    qtbot.addWidget(heads)
    heads.resize(400, 220)
    return heads


def colour_at(heads, label):
    place = heads.place_of(label)
    return QColor.fromRgb(heads.grab().toImage().pixel(place.toPoint())).name()


def test_each_state_is_named_with_who_it_concerns_the_worst_first(heads):
    heads.show_states(STATES, interpolated=["Cz"])

    assert heads.lines() == [
        ("flat", "flat: Cz"),
        ("line_noise", "mains hum: O1"),
        ("good", "good: 3"),
        (None, "Ring: computed from its neighbours: Cz"),
        (None, "No known place on the head: EXG1"),
    ]


def test_many_names_are_cut_and_counted(heads):
    heads.show_states({f"X{k}": "flat" for k in range(20)})

    (_, words), _ = heads.lines()
    assert words.startswith("flat: X0 X1")
    assert words.endswith("X11 and 8 more")


def test_a_state_of_a_later_version_is_named_as_it_came(heads):
    heads.show_states({"Cz": "very_odd"})

    assert heads.lines() == [("very_odd", "very odd: Cz")]


def test_electrodes_stand_at_their_places_in_their_colours(heads):
    heads.show_states(STATES)

    assert colour_at(heads, "Fp1") == DARK.ok
    assert colour_at(heads, "Cz") == DARK.invalid
    assert colour_at(heads, "O1") == DARK.degraded
    assert heads.place_of("Fp1").y() < heads.place_of("Cz").y()
    assert heads.place_of("O1").x() < heads.place_of("O2").x()
    assert electrode_place("EXG1") is None


def test_another_theme(heads):
    heads.show_states(STATES)
    heads.set_colours(LIGHT)

    assert colour_at(heads, "Fp1") == LIGHT.ok


def test_under_the_mouse_are_words(heads):
    heads.show_states(STATES, interpolated=["Cz"])

    words = heads.words_at(heads.place_of("Cz") + QPointF(2, 2))

    assert words.startswith("Cz: flat\nThe signal does not move")
    assert words.endswith("Now computed from its neighbours.")
    assert heads.words_at(QPointF(1, 1)) == TIP


def test_it_follows_the_newest_quality_message(heads):
    played = Played(DashboardState())
    heads.refresh(played.state, 1.0)
    assert heads.lines() == []

    played.hello()
    played.send("quality")
    heads.refresh(played.state, 1.0)
    assert heads.lines() == [("good", "good: 4")]

    flat = ChannelPart(label="Cz", state="flat", interpolated=True)
    played.send("quality", channels=(flat,))
    heads.refresh(played.state, 1.0)
    assert heads.lines()[0] == ("flat", "flat: Cz")


def test_states_of_the_set_up_stay_while_no_session_says_otherwise(heads):
    played = Played(DashboardState())
    heads.refresh(played.state, 1.0)
    heads.show_states(STATES)

    heads.refresh(played.state, 2.0)

    assert len(heads.lines()) == 4


@pytest.mark.parametrize("size", [(150, 120), (120, 400), (900, 130)])
def test_any_size_can_be_drawn(heads, size):
    heads.show_states(STATES)
    heads.resize(*size)

    assert not heads.grab().isNull()


def test_nothing_known_is_said(heads):
    assert NOTHING.endswith("yet.")
    image = heads.grab().toImage()
    inked = sum(
        image.pixelColor(QPoint(x, y)).name() == DARK.text
        for x in range(0, image.width())
        for y in range(0, image.height())
    )
    assert inked > 20
