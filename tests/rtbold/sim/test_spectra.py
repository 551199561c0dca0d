import numpy as np
import pytest

from rtbold.errors import ConfigError
from rtbold.sim.bold import filtered_target
from rtbold.sim.brain import SLOW_RATE_HZ, draw_brain
from rtbold.sim.head import read_rois
from rtbold.sim.settings import TwinSettings
from rtbold.sim.spectra import PIECE_S, bins_of, simulate_powers
from rtbold.sim.twin import simulate

CHANNELS = ("Fp1", "F3", "C3", "FT9", "P4", "O1", "O2", "Cz")
BANDS = ((1.0, 4.0), (4.0, 8.0), (8.0, 13.0), (13.0, 30.0), (30.0, 80.0))
EYE = np.eye(len(CHANNELS))


def settings(seed=1000, level="hard", duration_s=120.0):
    return TwinSettings(
        seed, level, duration_s=duration_s, tr_s=PIECE_S, first_volume_s=0.0,
        channels=CHANNELS,
    )  # fmt: skip


def log_powers(recording):
    """Return what the features read of whole EEG, (pieces, channels, bands)."""
    eeg = recording.eeg_uv - recording.eeg_uv.mean(axis=0)
    pieces = eeg.reshape(len(eeg), -1, 400)
    taper = np.hanning(401)[:400]
    power = np.abs(np.fft.rfft(pieces * taper / np.linalg.norm(taper))) ** 2
    bands = [power[..., int(2 * a) : int(2 * b)].mean(axis=2) for a, b in BANDS]
    return np.log(np.stack(bands, axis=2)).transpose(1, 0, 2)


@pytest.mark.heavy
@pytest.mark.parametrize("level", ["easy", "hard", "hard-flat"])
def test_band_power_is_what_the_samples_would_have(level):
    drawn = simulate_powers(settings(level=level), EYE, BANDS)
    whole = log_powers(simulate(settings(level=level)))
    assert drawn.log_power.shape == (60, len(CHANNELS), len(BANDS))
    apart = (drawn.log_power.mean(axis=0) - whole.mean(axis=0))[1:]  # blinks at Fp1
    assert np.abs(apart).max() < 0.5
    assert np.abs(apart).mean() < 0.15
    spread = drawn.log_power.std(axis=0) / whole.std(axis=0)
    assert np.median(spread) == pytest.approx(1, abs=0.15)


@pytest.mark.heavy
def test_neighbours_share_their_noise_as_they_do_in_the_samples():
    drawn = simulate_powers(settings(level="easy"), EYE, BANDS).log_power
    whole = log_powers(simulate(settings(level="easy")))
    o1, o2, ft9 = (CHANNELS.index(name) for name in ("O1", "O2", "FT9"))
    for one, other in ((o1, o2), (o1, ft9)):
        r = [np.corrcoef(x[:, one, 2], x[:, other, 2])[0, 1] for x in (drawn, whole)]
        assert r[0] == pytest.approx(r[1], abs=0.25)


def test_bold_is_that_of_the_session():
    made = simulate_powers(settings(duration_s=60.0), EYE, BANDS)
    session = simulate(settings(duration_s=60.0))
    np.testing.assert_array_equal(made.bold, filtered_target(session.bold, PIECE_S))


def test_muscles_follow_arousal_on_hard_alone():
    r, ft9 = {}, CHANNELS.index("FT9")
    for level in ("hard", "hard-flat"):
        given = settings(level=level, duration_s=600.0)
        brain = draw_brain(given, read_rois(), "brain")
        from_start = brain.arousal[round(60 * SLOW_RATE_HZ) :]
        arousal = from_start[:3000].reshape(300, 10).mean(axis=1)
        power = simulate_powers(given, EYE, BANDS).log_power[:, ft9, 4]
        r[level] = np.corrcoef(arousal, power)[0, 1]
    assert r["hard"] > 0.3
    assert abs(r["hard-flat"]) < 0.2


def test_the_same_seed_gives_the_same_and_another_another():
    first, again, other = (
        simulate_powers(settings(seed, "varied", 44.0), EYE, BANDS).log_power
        for seed in (31_000, 31_000, 31_001)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_an_unmixing_is_taken_before_the_power():
    plain = simulate_powers(settings(duration_s=44.0), EYE, BANDS).log_power
    louder = simulate_powers(settings(duration_s=44.0), 10 * EYE, BANDS).log_power
    np.testing.assert_allclose(louder, plain + np.log(100), atol=1e-2)


def test_bins_cover_the_bands_and_the_taper():
    hz, ranges = bins_of(((4.0, 7.0), (7.0, 8.5)))
    assert ranges == [(0, 6), (6, 9)]
    np.testing.assert_allclose(hz, np.arange(3.5, 9.0, 0.5))


def test_volumes_that_are_not_at_the_pieces_are_refused():
    with pytest.raises(ConfigError, match=r"every 2\.1 s, expected 0 and 2"):
        simulate_powers(TwinSettings(1, channels=CHANNELS), EYE, BANDS)
