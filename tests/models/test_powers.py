from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from architectures import made, windows

from rtbold.models.linear import LAG_SAMPLES, N_LAGS
from rtbold.models.powers import FINE_BANDS_HZ, BandPowerNet, BandPowerNetConfig


def test_bands_meet_and_lie_on_the_bins():
    for (_, high), (low, _) in pairwise(FINE_BANDS_HZ):
        assert high == low
    ends = np.array(FINE_BANDS_HZ) * LAG_SAMPLES / 200.0
    np.testing.assert_array_equal(ends, ends.round())


def test_powers_are_taken_in_place_of_eeg():
    model = made("band-power network").eval()
    eeg = torch.from_numpy(windows())
    powers = model.powers(eeg)
    assert powers.shape == (2, 4, N_LAGS, len(FINE_BANDS_HZ))
    with torch.inference_mode():
        torch.testing.assert_close(model(powers), model(eeg))


def test_powers_are_those_of_a_hann_window():
    model = BandPowerNet(BandPowerNetConfig(channels=("CZ", "O2"), unmixing="none"))
    eeg = windows(1, 2)
    taper = torch.hann_window(LAG_SAMPLES, dtype=torch.float64).numpy()
    pieces = eeg.reshape(1, 2, N_LAGS, LAG_SAMPLES) * taper / np.linalg.norm(taper)
    power = np.abs(np.fft.rfft(pieces)) ** 2
    low, high = FINE_BANDS_HZ[3]
    expected = np.log(power[..., int(2 * low) : int(2 * high)].mean(axis=3))
    found = model.powers(torch.from_numpy(eeg))[..., 3]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-3)
