import numpy as np
import pytest

from rtbold.bundle.card import Card
from rtbold.condition.spectra import BAND_NAMES, band_powers
from rtbold.config import FeedbackSettings
from rtbold.errors import ConfigError
from rtbold.publish.wire import Ports
from rtbold.sim.fake_messages import CAPS, LOOP_SAMPLES, FakeEeg, fake_card, fake_hello
from rtbold.sim.head import read_rois


@pytest.mark.parametrize("n_channels", [19, 26, 64])
def test_hello_names_channels_and_rois(n_channels):
    card = fake_card(2.1, n_rois=64, n_channels=n_channels)
    assert isinstance(card, Card)
    said = fake_hello(card, Ports(feed=1), FeedbackSettings())
    assert len(said.channels) == n_channels
    assert said.rois == tuple(roi.name for roi in read_rois())
    assert said.target == said.rois[0]
    assert (said.model_origin, said.simulated_stream) == ("simulated", True)
    assert said.encoding == "json"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_channels": 20}, r"--channels is 20, expected one of 19, 26, 64"),
        ({"n_rois": 0}, r"--rois is 0, expected 1 to 64"),
        ({"n_rois": 65}, r"--rois is 65, expected 1 to 64"),
    ],
)
def test_other_sizes_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        fake_card(2.1, **options)


CHANNELS = CAPS[19]


@pytest.fixture(scope="module")
def eeg():
    return FakeEeg(CHANNELS, seed=3)


def power(eeg, alertness):
    data_uv = eeg.samples(0, LOOP_SAMPLES, alertness=alertness)
    each = [band_powers(data_uv[:, k : k + 800], 200.0) for k in range(0, 12_000, 800)]
    return dict(zip(BAND_NAMES, np.mean(each, axis=0).T, strict=True))


def test_pieces_fit_together_and_the_loop_has_no_seam(eeg):
    whole = eeg.samples(LOOP_SAMPLES - 20, 40, alertness=0.5)
    pieces = [eeg.samples(LOOP_SAMPLES - 20, 20, alertness=0.5),
              eeg.samples(LOOP_SAMPLES, 20, alertness=0.5)]  # fmt: skip
    np.testing.assert_array_equal(whole, np.concatenate(pieces, axis=1))
    np.testing.assert_array_equal(pieces[1], eeg.samples(0, 20, alertness=0.5))
    steps = np.abs(np.diff(eeg.samples(0, 2 * LOOP_SAMPLES, alertness=0.5)))
    assert steps[:, LOOP_SAMPLES - 1].max() < steps.max()


def test_it_has_the_size_and_reference_of_eeg(eeg):
    data_uv = eeg.samples(0, LOOP_SAMPLES, alertness=0.8)
    assert data_uv.shape == (19, LOOP_SAMPLES)
    assert data_uv.dtype == np.float32
    assert 4 < data_uv.std() < 30
    np.testing.assert_allclose(data_uv.mean(axis=0), 0, atol=1e-4)


def test_alpha_is_at_the_back_and_theta_comes_with_sleep(eeg):
    awake, asleep = power(eeg, 1.0), power(eeg, 0.0)
    back, front = CHANNELS.index("O1"), CHANNELS.index("Cz")
    assert awake["alpha"][back] > 3 * awake["alpha"][front]
    assert awake["alpha"][back] > 3 * asleep["alpha"][back]
    assert asleep["theta"].mean() > 1.5 * awake["theta"].mean()


def test_a_bad_channel_is_the_mean_of_four_good_neighbours(eeg):
    good = eeg.samples(100, 50, alertness=0.8)
    flat = CHANNELS.index("F3")
    mended = eeg.samples(100, 50, alertness=0.8, bad=[flat])
    others = [k for k in range(19) if k != flat]
    np.testing.assert_array_equal(mended[others], good[others])
    fit = np.linalg.lstsq(good[others].T, mended[flat], rcond=None)[0]
    assert np.sort(fit)[-4:] == pytest.approx([0.25] * 4, abs=1e-3)


@pytest.mark.parametrize("n", sorted(CAPS))
def test_every_cap_can_be_made(n):
    assert len(set(CAPS[n])) == n
    assert FakeEeg(CAPS[n], seed=0).samples(0, 20, alertness=1.0).shape == (n, 20)
