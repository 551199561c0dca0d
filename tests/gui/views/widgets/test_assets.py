import csv
from pathlib import Path

import numpy as np
import pytest

from rtbold.electrodes import positions
from rtbold.gui.views.widgets.assets import brain_outline, electrode_place, roi_dots
from rtbold.gui.views.widgets.heads import OUTERMOST, on_disc, on_sphere
from rtbold.sim.head import read_rois

ROOT = Path(__file__).resolve().parents[4]


def rows(path):
    return list(csv.DictReader((ROOT / path).read_text(encoding="utf-8").splitlines()))


def test_every_electrode_that_rtbold_knows_has_its_place():
    names = [row["name"] for row in rows("rtbold/electrodes.csv")]
    places = np.array([electrode_place(name) for name in names])

    np.testing.assert_allclose(on_sphere(places), positions(names), atol=2e-4)
    assert np.hypot(*places.T).max() < OUTERMOST


@pytest.mark.parametrize(
    ("label", "same"),
    [("T3", "T7"), ("fp1", "FP1"), (" Oz ", "OZ"), ("ftt9H", "FTT9h")],
)
def test_old_names_and_other_spellings(label, same):
    assert electrode_place(label) == electrode_place(same) is not None


def test_what_is_no_electrode_has_no_place():
    assert electrode_place("EXG1") is None
    assert roi_dots("Area 51") is None


def test_nose_is_up_and_left_is_left():
    (x_left, _), (_, y_front), (_, y_back) = map(electrode_place, ("T7", "Fpz", "Oz"))

    assert x_left < 0
    assert y_front > 0.8
    assert y_back < -0.6
    np.testing.assert_allclose(electrode_place("Cz"), (0, 0), atol=0.2)


def test_every_roi_of_the_atlas_has_its_dots():
    for roi in read_rois():
        expected = roi.sources_mni_mm or (roi.centre_mni_mm,)
        np.testing.assert_allclose(roi_dots(roi.name), expected, atol=0.051)


def test_a_typographic_apostrophe_is_the_same_roi():
    np.testing.assert_array_equal(
        roi_dots("Heschl\u2019s gyrus"), roi_dots("heschl's gyrus")
    )


def test_the_outlines_are_a_brain_in_mm():
    expected = rows("rtbold/brain_outline.csv")

    assert sum(len(brain_outline(side)) for side in ("right", "back", "top")) == len(
        expected
    )
    x, y = brain_outline("top").T
    assert -80 < x.min() < -60 < 60 < x.max() < 80  # mm, as a brain is wide
    assert -115 < y.min() < 0 < y.max() < 85


def test_disc_and_sphere_undo_each_other():
    there = on_sphere(np.array([[0.0, 0.0], [0.3, -0.4], [-1.1, 0.2]]))

    np.testing.assert_allclose(np.linalg.norm(there, axis=1), 1)
    np.testing.assert_allclose(there[0], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(
        on_disc(there), [[0, 0], [0.3, -0.4], [-1.1, 0.2]], atol=1e-12
    )
