from pathlib import Path

import numpy as np
import physio_signals as made
import pytest

from rtbold.calibration.inputs.ecg import heart_rate_of
from rtbold.calibration.inputs.eeg import EegRecording
from rtbold.files import Recording as EegFile
from rtbold.messages import Channel

RATE_HZ = 250.0
ONSETS_S = 3.0 + np.arange(80) * 2.0


def recording(second, kind="ecg"):
    t_s = made.times_s(180, RATE_HZ)
    data = np.stack([np.random.default_rng(0).standard_normal(len(t_s)), second(t_s)])
    channels = (Channel("Cz"), Channel("ECG", kind=kind))
    file = EegFile(
        data_uv=data.astype(np.float32), rate_hz=RATE_HZ, channels=channels,
        reference="average", simulated=False,
    )  # fmt: skip
    return EegRecording(Path("S01.vhdr"), file, ())


def test_heart_rate_comes_from_the_ecg_channel():
    pytest.importorskip("mne")
    onsets_s = ONSETS_S.copy()
    onsets_s[5] = np.nan  # its trigger was missed
    rate, told = heart_rate_of(recording(made.ecg), onsets_s)
    assert "channel ECG: median 6" in told
    known = np.isfinite(onsets_s)
    assert np.isnan(rate[5])
    off = rate[known] - made.true_rate(onsets_s[known])
    assert np.sqrt(np.mean(off**2)) < 1


def test_a_channel_without_a_heart_is_told_and_left():
    pytest.importorskip("mne")
    rate, told = heart_rate_of(recording(lambda t_s: 0 * t_s), ONSETS_S)
    assert rate is None
    assert "no heart rate by the ECG: the channel ECG of S01.vhdr is 0 at every" in told


def test_without_an_ecg_channel_nothing_is_said():
    assert heart_rate_of(recording(made.ecg, kind="eeg"), ONSETS_S) == (None, "")
