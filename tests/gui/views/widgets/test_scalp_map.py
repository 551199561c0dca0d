import numpy as np
import pytest

from rtbold.gui.views.widgets.topography import SIDE, CalmLimit, ScalpMap, relative_db

LABELS = ("Fp1", "Fp2", "C3", "Cz", "C4", "O1", "Oz", "O2")


def test_power_is_told_against_the_median():
    found = relative_db(np.array([1.0, 10.0, 100.0]))

    np.testing.assert_allclose(found, [-10, 0, 10])


def test_what_is_no_power_is_nan_and_does_not_count():
    found = relative_db(np.array([1.0, np.nan, 100.0, 0.0, -3.0, 10.0]))

    np.testing.assert_allclose(found, [-10, np.nan, 10, np.nan, np.nan, 0])
    assert np.isnan(relative_db(np.full(3, np.nan))).all()


def test_high_behind_is_low_in_the_picture():
    values = np.array([-3.0, -3, 0, 0, 0, 4, 4, 4])

    image = ScalpMap().image(LABELS, values)

    assert image.shape == (SIDE, SIDE)
    middle = image[:, SIDE // 2]
    assert middle[round(0.9 * SIDE)] > 3  # the back
    assert middle[round(0.08 * SIDE)] < -2  # the front
    assert image.min() >= -3
    assert image.max() <= 4


def test_left_is_left():
    values = np.array([0.0, 0, 5, 0, -5, 0, 0, 0])

    image = ScalpMap().image(LABELS, values)

    assert image[SIDE // 2, SIDE // 4] > 2
    assert image[SIDE // 2, 3 * SIDE // 4] < -2


def test_channels_without_place_or_value_are_left_out():
    scalp = ScalpMap()
    values = np.array([0.0, 0, 0, np.nan, 0, 1, 1, 1, 99])

    image = scalp.image((*LABELS, "EXG1"), values)

    assert set(scalp.places) == set(LABELS) - {"Cz"}
    assert image.max() <= 1


def test_the_same_channel_coming_back_is_used_again():
    scalp, values = ScalpMap(), np.arange(8.0)
    first = scalp.image(LABELS, values)
    lost = np.where(np.arange(8) == 3, np.nan, values)

    scalp.image(LABELS, lost)

    np.testing.assert_array_equal(scalp.image(LABELS, values), first)


@pytest.mark.parametrize(
    ("labels", "values"),
    [((), np.empty(0)), (("X1", "X2"), np.ones(2)), (LABELS[:3], np.ones(3))],
)
def test_too_few_channels_are_no_map(labels, values):
    assert ScalpMap().image(labels, values) is None


def test_the_scale_grows_at_once_and_shrinks_after_some_quiet():
    limit = CalmLimit()

    assert limit.take(np.array([-8.0, 2, np.nan])) == 10
    assert [limit.take(np.array([2.0])) for _ in range(10)] == [10.0] * 9 + [3.0]
    assert limit.take(np.array([500.0])) == 30
    assert limit.take(np.array([np.nan])) == 30
