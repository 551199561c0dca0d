import numpy as np
import pytest

from rtbold.calibration.inputs.confound_kinds import (
    MOST_COLUMNS,
    acting,
    cardiac_response,
    kind_of,
    respiratory_response,
    said_to_be,
)
from rtbold.errors import ConfigError

TR_S = 2.0


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("heart_rate", "heart rate"),
        ("Heart rate", "heart rate"),
        ("hr", "heart rate"),
        ("resp_volume", "respiration"),
        ("RVT", "respiration"),
        ("rv", "respiration"),
        ("framewise_displacement", "displacement"),
        ("std_dvars", "displacement"),
        ("trans_x", "motion"),
        ("rot_z_derivative1_power2", "motion"),
        ("rp_4", "motion"),
        ("head_motion_2", "motion"),
        ("csf", "tissue"),
        ("white_matter_derivative1", "tissue"),
        ("a_comp_cor_03", "tissue"),
        ("global_signal_power2", "global signal"),
        ("gs", "global signal"),
        ("cosine00", "regressor"),
        ("motion_outlier12", "regressor"),
        ("pupil", "other"),
        ("heart rate: pulse", "heart rate"),
        ("nonsense: hr", "other"),
    ],
)
def test_a_column_is_what_its_name_says(name, kind):
    assert kind_of(name) == kind


def test_somebody_may_say_what_a_column_is():
    assert said_to_be("puls", "heart_rate") == "heart rate: puls"
    assert kind_of(said_to_be("puls", "heart_rate")) == "heart rate"
    assert said_to_be("hr", "heart rate") == "hr"  # its name says it already
    with pytest.raises(ConfigError, match="said to be 'hart rate', expected one of"):
        said_to_be("puls", "hart rate")


def test_response_functions_are_the_published_ones():
    t_s = np.arange(0, 40, 0.01)
    heart, breath = cardiac_response(t_s), respiratory_response(t_s)
    assert t_s[heart.argmax()] == pytest.approx(4.1, abs=0.5)
    assert t_s[heart.argmin()] == pytest.approx(12.4, abs=0.5)
    assert t_s[breath.argmax()] == pytest.approx(3.1, abs=0.5)
    assert t_s[breath.argmin()] == pytest.approx(15.5, abs=1.5)


def test_an_impulse_of_heart_rate_comes_out_as_its_response():
    rate = np.zeros(100)
    rate[40] = 1.0
    first = acting({"heart_rate": rate}, tr_s=TR_S).values[:, 0]
    expected = np.convolve(rate, cardiac_response(np.arange(0, 50, TR_S)))[:100]
    # Between two volumes a rate goes straight, so the impulse is a triangle
    assert np.corrcoef(first, expected)[0, 1] > 0.98


def test_displacement_acts_from_a_volume_before_to_six_after():
    moved = np.zeros(60)
    moved[30] = 1.0
    found = acting({"fd": moved}, tr_s=TR_S)
    touched = np.flatnonzero((found.values > found.values.max() / 2).any(axis=1))
    np.testing.assert_array_equal(touched, np.arange(29, 37))


def test_motion_brings_its_change_and_squares_but_not_twice(rng):
    column = rng.standard_normal(80).cumsum()
    alone = acting({"trans_x": column}, tr_s=TR_S)
    change = np.diff(column, prepend=column[0])
    table = {
        "trans_x": column, "trans_x_derivative1": change, "trans_x_power2": column**2,
        "trans_x_derivative1_power2": change**2,
    }  # fmt: skip
    given = acting(table, tr_s=TR_S)
    assert alone.values.shape[1] == given.values.shape[1] == MOST_COLUMNS
    six = acting({f"{k}_{x}": rng.standard_normal(80) for k in ("trans", "rot")
                  for x in "xyz"}, tr_s=TR_S)  # fmt: skip
    assert six.values.shape[1] == MOST_COLUMNS


def test_each_kind_may_explain_as_much(rng):
    given = {name: 100 * rng.standard_normal(200) for name in ("fd", "csf", "pupil")}
    found = acting(given, tr_s=TR_S)
    power = {name.split(" (")[0]: 0.0 for name in found.names}
    for name, column in zip(found.names, found.values.T, strict=True):
        power[name.split(" (")[0]] += column.var()
    np.testing.assert_allclose(list(power.values()), 1.0, rtol=1e-6)


def test_holes_are_bridged_and_constants_left_out(rng):
    column = rng.standard_normal(90)
    holed = column.copy()
    holed[[0, 40]] = np.nan
    given = {"heart_rate": holed, "fd": np.full(90, 3.0), "csf": np.full(90, np.nan)}
    found = acting(given, tr_s=TR_S)
    assert np.isfinite(found.values).all()
    assert all(name.startswith("heart_rate") for name in found.names)
    assert len(acting({}, tr_s=TR_S)) == 0
