from typing import get_args

import pytest
from PyQt6.QtCore import QPointF

from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.views.widgets.heads import LOOKS, UNKNOWN, look_of, path_of
from rtbold.messages import ChannelState


def test_every_state_of_the_feed_has_a_look():
    assert set(LOOKS) == set(get_args(ChannelState))


def test_no_two_states_have_the_same_shape():
    shapes = [look.shape for look in (*LOOKS.values(), UNKNOWN)]

    assert len(set(shapes)) == len(shapes)


@pytest.mark.parametrize("state", [None, "of a later version"])
def test_what_is_not_known_is_no_good_sign(state):
    assert look_of(state) is UNKNOWN
    assert look_of(state).colour(DARK) == DARK.muted


@pytest.mark.parametrize("state", LOOKS)
def test_shapes_are_about_equally_large_and_stand_where_they_should(state):
    box = path_of(LOOKS[state].shape, QPointF(50, 30), 10).boundingRect()

    assert 15 <= box.width() <= 28
    assert abs(box.center().x() - 50) < 0.5
    assert abs(box.center().y() - 30) < 3
    assert LOOKS[state].colour(LIGHT).startswith("#")
