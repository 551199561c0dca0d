import numpy as np
import physio_signals as made
import pytest

from rtbold.calibration.inputs.physio import BodySignal, of_volumes
from rtbold.errors import DataFileError

ONSETS_S = np.arange(100) * 2.0


def signal(sensor, values, rate_hz, first_s=-4.0):
    return BodySignal("S01.log", sensor, np.asarray(values, float), rate_hz, first_s)


def recorded(sensor, rate_hz, duration_s=210.0):
    t_s = made.times_s(duration_s, rate_hz, -4.0)
    of = {"pulse": made.pulse, "ecg": made.ecg, "breath": made.breath}[sensor]
    return signal(sensor, of(t_s), rate_hz)


@pytest.mark.parametrize(("sensor", "rate_hz"), [("pulse", 50), ("pulse", 400)])
def test_a_pulse_gives_the_rate_that_it_has(sensor, rate_hz):
    found = of_volumes(recorded(sensor, rate_hz), ONSETS_S)["heart_rate"]
    off = found - made.true_rate(ONSETS_S)
    assert np.abs(off).max() < 4
    assert np.sqrt(np.mean(off**2)) < 1


@pytest.mark.parametrize("rate_hz", [250, 1000])
def test_an_ecg_gives_the_rate_that_it_has(rate_hz):
    pytest.importorskip("mne")
    found = of_volumes(recorded("ecg", rate_hz), ONSETS_S)["heart_rate"]
    assert np.sqrt(np.mean((found - made.true_rate(ONSETS_S)) ** 2)) < 1


def test_a_missed_and_a_doubled_beat_do_not_move_the_rate():
    t_s = made.times_s(210, 100, -4.0)
    values = made.pulse(t_s)
    values[5000:5090] = values[5000]  # a beat is lost
    values[9000:9010] += 2000  # a jerk
    found = of_volumes(signal("pulse", values, 100), ONSETS_S)["heart_rate"]
    assert np.abs(found - made.true_rate(ONSETS_S)).max() < 6


def test_breath_gives_its_depth():
    found = of_volumes(recorded("breath", 50), ONSETS_S)
    assert set(found) == {"resp_volume", "resp_volume_per_time"}
    for series in found.values():
        assert np.corrcoef(series, made.true_depth(ONSETS_S))[0, 1] > 0.9


def test_what_cannot_be_a_heart_is_refused_in_words():
    t_s = made.times_s(210, 100, -4.0)
    noise = np.random.default_rng(3).standard_normal(len(t_s))
    with pytest.raises(DataFileError, match=r"S01\.log shows 0 beats .*rate of 100 Hz"):
        of_volumes(signal("pulse", noise, 100), ONSETS_S)
    with pytest.raises(DataFileError, match=r"is 3 at every sample.*connected"):
        of_volumes(signal("pulse", np.full(len(t_s), 3.0), 100), ONSETS_S)
    holed = made.pulse(t_s)
    holed[7] = np.nan
    with pytest.raises(DataFileError, match=r"no number at 1 of 21000 .*sample 7"):
        of_volumes(signal("pulse", holed, 100), ONSETS_S)
    with pytest.raises(DataFileError, match=r"breaths in 210 s, expected 4 to 45"):
        of_volumes(signal("breath", made.breath(t_s, 1.0), 100), ONSETS_S)


def test_another_rate_or_run_is_refused_in_words():
    t_s = made.times_s(210, 100, -4.0)
    with pytest.raises(DataFileError, match="holds 500 samples at 100 Hz, expect"):
        of_volumes(signal("pulse", made.pulse(t_s)[:500], 100), ONSETS_S)
    # Said to be 400 Hz: it would end before the scan does
    with pytest.raises(DataFileError, match=r"21000 samples at 400 Hz: -4\.0 to 48\.5"):
        of_volumes(signal("pulse", made.pulse(t_s), 400), ONSETS_S)
    with pytest.raises(DataFileError, match="2 samples a second, expected at least 10"):
        of_volumes(signal("pulse", made.pulse(t_s), 2), ONSETS_S)
    late = signal("pulse", made.pulse(t_s), 100, first_s=60.0)
    with pytest.raises(DataFileError, match=r"60\.0 to 270\.0 s from the first volume"):
        of_volumes(late, ONSETS_S)
