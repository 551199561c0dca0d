import pytest
from feed_messages import Played

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.views.widgets.brain import (
    CAPTION,
    NO_SESSION,
    OLD,
    content_of,
    dot_colour,
)
from rtbold.publish.compose import roi_hash

NOW_S = 5.0
ROIS = ("Thalamus", "Cuneus", "Insula antero-superior")


def played(rois=ROIS, **prediction):
    session = Played(DashboardState(), rois=rois)
    session.hello(target="Cuneus")
    if prediction:
        session.send("pred.roi", roi_hash=roi_hash(rois), **prediction)
    return session.state


def test_each_roi_is_placed_with_its_z_the_strongest_and_the_target_last():
    content = content_of(played(values=(0.4, 0.1, -2.0)), NOW_S)

    assert [dot.name for dot in content.dots] == [ROIS[0], ROIS[2], ROIS[1]]
    assert [dot.z for dot in content.dots] == pytest.approx([0.4, -2.0, 0.1])
    assert [dot.is_target for dot in content.dots] == [False, False, True]
    assert content.dots[0].places_mm.shape == (2, 3)
    assert content.caption == CAPTION


def test_words_name_roi_and_value():
    dots = content_of(played(values=(0.4, 0.1, -2.0)), NOW_S).dots

    assert dots[0].words() == "Thalamus\nz +0.40, value 0.4 (model units)"
    assert dots[2].words().startswith("Cuneus, the target\n")


def test_an_invalid_volume_has_no_values_and_says_why():
    content = content_of(played(status="invalid", reasons=("gap",)), NOW_S)

    assert [dot.z for dot in content.dots] == [None, None, None]
    assert content.dots[0].words() == "Thalamus\nno value now"
    assert content.caption.endswith(
        "INVALID, hollow dots: a gap in the EEG within the last 16 s."
    )


def test_one_roi_without_a_value_is_hollow_alone():
    dots = content_of(played(values=(0.4, None, -2.0)), NOW_S).dots

    assert {dot.name: dot.z is None for dot in dots} == {
        "Thalamus": False, "Cuneus": True, "Insula antero-superior": False,
    }  # fmt: skip


def test_no_baseline_no_colours():
    content = content_of(played(values=(0.4, 0.1, -2.0), values_z=None), NOW_S)

    assert {dot.share for dot in content.dots} == {None}
    assert content.dots[0].words() == "Thalamus\nz not known, value 0.4 (model units)"
    assert "no baseline for z" in content.caption


def test_rois_without_a_place_are_listed():
    rois = (*ROIS, *(f"Area {k}" for k in range(6)))

    content = content_of(played(rois=rois, values=(1.0,) * 9), NOW_S)

    assert len(content.dots) == 3
    assert "Place not known: Area 0, Area 1, Area 2, Area 3 and 2 more." in (
        content.caption
    )


def test_before_the_first_prediction_and_before_the_session():
    assert content_of(DashboardState(), NOW_S).caption == NO_SESSION
    assert content_of(played(), NOW_S).caption.endswith(
        "No prediction yet: hollow dots."
    )


def test_far_away_stays_on_the_scale():
    dots = content_of(played(values=(9.0, -30.0, 1.5)), NOW_S).dots

    assert sorted(dot.share for dot in dots) == [-1.0, 0.5, 1.0]


@pytest.mark.parametrize("colours", [DARK, LIGHT], ids=["dark", "light"])
def test_blue_is_below_and_orange_above(colours):
    red, _, blue = dot_colour(-1.0, colours)
    assert blue > red + 60
    red, _, blue = dot_colour(1.0, colours)
    assert red > blue + 60
    red, green, blue = dot_colour(0.0, colours)
    assert max(red, green, blue) - min(red, green, blue) < 30


def test_values_that_no_newer_ones_followed_are_no_values():
    state = played(values=(0.4, 0.1, -2.0))
    for volume in (1, 2):
        Played(state, now_s=NOW_S + 2.1 * volume, rois=ROIS).send(
            "pred.fb", volume=volume
        )

    content = content_of(state, NOW_S + 4.3)

    assert [dot.value for dot in content.dots] == [None] * 3
    assert content.caption.endswith(OLD)


def test_values_of_other_rois_are_not_shown_under_the_new_names():
    state = played(values=(0.4, 0.1, -2.0))
    Played(state).send("hello", rois=ROIS[::-1])

    assert [dot.value for dot in content_of(state, NOW_S).dots] == [None] * 3
