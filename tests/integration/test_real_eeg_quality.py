"""What monitor and bands say of a real recording; it is fetched, never committed."""

import os
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from rtbold.bundle.card import Conditioning
from rtbold.condition.channel_quality import ChannelMonitor
from rtbold.condition.conditioner import Conditioner
from rtbold.condition.spectra import BAND_NAMES, band_powers
from rtbold.electrodes import canonical

pytestmark = pytest.mark.heavy
NAME = "absence_epilepsy.eeg.h5"
RATE_HZ = 200
TR_S = 2.1
TEN_TWENTY = (
    "FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T7",
    "T8", "P7", "P8", "FZ", "CZ", "PZ",
)  # fmt: skip
# Seconds between the recording's own notes "eyes closed" and "eyes open".
CLOSED_S = ((928, 938), (948, 956), (1197, 1213), (1219, 1246), (1651, 1663))
OPEN_S = (
    (903, 928),
    (957, 994),
    (1183, 1197),
    (1214, 1218),
    (1247, 1283),
    (1664, 1700),
)


def cached():
    if (given := os.environ.get("RTBOLD_REAL_EEG")) is not None:
        return Path(given)
    found = sorted(Path(platformdirs.user_cache_dir("rtbold")).rglob(NAME))
    return found[0] if found else None


@pytest.fixture(scope="module")
def recording():
    path = cached()
    if path is None:
        pytest.skip(f"no {NAME} in the cache: python tests/support/fetch_real_eeg.py")
    pytest.importorskip("h5py")
    from rtbold.files.eeghdf import read_eeghdf
    from rtbold.files.recording import ReadOptions

    read = read_eeghdf(path, ReadOptions())
    names = [canonical(channel.label) for channel in read.channels]
    rows = [names.index(name) for name in TEN_TWENTY]
    return read.data_uv[rows], tuple(read.channels[row] for row in rows)


def test_a_real_brain_is_mostly_clean(recording):
    data, channels = recording
    monitor, step, window = ChannelMonitor(RATE_HZ, channels), 420, 16 * RATE_HZ
    bad, n = 0, 0
    for first in range(0, data.shape[1] - step, step):
        monitor.push(data[:, first : first + step], first)
        end = first + step
        # The recording begins with a minute of calibration and impedance check.
        if end > 60 * RATE_HZ + window:
            n += 1
            bad += bool(monitor.bad_between(end - window, end))
    assert n > 800
    assert bad / n < 0.06


def test_alpha_rises_when_the_eyes_are_closed(recording):
    data, channels = recording
    conditioned = Conditioner(RATE_HZ, len(channels), Conditioning())(data)
    conditioned = conditioned - conditioned.mean(axis=0)
    occipital = conditioned[[TEN_TWENTY.index("O1"), TEN_TWENTY.index("O2")]]
    alpha = BAND_NAMES.index("alpha")

    def typical_uv2(spans_s):
        powers = [
            band_powers(occipital[:, : end_s * RATE_HZ], RATE_HZ)[:, alpha].mean()
            for first_s, last_s in spans_s
            for end_s in range(first_s + 4, last_s)
        ]
        return np.median(powers)

    assert typical_uv2(CLOSED_S) > 2 * typical_uv2(OPEN_S)
