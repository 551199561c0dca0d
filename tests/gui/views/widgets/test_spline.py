import numpy as np
import pytest

from rtbold.electrodes import positions
from rtbold.gui.views.widgets.topography import spline_matrix

CAP = ["Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8",
       "T7", "T8", "P7", "P8", "Fz", "Cz", "Pz", "Oz"]  # fmt: skip


def test_at_the_electrodes_are_nearly_their_values():
    at = positions(CAP)
    values = np.random.default_rng(0).normal(size=len(CAP))

    np.testing.assert_allclose(spline_matrix(at, at) @ values, values, atol=0.11)


def test_a_constant_stays_a_constant():
    matrix = spline_matrix(positions(CAP), positions(["FC1", "CPz", "PO9"]))

    np.testing.assert_allclose(matrix.sum(axis=1), 1)


def test_a_smooth_field_is_found_between_the_electrodes():
    between = positions(["FC1", "FC2", "CP1", "CP2", "POz"])

    found = spline_matrix(positions(CAP), between) @ positions(CAP)

    # x, y and z themselves are smooth fields.
    np.testing.assert_allclose(found, between, atol=0.08)


@pytest.mark.parametrize("names", [["Cz"], ["Cz", "Cz", "O1"]])
def test_few_or_doubled_electrodes_give_numbers(names):
    matrix = spline_matrix(positions(names), positions(CAP))

    assert np.isfinite(matrix).all()
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
