"""XDF files with EEG, markers and a stream of measured ROIs."""

import dataset_files as files
import numpy as np
import pytest

from rtbold.calibration.datasets.description import open_dataset
from rtbold.calibration.datasets.sources import load_scan
from rtbold.errors import ConfigError, DataFileError

NAME = "sub-P01_ses-S002_task-rest_run-001"


def described(root, text):
    (root / "dataset.toml").write_text(f'layout = "xdf"\n{text}')
    return open_dataset(root)


def test_names_of_labrecorder_say_whose_a_file_is(tmp_path):
    files.xdf_scan(tmp_path / f"sub-P01/ses-S002/eeg/{NAME}_eeg.xdf")
    found = open_dataset(tmp_path)
    assert found.layout == "xdf"
    (source,) = found.sources
    assert (source.name, source.subject, source.session) == (NAME, "P01", "S002")


def test_eeg_and_rois_are_on_one_clock(tmp_path):
    files.xdf_scan(tmp_path / f"{NAME}_eeg.xdf")
    scan = load_scan(open_dataset(tmp_path).sources[0])
    assert scan.rois == files.PLAIN_ROIS
    np.testing.assert_allclose(scan.alignment.bold, files.bold())
    np.testing.assert_allclose(
        scan.recording.volume_onsets_s, files.onsets_s(), atol=1e-6
    )
    assert scan.report.left_out_channels == ("ECG",)


def test_other_names_need_a_pattern(tmp_path):
    files.xdf_scan(tmp_path / "anna/day2/rest.xdf")
    files.xdf_scan(tmp_path / "bert/day1/rest.xdf")
    with pytest.raises(ConfigError, match=r"says no subject.*\(\?P<subject>"):
        open_dataset(tmp_path)
    pattern = '[xdf]\nsubject = "^(?P<subject>[^/]+)/"\n'
    found = described(tmp_path, pattern + 'session = "day(?P<session>.)"\n')
    assert [(s.subject, s.session) for s in found.sources] == [
        ("anna", "2"), ("bert", "1"),
    ]  # fmt: skip
    assert [s.name for s in found.sources] == ["anna_day2_rest", "bert_day1_rest"]
    with pytest.raises(ConfigError, match=r"expected a group \(\?P<subject>"):
        described(tmp_path, '[xdf]\nsubject = ".*"\n')
    with pytest.raises(ConfigError, match=r"no regular expression"):
        described(tmp_path, '[xdf]\nsubject = "("\n')


def test_of_two_streams_of_rois_one_is_named(tmp_path):
    files.xdf_scan(tmp_path / f"{NAME}.xdf", streams=("raw", "clean"))
    with pytest.raises(DataFileError, match=r"holds 2 streams of type 'BOLD'"):
        load_scan(open_dataset(tmp_path).sources[0])
    (source,) = described(tmp_path, '[xdf]\nbold_stream = "clean"\n').sources
    assert load_scan(source).report.n_volumes == files.N_VOLUMES


def test_an_xdf_without_rois_is_refused_by_its_name(tmp_path):
    files.xdf_scan(tmp_path / f"{NAME}.xdf", streams=())
    with pytest.raises(DataFileError, match=rf"scan '{NAME}'.*holds 0 streams of type"):
        load_scan(open_dataset(tmp_path).sources[0])


def test_a_gap_in_the_stamps_is_no_counted_recording(tmp_path):
    files.xdf_scan(tmp_path / f"{NAME}.xdf", gap_s=1.5)
    scan = load_scan(open_dataset(tmp_path).sources[0])
    with pytest.raises(DataFileError, match=r"1 gaps \(the first of 1\.504 s"):
        assert scan.recording


def test_a_folder_without_xdf_is_told(tmp_path):
    for pattern in ("/etc/*", ""):
        with pytest.raises(ConfigError, match=r"files is .*no pattern of files"):
            described(tmp_path, f'[xdf]\nfiles = "{pattern}"\n')
    with pytest.raises(ConfigError, match=r"holds no file that fits"):
        described(tmp_path, "")
