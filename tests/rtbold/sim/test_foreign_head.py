import numpy as np
import pytest

from rtbold.sim.foreign_head import (
    BRAIN,
    SKULL,
    SKULL_CONDUCTIVITY,
    fibonacci_lattice,
    folded,
    gains,
    patches,
    potentials,
    shell_factors,
    turned,
)
from rtbold.sim.head import read_rois

RNG = np.random.default_rng(3)


def neumann(electrode, place):
    """Return Green's function of one sphere, its pole inside, seen at the surface."""
    apart = np.linalg.norm(electrode - place)
    return 2 / apart - np.log((1 - electrode @ place + apart) / 2)


@pytest.mark.parametrize("radius", [0.05, 0.4, 0.79])
def test_without_a_skull_the_series_is_the_closed_form_of_one_sphere(radius):
    electrodes = fibonacci_lattice(20)
    place = radius * fibonacci_lattice(7)[3]
    moment = np.array([0.3, -1.0, 0.6])
    step = 1e-5
    expected = [
        (neumann(e, place + step * moment) - neumann(e, place - step * moment))
        / (2 * step)
        for e in electrodes
    ]
    found = potentials(electrodes, place[None], moment[None], skull=1.0)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_the_skull_changes_each_term_as_the_boundary_conditions_say(n):
    """Potential and current are continuous, nothing leaves the scalp."""

    def grow(r):
        return [r**n, r ** -(n + 1)]

    def slope(r):
        return [n * r ** (n - 1), -(n + 1) * r ** -(n + 2)]

    bone = SKULL_CONDUCTIVITY
    system, given = np.zeros((5, 5)), np.zeros(5)  # a; b, c; d, e
    for row, (radius, form, inside, outside) in enumerate(
        [(BRAIN, grow, 1, 1), (BRAIN, slope, 1, bone),
         (SKULL, grow, 1, 1), (SKULL, slope, bone, 1)]
    ):  # fmt: skip
        up, down = form(radius)
        if radius == BRAIN:
            system[row, :3] = inside * up, -outside * up, -outside * down
            given[row] = -inside * down  # of the dipole itself
        else:
            system[row, 1:] = (
                inside * up, inside * down, -outside * up, -outside * down,
            )  # fmt: skip
    system[4, 3:] = slope(1.0)
    *_, up, down = np.linalg.solve(system, given)
    alone = (2 * n + 1) / n  # what one sphere makes of it at its surface
    assert (up + down) / alone == pytest.approx(shell_factors(n)[-1], rel=1e-9)


def test_a_dipole_turned_with_the_head_is_seen_the_same():
    electrodes, place = fibonacci_lattice(30), np.array([[0.1, -0.5, 0.4]])
    moment = np.array([[1.0, 0.2, -0.4]])
    rotation = np.linalg.qr(RNG.standard_normal((3, 3)))[0]
    np.testing.assert_allclose(
        potentials(electrodes @ rotation, place @ rotation, moment @ rotation),
        potentials(electrodes, place, moment),
        atol=1e-9,
    )


def test_the_lattice_is_even():
    lattice = fibonacci_lattice(500)
    np.testing.assert_allclose(np.linalg.norm(lattice, axis=1), 1)
    np.testing.assert_allclose(lattice.mean(axis=0), 0, atol=5e-3)
    np.testing.assert_allclose(lattice.T @ lattice / 500, np.eye(3) / 3, atol=5e-3)
    nearest = np.sort(lattice @ lattice.T, axis=1)[:, -2]
    assert np.arccos(nearest).max() < 2 * np.arccos(nearest).min()


def test_every_region_of_the_brain_has_a_patch_inside_of_it():
    found = patches()
    rois = read_rois()
    with_source = {number for number, roi in enumerate(rois) if roi.sources_mni_mm}
    assert set(found.roi.tolist()) == with_source
    assert np.linalg.norm(found.places, axis=2).max() < BRAIN
    back = np.flatnonzero(found.roi == [r.name for r in rois].index("Occipital pole"))
    assert (found.places[back, :, 1] < 0).all()
    assert len(back) == 2
    assert np.prod(found.places[back, :, 0].mean(axis=1)) < 0  # one on either side


def test_a_patch_is_seen_best_near_it():
    found = patches()
    electrodes = fibonacci_lattice(200)
    seen = np.abs(gains(electrodes, folded(np.random.default_rng(0))))
    cortex = np.linalg.norm(found.places, axis=2).mean(axis=1) > 0.7
    best = electrodes[seen.argmax(axis=0)]
    at = found.places.mean(axis=1)
    cosine = np.sum(best * at, axis=1) / np.linalg.norm(at, axis=1)
    assert np.median(cosine[cortex]) > 0.8


def test_a_cap_is_turned_and_not_bent():
    electrodes = fibonacci_lattice(20)
    askew = turned(electrodes, np.random.default_rng(1))
    np.testing.assert_allclose(askew @ askew.T, electrodes @ electrodes.T, atol=1e-12)
    moved = np.linalg.norm(askew - electrodes, axis=1)
    assert 0.005 < moved.max() < 0.3
