import numpy as np
import pytest

pytest.importorskip("torch")

from rtbold.calibration.evaluate.confounds import Confounds
from rtbold.calibration.evaluate.muscle import (
    LEAST_LIMIT,
    leaning,
    muscle_line,
    muscle_reference,
)
from rtbold.calibration.evaluate.scores import Declared, OutOfFold
from rtbold.predict import muscle_power

CHANNELS = ("FZ", "T7", "T8", "OZ")
N = 300


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def slow(rng, n=1):
    """Series as smooth as low-passed BOLD."""
    kernel = np.hanning(7)
    white = rng.standard_normal((N + 6, n))
    smooth = [np.convolve(column, kernel, mode="valid") for column in white.T]
    return np.stack(smooth, axis=1) / np.sqrt((kernel**2).sum())


def scan(rng, by_tension):
    """Two ROIs; the first one's prediction reads tension in part."""
    brain, noise = slow(rng, 2), slow(rng, 2)
    tension = slow(rng)
    shared = np.array([by_tension, 0.0]) * tension
    measured = brain + shared + 0.5 * slow(rng, 2)
    predicted = brain + shared + noise
    scored = OutOfFold(predicted, measured, ("a", "b"))
    features = tension + 0.2 * rng.standard_normal((N, 8))
    return Confounds(muscle=features, muscle_control=np.tile(tension, (1, 2))), scored


def test_a_prediction_that_reads_tension_leans_on_it(rng):
    confounds, scored = scan(rng, by_tension=2.0)
    reads, not_at_all = (muscle_line(confounds, scored, k) for k in (0, 1))
    assert reads.leans
    assert reads.share > 0.4
    assert reads.r > 0.5
    assert not not_at_all.leans
    assert not_at_all.share < 0.1
    assert abs(not_at_all.r) < 0.3
    assert leaning(confounds, scored, Declared("a")) == ("a",)


def test_a_contrast_is_asked_for_itself(rng):
    confounds, scored = scan(rng, by_tension=2.0)
    found = leaning(confounds, scored, Declared("a-b", {"a": 1.0, "b": -1.0}))
    assert found == ("a", "a-b")


def test_r_without_tension_is_that_of_the_brain(rng):
    confounds, scored = scan(rng, by_tension=2.0)
    clean, alike = scan(np.random.default_rng(11), by_tension=0.0)
    expected = muscle_line(clean, alike).r_without
    assert muscle_line(confounds, scored).r_without == pytest.approx(expected, abs=0.1)


def test_what_is_not_known_has_no_line(rng):
    _, scored = scan(rng, by_tension=2.0)
    assert muscle_line(None, scored) is None
    assert muscle_line(Confounds(), scored) is None
    assert leaning(Confounds(), scored, Declared("a")) == ()


def windows(rng, n, gains):
    """White noise whose part above 25 Hz has gains of its own."""
    spectrum = np.fft.rfft(5 * rng.standard_normal((n, len(CHANNELS), 3200)))
    fast = np.fft.rfftfreq(3200, 1 / 200) > 25
    spectrum[..., fast] *= np.reshape(gains, (-1, 1, 1))
    return np.fft.irfft(spectrum, 3200).astype(np.float32)


def test_the_reference_is_the_scans_own_tension(rng):
    made = windows(rng, 20, np.ones(20))
    found = muscle_reference([made[:8], made[8:]], CHANNELS, ("a",))
    assert found.channels == ("T7", "T8")
    assert (found.n_windows, found.leans_on) == (20, ("a",))
    expected = np.mean([muscle_power(w[1:3]) for w in made], axis=0)
    np.testing.assert_allclose(found.level, expected[:, 0], rtol=1e-4)
    np.testing.assert_allclose(found.below, expected[:, 1], rtol=1e-4)
    assert found.limit == LEAST_LIMIT  # such a calm scan would call anything tense


def test_a_scan_whose_tension_changes_has_a_wider_limit(rng):
    gains = np.exp(0.6 * np.repeat([0, 1, -1, 0, 1], 4))
    found = muscle_reference([windows(rng, 20, gains)], CHANNELS)
    assert found.limit > 1.0
