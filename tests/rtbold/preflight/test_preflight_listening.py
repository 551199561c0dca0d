import numpy as np
import pipeline_rig as rig
import pytest

from rtbold.messages import ClockOffset, Marker
from rtbold.preflight.streams import Listening

RATE_HZ = 250.0


def listen(data_uv, *, cut=(), **options):
    ear = Listening(rig.stream(RATE_HZ))
    seconds = data_uv.shape[1] / RATE_HZ
    for chunk in rig.samples(data_uv, RATE_HZ, rig.every(RATE_HZ, seconds), **options):
        if not cut or not cut[0] <= chunk.t_lsl_s[0] - rig.T0_S < cut[1]:
            ear.take(chunk)
    return ear


def test_samples_rate_age_and_channels():
    data_uv = rig.eeg(RATE_HZ, 6.0)
    data_uv[2] = 5.0
    ear = listen(data_uv, delay_s=0.04)
    heard = ear.samples(6.0, rig.T0_S + 6.5)
    assert heard.n_samples == 1500
    assert heard.age_s == pytest.approx(0.04, abs=1e-6)
    assert heard.rate_hz == pytest.approx(RATE_HZ, rel=1e-4)
    assert heard.silent_s == pytest.approx(0.464, abs=1e-6)
    assert (heard.n_gaps, heard.n_stamp_steps) == (0, 0)
    assert [s.state for s in ear.channels] == ["good"] * 2 + ["flat"] + ["good"] * 3
    assert ear.amplitude_text == ""


def test_a_gap_is_counted():
    heard = listen(rig.eeg(RATE_HZ, 8.0), cut=(4.0, 5.0)).samples(8.0, 0.0)
    assert heard.n_gaps == 1
    assert heard.n_missing == pytest.approx(RATE_HZ, abs=2)


def test_volts_taken_for_microvolts_are_too_small():
    ear = listen(rig.eeg(RATE_HZ, 3.0) * np.float32(1e-6))
    assert "--unit" in ear.amplitude_text


def test_nothing_heard_is_said_so():
    ear = Listening(rig.stream(RATE_HZ))
    heard = ear.samples(6.0, 0.0)
    assert (heard.n_samples, heard.age_s, heard.rate_hz) == (0, None, None)
    assert ear.channels == ()
    assert ear.amplitude_text == ""


def test_a_measured_offset_moves_the_age():
    ear = Listening(rig.stream(RATE_HZ))
    ear.take(ClockOffset(-5.0, 1.0))
    ear.take(ClockOffset(-6.0, 1.0, "marker"))
    (chunk,) = rig.samples(rig.eeg(RATE_HZ, 1.0), RATE_HZ, ())
    ear.take(chunk)
    assert ear.samples(1.0, chunk.t_arrived_s).age_s == pytest.approx(5.0)
    assert ear.offsets_s == [-5.0]
    assert ear.uncertainty_s is None


def test_markers_and_volumes_are_kept_apart():
    ear = Listening(rig.stream(RATE_HZ))
    for label, t_s in (("S1", 1.0), ("R128", 2.0)):
        ear.take(Marker(label, t_s, t_s))
    ear.take_volume(Marker("R128", 2.0, 2.0))
    heard = ear.triggers(3.0)
    assert heard.labels == {"S1": 1, "R128": 1}
    assert heard.stamps_s == (2.0,)
