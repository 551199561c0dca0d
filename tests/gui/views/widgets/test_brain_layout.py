import numpy as np
import pytest

from rtbold.gui.views.widgets.assets import roi_dots
from rtbold.gui.views.widgets.brain import views_in
from rtbold.sim.head import read_rois


@pytest.mark.parametrize("size", [(560, 180), (420, 400), (200, 700), (90, 60)])
def test_three_views_fit_beside_each_other_at_one_scale(size):
    views = views_in(*size)

    assert [view.side for view in views] == ["right", "back", "top"]
    assert len({view.px_per_mm for view in views}) == 1
    boxes = []
    for view in views:
        points = view.outline()
        assert (points >= 0).all()
        assert (points <= size).all()
        boxes.append((points.min(axis=0), points.max(axis=0)))
    for k, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[k + 1 :]:
            assert (high < other_low).any() or (other_high < low).any()


def test_other_shapes_of_the_sheet_are_used_where_they_are_larger():
    assert len({view.middle[1] for view in views_in(900, 200)}) == 1
    assert len({view.middle[1] for view in views_in(200, 700)}) == 3


def test_sides_are_as_they_say():
    right, back, top = views_in(600, 200)
    occipital = np.array([[-20.0, -95.0, 0.0]])  # left, back
    frontal = np.array([[30.0, 60.0, 30.0]])  # right, front, up

    assert right.dots(occipital)[0, 0] < right.dots(frontal)[0, 0]
    assert back.dots(occipital)[0, 0] < back.dots(frontal)[0, 0]
    assert top.dots(occipital)[0, 1] > top.dots(frontal)[0, 1]
    assert right.dots(occipital)[0, 1] > right.dots(frontal)[0, 1]


def test_every_dot_of_the_atlas_is_inside_of_the_outlines_box():
    for view in views_in(600, 200):
        low, high = view.outline().min(axis=0), view.outline().max(axis=0)
        for roi in read_rois():
            dots = view.dots(roi_dots(roi.name))
            assert (low <= dots).all(), roi.name
            assert (dots <= high).all(), roi.name
