import warnings

import mne
import numpy as np
import pytest
from odd_recordings import LABELS, RATE_HZ, SINE_UV, STEP_UV, N, write_vhdr

from rtbold.errors import DataFileError
from rtbold.files.read import read_recording

MULTIPLEXED = np.round(SINE_UV.T / STEP_UV)  # (samples, channels), steps


def lines(unit="µV", step="0.1", reference=""):
    return [f"{label},{reference},{step},{unit}" for label in LABELS]


def test_the_header_without_its_markers_says_so(tmp_path):
    path = write_vhdr(tmp_path, marker_name=None)
    recording = read_recording(path)
    assert recording.markers == ()
    (note,) = recording.notes
    assert "rest.vmrk, which the header rest.vhdr names" in note
    assert "is missing" in note


def test_no_markers_is_no_loss_where_the_header_names_none(tmp_path):
    assert read_recording(write_vhdr(tmp_path, marker_file=None)).notes == ()


def test_the_base_name_of_the_header_stands_for_itself(tmp_path):
    path = write_vhdr(
        tmp_path,
        data_file="$b.eeg", marker_file="$b.vmrk",
        data_name="rest.eeg", marker_name="rest.vmrk",
    )  # fmt: skip
    recording = read_recording(path)
    np.testing.assert_allclose(recording.data_uv, SINE_UV, atol=0.06)
    assert [(m.label, m.t_s) for m in recording.markers] == [("R128", 1.0)]
    assert recording.notes == ()


def test_the_last_marker_is_looked_at_under_that_name_too(tmp_path):
    path = write_vhdr(
        tmp_path,
        data_file="$b.eeg", marker_file="$b.vmrk",
        data_name="rest.eeg", marker_name="rest.vmrk",
        marks=[("Response", "R128", N + 100)],
    )  # fmt: skip
    with pytest.raises(DataFileError, match="ends at sample 1500, but a marker"):
        read_recording(path)


@pytest.mark.parametrize("key", ["data_file", "marker_file"])
def test_a_renamed_recording_is_called_that(tmp_path, key):
    names = {"data_file": "rest.eeg", "marker_file": "rest.vmrk"} | {
        key: "S01 rest.eeg" if key == "data_file" else "S01 rest.vmrk"
    }
    path = write_vhdr(tmp_path, data_name="rest.eeg", marker_name="rest.vmrk", **names)
    with pytest.raises(
        DataFileError, match=r"names 'S01 rest\.\w+', which is not beside it, but "
        r"'rest\.\w+' is.*correct DataFile= and MarkerFile="
    ):  # fmt: skip
        read_recording(path)


def test_a_missing_file_is_named(tmp_path):
    path = write_vhdr(tmp_path, data_file="other.eeg", data_name=None)
    with pytest.raises(DataFileError, match=r"other\.eeg, which the header .* missing"):
        read_recording(path)


def test_markers_of_another_recording_are_told(tmp_path):
    path = write_vhdr(tmp_path, marker_says="S02.eeg")
    assert "belongs to 'S02.eeg', not to 'rest.eeg'" in read_recording(path).notes[0]


@pytest.mark.parametrize(
    ("header", "data", "marks"),
    [
        ("REST.VHDR", "REST.EEG", "REST.VMRK"),
        ("rest.vhdr", "REST.EEG", "Rest.vmrk"),  # written on Windows, copied to Linux
    ],
)
def test_case_does_not_count_in_names(tmp_path, header, data, marks):
    named = {"data_file": header[:-4] + "eeg", "marker_file": header[:-4] + "vmrk"}
    path = write_vhdr(tmp_path, header, data_name=data, marker_name=marks, **named)
    recording = read_recording(path)
    np.testing.assert_allclose(recording.data_uv, SINE_UV, atol=0.06)
    assert [m.label for m in recording.markers] == ["R128"]
    assert recording.notes == ()


@pytest.mark.parametrize(
    ("channels", "reference"),
    [
        (("Fp1,FCz", "Cz,FCz", "O2,FCz", "ECG,ECG-"), "FCz"),
        (("Fp1,FCz", "Cz,", "O2,FCz", "AUX1,AUX-"), "FCz"),
        (("Fp1,FCz", "Cz,TP9", "O2,FCz", "Pz,FCz"), None),
    ],
)  # fmt: skip
def test_electrodes_say_the_reference_and_bipolar_channels_do_not(
    tmp_path, channels, reference
):
    path = write_vhdr(tmp_path, channels=[f"{said},0.1,µV" for said in channels])
    assert read_recording(path).reference == reference


@pytest.mark.parametrize("unit", ["µV", "\u03bcV", "uV", "UV", "", "ÂµV"])
def test_microvolt_in_any_spelling(tmp_path, unit):
    recording = read_recording(write_vhdr(tmp_path, channels=lines(unit)))
    assert {c.unit for c in recording.channels} == {"uV"}
    np.testing.assert_allclose(recording.data_uv, SINE_UV, atol=0.06)


def test_a_unit_of_an_old_header_is_read(tmp_path):
    path = write_vhdr(tmp_path, channels=lines("µV"), encoding="latin-1")
    np.testing.assert_allclose(read_recording(path).data_uv, SINE_UV, atol=0.06)


@pytest.mark.parametrize(("unit", "factor"), [("mV", 1e3), ("V", 1e6), ("nV", 1e-3)])
def test_other_voltages_come_to_microvolt(tmp_path, unit, factor):
    recording = read_recording(write_vhdr(tmp_path, channels=lines(unit)))
    np.testing.assert_allclose(recording.data_uv, SINE_UV * factor, atol=0.06 * factor)


@pytest.mark.parametrize("unit", [".V", "n/a", "%"])
def test_an_electrode_without_a_voltage_is_asked_about(tmp_path, unit):
    path = write_vhdr(tmp_path, channels=lines(unit))
    with pytest.raises(DataFileError, match="--unit uV"):
        read_recording(path)
    np.testing.assert_allclose(
        read_recording(path, unit="uV").data_uv, SINE_UV, atol=0.06
    )


def test_other_quantities_and_codes_keep_values_and_units(tmp_path):
    channels = [*lines()[:2], "GSR,,0.1,µS", "Trigger,,0.1,µV"]
    recording = read_recording(write_vhdr(tmp_path, channels=channels))
    assert [c.unit for c in recording.channels] == ["uV", "uV", "µS", ""]
    np.testing.assert_allclose(recording.data_uv[2:], SINE_UV[2:], atol=0.06)


@pytest.mark.parametrize(
    "labels", [("Fp1", "Cz", "CZ", "Pz"), ("O2", "O2", "Cz", "Pz")]
)
def test_an_electrode_that_is_there_twice_is_refused(tmp_path, labels):
    channels = [f"{label},,0.1,µV" for label in labels]
    with pytest.raises(DataFileError, match=r"is there twice.*Rename one"):
        read_recording(write_vhdr(tmp_path, channels=channels))


@pytest.mark.parametrize(
    "mark",
    [
        ("New Segment", "", 501),
        ("Comment", "boundary", 501),
        ("Comment", "EDGE boundary", 501),
        ("Comment", "BAD_ACQ_SKIP", 501),
    ],
)
def test_a_pause_is_refused_whatever_its_name(tmp_path, mark):
    path = write_vhdr(tmp_path, marks=[("New Segment", "", 1), mark])
    with pytest.raises(DataFileError, match=r"at \[2.0\] s"):
        read_recording(path)


@pytest.mark.parametrize(
    "label",
    [
        "LostSamples: 12",
        "Recording paused",
        "boundary 2",
        "Segment 2",
        "Amplifier disconnected",
        "data loss",
    ],
)
def test_what_may_be_a_pause_is_told(tmp_path, label):
    path = write_vhdr(tmp_path, marks=[("Comment", label, 501)])
    (note,) = read_recording(path).notes
    assert label in note
    assert "[2.0]" in note


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("SegmentationType=MARKERBASED", "cut into segments"),
        ("DataType=FREQUENCYDOMAIN", "FREQUENCYDOMAIN, expected TIMEDOMAIN"),
    ],
)
def test_what_is_no_continuous_recording_is_refused(tmp_path, line, match):
    path = write_vhdr(tmp_path, common=["DataFormat=BINARY", line])
    with pytest.raises(DataFileError, match=match):
        read_recording(path)


def test_a_comma_in_a_label_is_coded(tmp_path):
    channels = [*lines()[:3], "Pz,,0.1,µV"]
    channels[0] = "Aux\\11,,0.1,µV"
    recording = read_recording(
        write_vhdr(tmp_path, channels=channels, marks=[("Stimulus", "a\\1b", 11)])
    )
    assert recording.channels[0].label == "Aux,1"
    assert recording.markers[0].label == "a,b"


BINARY = {
    "INT_16": MULTIPLEXED.astype("<i2").tobytes(),
    "INT_32": MULTIPLEXED.astype("<i4").tobytes(),
    "IEEE_FLOAT_32": MULTIPLEXED.astype("<f4").tobytes(),
}


@pytest.mark.parametrize("kind", BINARY)
def test_samples_and_times_are_those_that_mne_reads(tmp_path, kind):
    """Parity with mne.io.read_raw_brainvision."""
    path = write_vhdr(tmp_path, binary=[f"BinaryFormat={kind}"], raw=BINARY[kind])
    check_as_mne(path)


def test_vectorized_samples_are_those_that_mne_reads(tmp_path):
    common = ["DataFormat=BINARY", "DataOrientation=VECTORIZED", f"DataPoints={N}"]
    path = write_vhdr(
        tmp_path, common=common, raw=MULTIPLEXED.T.astype("<i2").tobytes()
    )
    check_as_mne(path)


@pytest.mark.parametrize("symbol", [".", ","])
def test_text_samples_are_those_that_mne_reads(tmp_path, symbol):
    text = "\r\n".join(
        " ".join(f"{value:.1f}".replace(".", symbol) for value in row)
        for row in MULTIPLEXED
    )
    path = write_vhdr(
        tmp_path,
        common=["DataFormat=ASCII", "DataOrientation=MULTIPLEXED"],
        more=["[ASCII Infos]", f"DecimalSymbol={symbol}", "SkipLines=0",
              "SkipColumns=0"],
        raw=text.encode(),
    )  # fmt: skip
    check_as_mne(path)


def check_as_mne(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = mne.io.read_raw_brainvision(path, verbose="ERROR")
    recording = read_recording(path)
    np.testing.assert_allclose(
        recording.data_uv, raw.get_data() * 1e6, rtol=1e-6, atol=1e-4
    )
    assert recording.rate_hz == raw.info["sfreq"] == RATE_HZ
    np.testing.assert_allclose(
        [m.t_s for m in recording.markers], raw.annotations.onset
    )


def test_bytes_in_the_other_order_are_read_as_the_header_says(tmp_path):
    binary = ["BinaryFormat=INT_16", "UseBigEndianOrder=YES"]
    raw = MULTIPLEXED.astype(">i2").tobytes()
    recording = read_recording(write_vhdr(tmp_path, binary=binary, raw=raw))
    np.testing.assert_allclose(recording.data_uv, SINE_UV, atol=0.06)


def test_a_damaged_header_is_called_that(tmp_path):
    path = write_vhdr(tmp_path)
    text = path.read_text(encoding="utf-8").replace("NumberOfChannels=4", "Number=x")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataFileError, match="is damaged"):
        read_recording(path)


def test_a_path_of_the_recording_computer_names_the_file_beside_the_header(tmp_path):
    path = write_vhdr(
        tmp_path,
        data_file="D:\\eeg\\rest.eeg", marker_file="D:\\eeg\\rest.vmrk",
        data_name="rest.eeg", marker_name="rest.vmrk",
    )  # fmt: skip
    recording = read_recording(path)
    np.testing.assert_allclose(recording.data_uv, SINE_UV, atol=0.06)
    assert recording.notes == ()


@pytest.mark.parametrize("interval", ["3906.25", "3906,25"])
def test_a_sampling_interval_may_have_decimals(tmp_path, interval):
    path = write_vhdr(tmp_path)
    text = path.read_text(encoding="utf-8").replace(
        "Interval=4000", f"Interval={interval}"
    )
    path.write_text(text, encoding="utf-8")
    assert read_recording(path).rate_hz == 256


def with_marks(folder, text, encoding="utf-8"):
    path = write_vhdr(folder)
    head = "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\n"
    (folder / "rest.vmrk").write_bytes((head + text).encode(encoding))
    return path


@pytest.mark.parametrize(
    ("line", "encoding"),
    [
        ("Mk1=Response,R128,251\n", "utf-8"),  # no size
        ("Mk1 = Response, R128, 251, 1, 0\n", "utf-8"),
        ("mk1=Response,R128,251,1,0\n", "utf-8"),
        ("Mk1=Response,R128,251,1,0\r", "utf-8"),
        ("Mk1=Response,R128,251,1,0\n", "utf-16"),
        ("Mk1=Response,R128,251,1,0\n[Comment]\nMk2=Response,R128,501,1,0\n", "utf-8"),
    ],
)
def test_a_marker_is_read_however_its_line_is_written(tmp_path, line, encoding):
    path = with_marks(tmp_path, "[Marker Infos]\n" + line, encoding)
    markers = read_recording(path).markers
    assert [(m.label.strip(), m.t_s) for m in markers] == [("R128", 1.0)]


@pytest.mark.parametrize(
    "line", ["Mk2=Response,R128,251.5,1,0", "Mk2=Response,R128", "Mk2=R128,,x,1,0"]
)
def test_a_line_that_is_no_marker_is_not_passed_over(tmp_path, line):
    path = with_marks(tmp_path, f"[Marker Infos]\nMk1=Response,R128,51,1,0\n{line}\n")
    with pytest.raises(DataFileError, match=r"has the line 'Mk2=.*expected Mk1=KIND"):
        read_recording(path)


def test_a_marker_file_without_its_section_is_none(tmp_path):
    path = with_marks(tmp_path, "Mk1=Response,R128,51,1,0\n")
    with pytest.raises(DataFileError, match=r"is no marker file.*\[Marker Infos\]"):
        read_recording(path)


@pytest.mark.parametrize("step", ["0", "0.0", "nan", "x"])
def test_a_resolution_that_is_none_makes_no_samples(tmp_path, step):
    channels = [*lines()[:1], f"Cz,,{step},µV", *lines()[2:]]
    with pytest.raises(DataFileError, match=r"resolutions \{'Cz': .*other than 0"):
        read_recording(write_vhdr(tmp_path, channels=channels))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"binary": ["BinaryFormat=INT_16", "DataOffset=8"]}, "'DataOffset': '8'"),
        ({"binary": ["BinaryFormat=INT_16", "TrailerSize=2"]}, "'TrailerSize': '2'"),
        ({"binary": ["BinaryFormat=INT_16", "UseBigEndianOrder=TRUE"]}, "NO or YES"),
        ({"common": ["DataOrientation=VECTORISED"]}, "MULTIPLEXED or VECTORIZED"),
        ({"common": ["DataFormat=TEXT"]}, "BINARY or ASCII"),
    ],
)
def test_how_samples_lie_is_no_guess(tmp_path, given, told):
    with pytest.raises(DataFileError, match=told):
        read_recording(write_vhdr(tmp_path, **given))


def test_nothing_before_the_samples_is_no_offset(tmp_path):
    binary = ["BinaryFormat=INT_16", "DataOffset=0", "UseBigEndianOrder=no"]
    recording = read_recording(write_vhdr(tmp_path, binary=binary))
    np.testing.assert_allclose(recording.data_uv, SINE_UV, atol=0.06)


@pytest.mark.parametrize("n", [0, N - 100])
def test_more_samples_than_announced_are_not_called_truncated(tmp_path, n):
    common = ["DataFormat=BINARY", f"DataPoints={n}"]
    with pytest.raises(DataFileError, match=f"expected {n} samples.*its DataPoints"):
        read_recording(write_vhdr(tmp_path, common=common))
