import warnings

import mne
import numpy as np
import pytest
from odd_recordings import RATE_HZ, SINE_UV, N, Signal, keeping, sines, write_edf

from rtbold.errors import ConfigError, DataFileError
from rtbold.files.read import read_recording

SIX = range(6)  # seconds, each a record


def channel(recording, label):
    """Return the unit and the samples of the channel that is so called."""
    (row,) = [i for i, c in enumerate(recording.channels) if c.label == label]
    return recording.channels[row].unit, recording.data_uv[row]


def with_units(path, **units):
    rows = {"ECG": 500.0, "SpO2": 98.0, "Resp": 20.0}
    more = [Signal(label, np.full(N, rows[label]), unit=units[label]) for label in rows]
    return write_edf(path, [*sines(), *more])


def test_a_unit_that_is_no_voltage_is_kept_with_its_values(tmp_path):
    path = with_units(tmp_path / "rest.edf", ECG="uV", SpO2="%", Resp="bpm")
    recording = read_recording(path)
    for label, unit, value in (("SpO2", "%", 98), ("Resp", "bpm", 20)):
        said, row = channel(recording, label)
        assert said == unit
        np.testing.assert_allclose(row, value, atol=0.05)


def test_a_missing_unit_is_no_volt(tmp_path):
    path = with_units(tmp_path / "rest.edf", ECG="", SpO2="%", Resp="")
    unit, row = channel(read_recording(path), "ECG")
    assert unit == ""
    np.testing.assert_allclose(row, 500, atol=0.05)


@pytest.mark.parametrize(("unit", "expected_uv"), [("uV", 500.0), ("mV", 500e3)])
def test_unit_says_what_a_potential_without_one_is_and_nothing_else(
    tmp_path, unit, expected_uv
):
    path = with_units(tmp_path / "rest.edf", ECG="", SpO2="%", Resp="")
    recording = read_recording(path, unit=unit)
    said, row = channel(recording, "ECG")
    assert said == "uV"
    np.testing.assert_allclose(row, expected_uv, rtol=1e-4)
    assert channel(recording, "SpO2")[0] == "%"
    assert channel(recording, "Resp")[0] == ""
    np.testing.assert_allclose(channel(recording, "Fp1")[1], SINE_UV[0], atol=0.06)


@pytest.mark.parametrize(
    "unit", ["UV", "µV", "uV ", "uVolt", "microV", "\u00c2\u00b5V"]
)
def test_a_unit_is_microvolt_in_any_spelling(tmp_path, unit):
    path = write_edf(tmp_path / "rest.edf", sines(unit=unit))
    recording = read_recording(path)
    np.testing.assert_allclose(recording.data_uv, SINE_UV, atol=0.06)


@pytest.mark.parametrize("unit", [".V", "?V", "n/a", "-6"])
def test_unit_works_where_the_message_asks_for_it(tmp_path, unit):
    path = write_edf(tmp_path / "rest.edf", sines(unit=unit))
    with pytest.raises(DataFileError, match="--unit uV"):
        read_recording(path)
    recording = read_recording(path, unit="uV")
    assert {c.unit for c in recording.channels} == {"uV"}
    np.testing.assert_allclose(recording.data_uv, SINE_UV, atol=0.06)
    with pytest.raises(ConfigError, match="expected one of V, mV, uV"):
        read_recording(path, unit="furlong")


def test_nanovolt_is_a_voltage(tmp_path):
    path = write_edf(tmp_path / "rest.edf", sines(unit="nV"))
    np.testing.assert_allclose(read_recording(path).data_uv, SINE_UV * 1e-3, atol=6e-5)


@pytest.mark.parametrize(
    "labels",
    [
        ("EEG Fp1-Ref", "EEG Cz-Ref", "EEG Cz-Ref", "EEG Pz-Ref"),
        ("Fp1", "Cz", "CZ", "Pz"),
        ("Fp1", "Cz", "EEG Cz-LE", "Pz"),
        ("Fp1", "Cz-0", "Cz-1", "Pz"),  # as MNE numbers what is there twice
        ("Fp1", "T3", "T7", "Pz"),
    ],
)
@pytest.mark.parametrize("bdf", [False, True])
def test_an_electrode_that_is_there_twice_is_refused(tmp_path, labels, bdf):
    path = write_edf(
        tmp_path / ("rest.bdf" if bdf else "rest.edf"), sines(labels), bdf=bdf
    )
    with pytest.raises(DataFileError, match=r"is there twice.*Rename one"):
        read_recording(path)


def test_the_ecg_at_the_rate_of_the_eeg_is_kept_by_its_place(tmp_path):
    ecg = [
        Signal("ECG", np.full(N, 100.0)),
        Signal("ECG", np.full(2 * N, 200.0), rate_hz=2 * RATE_HZ),
    ]
    recording = read_recording(write_edf(tmp_path / "rest.edf", [*sines(), *ecg]))
    np.testing.assert_allclose(channel(recording, "ECG")[1], 100, atol=0.05)
    assert "ECG of 500 Hz" in recording.notes[0]


def test_two_ecgs_that_cannot_be_told_apart_are_noted(tmp_path):
    ecg = [Signal("ECG", np.full(N, 100.0)), Signal("ecg", np.full(N, 200.0))]
    recording = read_recording(write_edf(tmp_path / "rest.edf", [*sines(), *ecg]))
    assert "['ECG']; they cannot be told apart" in recording.notes[0]


@pytest.mark.parametrize("bdf", [False, True])
def test_annotations_without_signals_are_called_that(tmp_path, bdf):
    path = tmp_path / ("rest.bdf" if bdf else "rest.edf")
    write_edf(path, [], lists=keeping(SIX), bdf=bdf, reserved="EDF+C")
    with pytest.raises(DataFileError, match="holds annotations and no signal"):
        read_recording(path)


@pytest.mark.parametrize("reserved", ["EDF+C", "EDF+D"])
def test_records_that_do_not_follow_on_each_other_are_a_pause(tmp_path, reserved):
    path = tmp_path / "rest.edf"
    write_edf(path, sines(), lists=keeping([0, 1, 2, 603, 604, 605]), reserved=reserved)
    with pytest.raises(DataFileError, match=r"interruptions at \[3.0\] s"):
        read_recording(path)


def test_records_that_follow_on_each_other_are_read_whatever_the_header_says(tmp_path):
    path = tmp_path / "rest.edf"
    write_edf(path, sines(), lists=keeping(SIX), reserved="EDF+D")
    np.testing.assert_allclose(read_recording(path).data_uv, SINE_UV, atol=0.06)


@pytest.mark.parametrize(
    "label",
    ["BAD boundary", "EDGE boundary", "boundary", "BAD_ACQ_SKIP", "New Segment/"],
)
def test_a_pause_that_an_annotation_tells_is_refused(tmp_path, label):
    lists = keeping(SIX, {3: [(3.5, label)]})
    path = write_edf(tmp_path / "rest.edf", sines(), lists=lists, reserved="EDF+C")
    with pytest.raises(DataFileError, match=r"at \[3.5\] s.*counted"):
        read_recording(path)


def test_times_count_from_the_first_sample_and_not_from_the_second_before_it(tmp_path):
    lists = keeping([k + 0.25 for k in SIX], {1: [(1.75, "R128")]})
    path = write_edf(tmp_path / "rest.edf", sines(), lists=lists, reserved="EDF+C")
    (marker,) = read_recording(path).markers
    assert (marker.label, marker.t_s) == ("R128", 1.5)


def test_a_mark_at_several_channels_is_one_marker(tmp_path):
    lists = keeping(SIX, {1: [(1.5, "spike@@Cz"), (1.5, "spike@@Pz")]})
    path = write_edf(tmp_path / "rest.edf", sines(), lists=lists, reserved="EDF+C")
    assert [m.label for m in read_recording(path).markers] == ["spike"]


def status(*codes):
    values = np.zeros(N)
    for place, code in codes:
        values[place : place + 10] = code
    return Signal("Status", values, unit="Boolean", limits=(-8388608, 8388607))


def test_the_bits_of_status_are_codes(tmp_path):
    codes = status((200, 1), (700, 255), (900, 65535))
    path = write_edf(tmp_path / "rest.bdf", [*sines(), codes], bdf=True)
    recording = read_recording(path)
    unit, row = channel(recording, "Status")
    assert unit == ""
    assert sorted(set(row.tolist())) == [0, 1, 255, 65535]
    assert recording.notes == ()


def test_a_status_that_says_saving_began_again_is_told(tmp_path):
    path = write_edf(
        tmp_path / "rest.bdf",
        [*sines(), status((0, 1 << 16), (700, 1 << 16))],
        bdf=True,
    )
    (note,) = read_recording(path).notes
    assert "bit 16 of Status rises 1 times" in note


@pytest.mark.parametrize("label", ["STI 014", "TRIGGER", "Status"])
def test_codes_of_an_edf_are_no_voltage(tmp_path, label):
    codes = Signal(label, np.where(np.arange(N) % 500 == 250, 3.0, 0.0))
    recording = read_recording(write_edf(tmp_path / "rest.edf", [*sines(), codes]))
    unit, row = channel(recording, label)
    assert unit == ""
    assert round(float(row.max())) == 3


@pytest.mark.parametrize("bdf", [False, True])
def test_samples_and_times_are_those_that_mne_reads(tmp_path, bdf):
    """Parity with mne.io.read_raw_edf and read_raw_bdf."""
    path = tmp_path / ("rest.bdf" if bdf else "rest.edf")
    lists = keeping([k + 0.5 for k in SIX], {2: [(2.9, "R128")], 5: [(6.1, "end")]})
    slow = Signal("Resp", np.full(N, 1.0))
    write_edf(path, [*sines(unit="mV"), slow], lists=lists, bdf=bdf, reserved="EDF+C")
    reader = mne.io.read_raw_bdf if bdf else mne.io.read_raw_edf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = reader(path, verbose="ERROR")
    recording = read_recording(path)
    np.testing.assert_allclose(
        recording.data_uv, (raw.get_data() * 1e6).astype(np.float32), rtol=1e-6
    )
    told = raw.annotations
    np.testing.assert_allclose([m.t_s for m in recording.markers], told.onset)
    assert [m.label for m in recording.markers] == list(told.description)


def test_a_hole_that_was_filled_with_zeros_is_a_gap(tmp_path):
    rows = [Signal(s.label, s.values.copy()) for s in sines()]
    for signal in rows:
        signal.values[600:850] = 0.0
    path = write_edf(tmp_path / "rest.edf", rows)
    recording = read_recording(path)
    assert np.isnan(recording.data_uv[:, 600:850]).all()
    assert np.isfinite(recording.data_uv[:, :600]).all()
    assert "from 2.400 to 3.404 s" in recording.notes[0]


def test_the_last_record_may_be_filled_up(tmp_path):
    rows = [Signal(s.label, s.values.copy()) for s in sines()]
    for signal in rows:
        signal.values[1400:] = 0.0
    recording = read_recording(write_edf(tmp_path / "rest.edf", rows))
    assert np.isfinite(recording.data_uv).all()
    assert "stand still from 5.600 to 6.000 s" in recording.notes[0]


def test_a_signal_without_a_range_is_refused(tmp_path):
    path = write_edf(tmp_path / "rest.edf", sines())
    content = path.read_bytes()
    place = 256 + 4 * (16 + 80 + 8) + 3 * 8  # the physical minimum of Pz
    path.write_bytes(content[:place] + b"3276.7  " + content[place + 8 :])
    with pytest.raises(DataFileError, match=r"\['Pz'\] a range that is empty"):
        read_recording(path)


def patched(path, at, text):
    """Write 8 bytes of the header anew."""
    content = bytearray(path.read_bytes())
    content[at : at + 8] = text.encode().ljust(8)
    path.write_bytes(bytes(content))
    return path


@pytest.mark.parametrize("n_bytes", ["1024", "1278", "1288"])
def test_a_header_of_another_length_moves_no_sample(tmp_path, n_bytes):
    path = patched(write_edf(tmp_path / "rest.edf", sines()), 184, n_bytes)
    with pytest.raises(
        DataFileError, match=f"{n_bytes} bytes, but 4 signals make 1280"
    ):
        read_recording(path)


def test_more_records_than_announced_are_told(tmp_path):
    path = patched(write_edf(tmp_path / "rest.edf", sines()), 236, "4")
    recording = read_recording(path)
    assert recording.duration_s == 6
    assert "holds 6 records and announces 4" in recording.notes[0]


def test_onsets_say_another_rate_than_the_header(tmp_path):
    lists = keeping([k * 1.0075 for k in SIX])
    path = write_edf(tmp_path / "a.edf", sines(), lists=lists, reserved="EDF+C")
    with pytest.raises(DataFileError, match=r"5 records of 1 s begin over 5.0375 s"):
        read_recording(path)


def test_onsets_may_be_rounded(tmp_path):
    lists = keeping([round(k + 0.002 * (-1) ** k, 3) for k in SIX])
    path = write_edf(tmp_path / "a.edf", sines(), lists=lists, reserved="EDF+C")
    assert read_recording(path).duration_s == 6


@pytest.mark.parametrize("onset", [b"+1,5", b"+1.5e0", b" 1.5"])
def test_annotations_that_cannot_be_read_are_told(tmp_path, onset):
    lists = keeping(SIX)
    lists[1] += onset + b"\x14R128\x14\0"
    path = write_edf(tmp_path / "a.edf", sines(), lists=lists, reserved="EDF+C")
    assert "annotations of 1 records are damaged" in read_recording(path).notes[0]


def test_annotations_are_called_so_in_any_case(tmp_path):
    lists = keeping(SIX, {1: [(1.5, "R128")]})
    path = write_edf(tmp_path / "a.edf", sines(), lists=lists, reserved="EDF+C")
    path.write_bytes(path.read_bytes().replace(b"EDF Annot", b"EDF annot"))
    recording = read_recording(path)
    assert [(m.label, m.t_s) for m in recording.markers] == [("R128", 1.5)]
    assert recording.notes == ()
