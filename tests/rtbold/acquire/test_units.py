import numpy as np
import pytest

from rtbold.acquire.describe import factors_to_uv, to_uv_factor
from rtbold.errors import ConfigError, StreamMismatch
from rtbold.messages import Channel


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("V", 1e6), ("volt", 1e6), ("Volts", 1e6), ("0", 1e6),
        ("mV", 1e3), ("millivolts", 1e3), ("-3", 1e3),
        ("uV", 1.0), ("\u00b5V", 1.0), ("\u03bcV", 1.0), (" microvolts ", 1.0),
        ("microvolt", 1.0), ("-6", 1.0),
    ],
)  # fmt: skip
def test_each_spelling_has_its_factor(unit, factor):
    assert to_uv_factor(unit) == factor


@pytest.mark.parametrize("unit", ["", "FIFFB_ISOTRAK", "none", "nT", "-15", "-12"])
def test_what_is_no_voltage_is_not_guessed(unit):
    assert to_uv_factor(unit) is None


def test_mixed_units_give_a_factor_each():
    channels = [Channel("Cz", "V"), Channel("Pz", "uV"), Channel("ECG", "mV", "ecg")]
    np.testing.assert_array_equal(factors_to_uv(channels), [1e6, 1.0, 1e3])


@pytest.mark.parametrize(
    "channel",
    [
        Channel("STI", "0", "trigger"),
        Channel("STI", "V", "trigger"),
        Channel("IDX", "none", "misc"),
        Channel("IDX", "0", "misc"),
        Channel("ACC", "g", "motion"),
        Channel("ECG", "", "ecg"),
    ],
)
def test_values_of_other_channels_are_kept(channel):
    channels = [Channel("Cz", "V"), channel]
    np.testing.assert_array_equal(factors_to_uv(channels), [1e6, 1.0])


def test_a_given_unit_wins_for_potentials_only():
    channels = [
        Channel("Cz", "FIFFB_ISOTRAK"),
        Channel("ECG", "", "ecg"),
        Channel("IDX", "none", "misc"),
    ]
    np.testing.assert_array_equal(factors_to_uv(channels, "V"), [1e6, 1e6, 1.0])


@pytest.mark.parametrize(
    ("unit", "said"), [("FIFFB_ISOTRAK", "'FIFFB_ISOTRAK'"), ("", "no unit")]
)
def test_an_unknown_unit_of_eeg_is_refused(unit, said):
    with pytest.raises(StreamMismatch, match=rf"{said}.*--unit"):
        factors_to_uv([Channel("Cz", unit)])


def test_a_given_unit_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="'parsec', expected one of V, mV, uV"):
        factors_to_uv([Channel("Cz", "uV")], "parsec")
