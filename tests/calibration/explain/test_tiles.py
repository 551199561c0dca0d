import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from rtbold.calibration.explain.attribution import BANDS, Mixer, split, time_weights

T_S = np.arange(3200) / 200


def noise(n=2, channels=3):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, channels, 3200)).cumsum(axis=2)
    return torch.tensor(x - x.mean(axis=2, keepdims=True), dtype=torch.float32)


def test_bands_sum_to_the_window():
    eeg_uv = noise()
    parts_uv = split(eeg_uv)
    assert parts_uv.shape == (2, len(BANDS), 3, 3200)
    torch.testing.assert_close(parts_uv.sum(dim=1), eeg_uv, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("hz", "band"), [(2.5, "delta"), (6, "theta"), (10, "alpha"), (60, "gamma")]
)
def test_a_sine_is_in_its_band(hz, band):
    wave = torch.tensor(4 * np.sin(2 * np.pi * hz * T_S), dtype=torch.float32)
    parts_uv = split(wave[None, None])[0, :, 0]  # (bands, samples)
    inner = slice(400, -400)
    row = list(BANDS).index(band)
    torch.testing.assert_close(parts_uv[row, inner], wave[inner], atol=0.2, rtol=0)
    power = parts_uv[:, inner].square().mean(dim=1)
    assert power[row] / power.sum() > 0.99


def test_a_slope_is_no_jump_at_the_ends():
    slope = torch.tensor(T_S - T_S.mean(), dtype=torch.float32)
    parts_uv = split(slope[None, None])[0, :, 0]
    assert parts_uv[list(BANDS).index("gamma")].abs().max() < 0.02


def test_time_weights_share_out_every_sample():
    weights = time_weights()
    assert weights.shape == (16, 3200)
    torch.testing.assert_close(weights.sum(dim=0), torch.ones(3200))
    centres = [200 * i + 100 for i in range(16)]
    assert (weights.argmax(dim=0)[centres] == torch.arange(16)).all()


def seen_by_network(presence, *, remove_mean=False):
    own, partner = noise(2)[:1], noise(2)[1:]
    mixer = Mixer(lambda eeg_uv: eeg_uv, remove_mean)
    mixed = mixer(presence, split(own), split(partner))
    return own[0], partner[0], mixed[0]


def test_presence_one_is_the_window_and_zero_its_partner():
    presence = torch.ones(1, 3, 16, len(BANDS))
    own, partner, mixed = seen_by_network(presence)
    torch.testing.assert_close(mixed, own, atol=1e-3, rtol=0)
    own, partner, mixed = seen_by_network(0 * presence)
    torch.testing.assert_close(mixed, partner, atol=1e-3, rtol=0)


def test_one_channels_seconds_come_from_the_partner_alone():
    presence = torch.ones(1, 3, 16, len(BANDS))
    presence[0, 1, 4:6] = 0  # samples 800 to 1200, cross-faded
    own, partner, mixed = seen_by_network(presence)
    torch.testing.assert_close(mixed[[0, 2]], own[[0, 2]], atol=1e-3, rtol=0)
    torch.testing.assert_close(mixed[1, :700], own[1, :700], atol=1e-3, rtol=0)
    within = slice(900, 1100)
    torch.testing.assert_close(mixed[1, within], partner[1, within], atol=1e-3, rtol=0)


def test_the_mean_is_removed_where_the_card_says_so():
    presence = torch.ones(1, 3, 16, len(BANDS))
    presence[0, :, 8:] = 0
    *_, plain = seen_by_network(presence)
    *_, centred = seen_by_network(presence, remove_mean=True)
    assert plain.mean(dim=1).abs().max() > 0.1
    assert centred.mean(dim=1).abs().max() < 1e-4
