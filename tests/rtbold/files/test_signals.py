from pathlib import Path

import numpy as np
import pytest

from rtbold.errors import ConfigError, DataFileError
from rtbold.files.recording import ReadOptions, RecordedMarker, Recording
from rtbold.files.signals import (
    bids_note,
    check_labels,
    check_pauses,
    in_range,
    numbered_label,
    scaled,
    with_holes,
)
from rtbold.messages import Channel

FILE = Path("rest.any")
RATE_HZ = 250.0
EEG = (Channel("Cz", "uV", "eeg"), Channel("O2", "uV", "eeg"))


def recording(markers=(), *, n=1000, channels=EEG, rate_hz=RATE_HZ):
    rows = np.random.default_rng(3).normal(0, 20, (len(channels), n))
    return Recording(
        data_uv=rows.astype(np.float32),
        rate_hz=rate_hz,
        channels=channels,
        markers=tuple(RecordedMarker(label, t_s) for label, t_s in markers),
    )


@pytest.mark.parametrize(
    ("kind", "unit", "given", "expected"),
    [
        ("eeg", "mV", None, (1e3, "uV")),
        ("eeg", "mV", "uV", (1e3, "uV")),  # what the file says holds
        ("eeg", "", "mV", (1e3, "uV")),
        ("ecg", "", None, (1.0, "")),
        ("ecg", "", "uV", (1.0, "uV")),
        ("ecg", ".V", "mV", (1e3, "uV")),
        ("ecg", "bpm", "mV", (1.0, "bpm")),
        ("misc", "", "mV", (1.0, "")),
        ("misc", "%", "V", (1.0, "%")),
        ("misc", "V", None, (1e6, "uV")),
        ("misc", "-3", None, (1.0, "-3")),
        ("motion", "g", "mV", (1.0, "g")),
        ("trigger", "V", "uV", (1.0, "")),
    ],
)
def test_the_unit_of_a_channel(kind, unit, given, expected):
    factors, channels = scaled(
        FILE, [Channel("x", unit, kind)], ReadOptions(unit=given)
    )
    assert (factors[0], channels[0].unit) == expected
    assert channels[0].kind == kind


@pytest.mark.parametrize("unit", ["", "%", "-6", "a.u."])
def test_an_electrode_has_a_voltage_or_is_asked_about(unit):
    with pytest.raises(DataFileError, match=r"gives the units \{'x'.*--unit uV"):
        scaled(FILE, [Channel("x", unit, "eeg")], ReadOptions())


def test_an_unknown_unit_is_asked_for_again():
    with pytest.raises(ConfigError, match="--unit is 'ohm'"):
        scaled(FILE, [Channel("x", "uV", "eeg")], ReadOptions(unit="ohm"))


def test_many_channels_are_not_all_named():
    channels = [Channel(f"x{i}", "", "eeg") for i in range(40)]
    with pytest.raises(DataFileError, match="'x5': ''} and 34 more"):
        scaled(FILE, channels, ReadOptions())


def test_electrodes_that_are_there_once_pass():
    labels = ("Fp1", "Fp2", "C3-M2", "M1", "TP9", "A1")
    assert check_labels(FILE, [Channel(label, "uV", "eeg") for label in labels]) == ()


def test_three_of_one_electrode():
    channels = [Channel(label, "uV", "eeg") for label in ("Cz", "CZ", "cz")]
    with pytest.raises(DataFileError, match=r"'CZ' is there 3 times in rest\.any"):
        check_labels(FILE, channels)


@pytest.mark.parametrize("t_s", [-0.002, 0.0, 3.998, 4.5])
def test_a_pause_before_or_after_all_samples_is_none(t_s):
    assert check_pauses(FILE, recording([("boundary", t_s)])) == ()


@pytest.mark.parametrize("t_s", [0.002, 0.004, 2.0, 3.994])
def test_a_pause_between_samples_is_refused(t_s):
    with pytest.raises(DataFileError, match="expected a continuous recording"):
        check_pauses(FILE, recording([("boundary", t_s)]))


@pytest.mark.parametrize(
    "label", ["boundaries", "R128", "S  1", "bound", "edge", "segment", "skip"]
)
def test_other_words_are_no_pause(label):
    assert check_pauses(FILE, recording([(label, 2.0)])) == ()


def test_bad_stretches_are_told_with_their_group():
    (note,) = check_pauses(FILE, recording([("Bad Interval/Userdefined", 2.0)]))
    assert "1 stretches are marked" in note


@pytest.mark.parametrize("n", [13, 14, 500])
def test_zeros_in_all_electrodes_between_others_are_a_gap(n):
    told = recording()
    told.data_uv[:, 300 : 300 + n] = 0
    found = with_holes(told)
    assert np.isnan(found.data_uv[:, 300 : 300 + n]).all()
    assert np.isfinite(found.data_uv).sum() == 2 * (1000 - n)
    assert f"from 1.200 to {(300 + n) / RATE_HZ:.3f} s" in found.notes[0]


def test_zeros_in_one_electrode_are_for_the_channel_monitor():
    told = recording()
    told.data_uv[0, 300:600] = 0
    found = with_holes(told)
    assert np.isfinite(found.data_uv).all()
    assert found.notes == ()


def test_a_trigger_channel_does_not_hide_a_hole():
    channels = (*EEG, Channel("STI 014", "", "trigger"))
    told = recording(channels=channels)
    told.data_uv[:2, 300:600] = 0
    found = with_holes(told)
    assert np.isnan(found.data_uv[:2, 300:600]).all()
    assert np.isfinite(found.data_uv[2]).all()


def test_a_value_that_is_held_is_told_and_kept():
    told = recording()
    told.data_uv[:, 300:400] = told.data_uv[:, [299]]
    found = with_holes(told)
    assert np.isfinite(found.data_uv).all()
    assert "stand still from 1.196 to 1.600 s" in found.notes[0]


def test_samples_that_are_no_numbers_are_counted():
    told = recording()
    told.data_uv[1, 250:260] = np.nan
    told.data_uv[1, 600] = np.inf
    (note,) = with_holes(told).notes
    assert note == "samples that are no numbers: {'O2': 11}, the first at 1.000 s"


def test_markers_outside_are_left_out_and_counted():
    markers = [RecordedMarker("b", 5.0), RecordedMarker("a", 1.0)]
    kept, notes = in_range(markers, 4.0)
    assert [m.label for m in kept] == ["a"]
    assert notes == ("1 markers lie outside of the recording; left out",)


def test_a_number_as_a_label():
    assert [numbered_label(v) for v in (1.0, 2, 0.5, "S  1")] == [
        "1",
        "2",
        "0.5",
        "S  1",
    ]


def test_a_recording_that_is_no_bids_has_no_table(tmp_path):
    (tmp_path / "_channels.tsv").write_text("name\tstatus\nCz\tbad\n")
    assert bids_note(tmp_path / "rest.vhdr") == ()
