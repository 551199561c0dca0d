import numpy as np
import pytest
import xdf_writer

from rtbold.errors import DataFileError, StreamMismatch
from rtbold.files.read import read_recording
from rtbold.files.xdf import walk
from rtbold.messages import ClockOffset

write_xdf = xdf_writer.write_xdf

N, RATE_HZ = 500, 250.0
RNG = np.random.default_rng(3)
VALUES = RNG.normal(0, 30, (N, 3)).astype("f4")
STAMPS = 1000.0 + np.arange(N) / RATE_HZ


def eeg(**changes):
    made = {
        "name": "amp", "type": "EEG", "rate": RATE_HZ, "unit": "microvolts",
        "labels": ["Fp1", "Cz", "ECG"], "values": VALUES, "stamps": STAMPS,
        "offsets": [(1000.0, 0.5), (1002.0, 0.5)],
        "desc": "<reference><label>FCz</label></reference>",
    }  # fmt: skip
    return {**made, **changes}


def markers(**changes):
    made = {
        "name": "scanner", "type": "Markers", "rate": 0, "values": ["R128", "R128"],
        "stamps": np.array([2000.1, 2001.1]), "offsets": [(2000.0, -999.5)],
    }  # fmt: skip
    return {**made, **changes}


def test_reads_samples_stamps_and_offsets_as_they_are(tmp_path):
    write_xdf(tmp_path / "a.xdf", [eeg(), markers()])
    recording = read_recording(tmp_path / "a.xdf")
    np.testing.assert_array_equal(recording.data_uv, VALUES.T)
    np.testing.assert_array_equal(recording.stamps_s, STAMPS)
    assert recording.clock_offsets == (
        ClockOffset(0.5, 1000.5), ClockOffset(0.5, 1002.5),
    )  # fmt: skip
    assert recording.reference == "FCz"
    assert [c.kind for c in recording.channels] == ["eeg", "eeg", "ecg"]
    assert {c.unit for c in recording.channels} == {"uV"}
    assert not recording.simulated
    assert recording.notes == ()


def test_markers_are_placed_by_both_clock_offsets(tmp_path):
    write_xdf(tmp_path / "a.xdf", [eeg(), markers()])
    found = read_recording(tmp_path / "a.xdf").markers
    # 2000.1 - 999.5 on the recorder's clock, where the first sample is at 1000.5
    assert [(m.label, m.stream) for m in found] == [("R128", "scanner")] * 2
    np.testing.assert_allclose([m.t_s for m in found], [0.1, 1.1], atol=1e-9)
    np.testing.assert_allclose([m.t_lsl_s for m in found], [1000.6, 1001.6])


def test_integer_markers_are_labels(tmp_path):
    codes = markers(values=np.array([[128], [3]], "i4"))
    write_xdf(tmp_path / "a.xdf", [eeg(), codes])
    found = read_recording(tmp_path / "a.xdf").markers
    assert [m.label for m in found] == ["128", "3"]


def test_volts_are_converted_as_the_inlet_does(tmp_path):
    write_xdf(tmp_path / "a.xdf", [eeg(unit="V", values=VALUES * np.float32(1e-6))])
    recording = read_recording(tmp_path / "a.xdf")
    raw = (VALUES * np.float32(1e-6)).T
    expected = np.empty(raw.shape, np.float32)
    np.multiply(raw, np.full((3, 1), 1e6), out=expected, casting="same_kind")
    np.testing.assert_array_equal(recording.data_uv, expected)


def test_an_unknown_unit_asks(tmp_path):
    write_xdf(tmp_path / "a.xdf", [eeg(unit="FIFFB_ISOTRAK")])
    with pytest.raises(StreamMismatch, match="--unit"):
        read_recording(tmp_path / "a.xdf")
    assert read_recording(tmp_path / "a.xdf", unit="V").data_uv[0, 0] == pytest.approx(
        VALUES[0, 0] * 1e6
    )


def test_a_simulated_stream_stays_simulated(tmp_path):
    desc = "<rtbold><simulated>true</simulated></rtbold>"
    write_xdf(tmp_path / "a.xdf", [eeg(desc=desc)])
    assert read_recording(tmp_path / "a.xdf").simulated


def test_two_eeg_streams_ask_which(tmp_path):
    write_xdf(tmp_path / "a.xdf", [eeg(), eeg(name="amp-raw", values=VALUES + 1)])
    with pytest.raises(DataFileError, match=r"(?s)2 regular .*'amp-raw'.*--stream"):
        read_recording(tmp_path / "a.xdf")
    chosen = read_recording(tmp_path / "a.xdf", stream="amp-raw")
    np.testing.assert_array_equal(chosen.data_uv, (VALUES + 1).T)


def test_no_eeg_stream_lists_what_is_there(tmp_path):
    write_xdf(tmp_path / "a.xdf", [eeg(type="Audio"), markers()])
    with pytest.raises(DataFileError, match=r"(?s)0 regular .*type 'Audio'"):
        read_recording(tmp_path / "a.xdf")


def test_a_file_without_streams(tmp_path):
    write_xdf(tmp_path / "a.xdf", [])
    with pytest.raises(DataFileError, match="no stream"):
        read_recording(tmp_path / "a.xdf")


def test_a_stream_without_samples(tmp_path):
    write_xdf(tmp_path / "a.xdf", [eeg(values=VALUES[:0], stamps=STAMPS[:0])])
    with pytest.raises(DataFileError, match="no samples"):
        read_recording(tmp_path / "a.xdf")


def test_a_file_that_is_no_xdf(tmp_path):
    (tmp_path / "a.xdf").write_text("nothing of the kind")
    with pytest.raises(DataFileError, match="is no XDF"):
        read_recording(tmp_path / "a.xdf")


def test_a_gap_in_the_stamps_is_told(tmp_path):
    stamps = STAMPS + np.where(np.arange(N) >= 250, 3.0, 0.0)
    write_xdf(tmp_path / "a.xdf", [eeg(stamps=stamps)])
    (note,) = read_recording(tmp_path / "a.xdf").notes
    assert "1 gaps or steps" in note
    assert "3.004 s" in note


@pytest.mark.parametrize("n_cut", [1, 5, 13, 100, 500, 1234])
def test_wherever_the_file_breaks_off_no_sample_is_invented(tmp_path, n_cut):
    path = tmp_path / "a.xdf"
    write_xdf(path, [eeg(offsets=[])], footers=False)
    path.write_bytes(path.read_bytes()[:-n_cut])
    recording = read_recording(path)
    n = recording.data_uv.shape[1]
    assert n > N // 2
    assert n % 25 == 0  # whole chunks only
    np.testing.assert_array_equal(recording.data_uv, VALUES[:n].T)
    assert "breaks off" in recording.notes[0]


def test_a_damaged_chunk_ends_the_readable_part(tmp_path):
    path = tmp_path / "a.xdf"
    write_xdf(path, [eeg(offsets=[])])
    content = bytearray(path.read_bytes())
    tenth = xdf_writer.chunk(3, xdf_writer.samples(1, eeg(), 250, 275))
    start = content.index(tenth)
    content[start : start + 20] = bytes([0xEE]) * 20
    path.write_bytes(content)
    recording = read_recording(path)
    np.testing.assert_array_equal(recording.data_uv, VALUES[:250].T)
    assert "breaks off" in recording.notes[0]


def test_a_damaged_sample_count_is_an_error(tmp_path):
    path = tmp_path / "a.xdf"
    write_xdf(path, [eeg(offsets=[])])
    content = bytearray(path.read_bytes())
    start = content.index(xdf_writer.chunk(3, xdf_writer.samples(1, eeg(), 250, 275)))
    content[start + 11] = 77  # the width of the number of samples
    path.write_bytes(content)
    with pytest.raises(DataFileError, match="damaged"):
        read_recording(path)


def test_walk_counts_footers(tmp_path):
    write_xdf(tmp_path / "a.xdf", [eeg(), markers()])
    chunks = walk(tmp_path / "a.xdf")
    assert chunks.whole
    assert chunks.n_footers == 2
    assert set(chunks.stream_xml) == {1, 2}
