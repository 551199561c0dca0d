"""The foreign generator's head: patches on a lattice inside three spheres, and a cap.

Nothing here is the twin's: its dipoles stand one for each hemisphere in MNE's sphere
model, these are patches of a Fibonacci lattice whose potentials are summed from the
analytic series. Lengths are shares of the scalp's radius; x right, y nose, z up.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from rtbold.messages import FloatArray
from rtbold.sim.head import Roi, read_rois

BRAIN, SKULL = 0.87, 0.92  # outer radii; the scalp's is 1
SKULL_CONDUCTIVITY = 1.0 / 30.0  # of the brain's, which is the scalp's
N_TERMS = 70  # of the series; the outermost dipole's fall below 1e-6
CORTEX, DEEP = 0.79, 0.55  # radii of the two shells of sources
N_LATTICE = 700  # points on a shell
PATCH = 6  # dipoles of a patch
# Centre and half axes of the brain in MNI space, to bring it onto the unit sphere.
CENTRE_MM = np.array([0.0, -18.0, 10.0])
HALF_AXES_MM = np.array([68.0, 86.0, 66.0])
ONE_SIDED_MM = 20.0  # a centre of mass further from the midline is of one hemisphere
TILT = 0.9  # sd of a patch's tangential moment, the radial one being 1
ROTATION_RAD = 0.05  # sd of a cap's turn about each axis
SHIFT = 0.02  # sd of an electrode's own shift


def fibonacci_lattice(n: int) -> FloatArray:
    """Return (n, 3) unit vectors, even over the sphere."""
    step = np.arange(n) + 0.5
    z = 1.0 - 2.0 * step / n
    turn = np.pi * (1.0 + np.sqrt(5.0)) * step
    ring = np.sqrt(1.0 - z**2)
    return np.stack([ring * np.cos(turn), ring * np.sin(turn), z], axis=1)


def shell_factors(n_terms: int, skull: float = SKULL_CONDUCTIVITY) -> FloatArray:
    """Return what three spheres make of each term of one sphere's series.

    Ary, Klein and Fender (1981), IEEE Trans Biomed Eng 28, 447; 1 for every term where
    the skull conducts as the brain does.
    """
    n = np.arange(1, n_terms + 1, dtype=np.float64)
    both = (n + 1) * skull + n
    damping = both * (n * skull / (n + 1) + 1)
    damping += (1 - skull) * both * (BRAIN ** (2 * n + 1) - SKULL ** (2 * n + 1))
    damping -= n * (1 - skull) ** 2 * (BRAIN / SKULL) ** (2 * n + 1)
    factors: FloatArray = skull * (2 * n + 1) ** 2 / (damping * (n + 1))
    return factors


def potentials(
    electrodes: FloatArray,
    dipoles: FloatArray,
    moments: FloatArray,
    *,
    skull: float = SKULL_CONDUCTIVITY,
) -> FloatArray:
    """Return (electrodes, dipoles): potential on the scalp, in one arbitrary unit.

    Parameters
    ----------
    electrodes : (electrodes, 3) unit vectors.
    dipoles : (dipoles, 3), inside of the brain's sphere.
    moments : (dipoles, 3).
    """
    radius = np.linalg.norm(dipoles, axis=1)
    outward = dipoles / radius[:, None]
    radial = np.sum(moments * outward, axis=1)
    tangential = electrodes @ (moments - radial[:, None] * outward).T
    cosine = electrodes @ outward.T
    # Legendre's P and its derivative by recurrence; P1_n = sin P'_n needs no angle.
    before, now = np.ones_like(cosine), cosine.copy()
    slope_before, slope = np.zeros_like(cosine), np.ones_like(cosine)
    total = np.zeros_like(cosine)
    power = np.ones_like(radius)
    for n, factor in enumerate(shell_factors(N_TERMS, skull), start=1):
        term = radial * now + tangential * slope / n
        total += factor * (2 * n + 1) * power * term
        slope_before, slope = slope, slope_before + (2 * n + 1) * now
        before, now = now, ((2 * n + 1) * cosine * now - n * before) / (n + 1)
        power = power * radius
    return total


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """Where the regions' sources are: of all subjects alike."""

    places: FloatArray  # (patches, PATCH, 3)
    roi: np.ndarray  # (patches,), which region each is of
    centres: FloatArray  # (rois, 3), with x >= 0; where a region lies, source or not


@cache
def patches() -> Patches:
    """Return one patch a region, or one in each hemisphere."""
    rois = read_rois()
    lattice = fibonacci_lattice(N_LATTICE)
    places, of = [], []
    for number, roi in enumerate(rois):
        for direction in _directions(roi):
            nearest = np.argsort(-(lattice @ direction), kind="stable")[:PATCH]
            shell = CORTEX if roi.kind == "cortex" else DEEP
            places.append(shell * lattice[nearest])
            of.append(number)
    centres = np.array([_direction(roi, 1.0) for roi in rois])
    return Patches(np.array(places), np.array(of), centres)


def _directions(roi: Roi) -> list[FloatArray]:
    if not roi.sources_mni_mm:
        return []  # a sinus or a ventricle
    x_mm = roi.centre_mni_mm[0]
    sides = [-1.0, 1.0] if abs(x_mm) < ONE_SIDED_MM else [float(np.sign(x_mm))]
    return [_direction(roi, side) for side in sides]


def _direction(roi: Roi, side: float) -> FloatArray:
    """Return the unit vector to a region; midline ones stand aside by a third."""
    at = (np.array(roi.centre_mni_mm) - CENTRE_MM) / HALF_AXES_MM
    at[0] = side * max(abs(at[0]), 0.35)
    unit: FloatArray = at / np.linalg.norm(at)
    return unit


def folded(rng: np.random.Generator) -> FloatArray:
    """Return (patches, PATCH, 3): a subject's moments; a patch folds as one."""
    found = patches()
    outward = found.places / np.linalg.norm(found.places, axis=2, keepdims=True)
    tilt = TILT * rng.standard_normal((len(found.roi), 1, 3))
    own = 0.3 * TILT * rng.standard_normal(found.places.shape)
    return np.asarray(outward + tilt + own)


def turned(nominal: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return (electrodes, 3): a whole cap put on a little askew."""
    turn = ROTATION_RAD * rng.standard_normal(3)
    angle = float(np.linalg.norm(turn))
    x, y, z = turn / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    rotation = np.eye(3) + np.sin(angle) * cross
    rotation += (1 - np.cos(angle)) * cross @ cross
    return np.asarray(nominal @ rotation.T)


def on_the_scalp(places: FloatArray) -> FloatArray:
    """Return the nearest places on the scalp."""
    return np.asarray(places / np.linalg.norm(places, axis=1, keepdims=True))


def gains(electrodes: FloatArray, moments: FloatArray) -> FloatArray:
    """Return (electrodes, patches): what each electrode sees of a patch."""
    found = patches()
    flat = potentials(electrodes, found.places.reshape(-1, 3), moments.reshape(-1, 3))
    return np.asarray(flat.reshape(len(electrodes), -1, PATCH).mean(axis=2))
