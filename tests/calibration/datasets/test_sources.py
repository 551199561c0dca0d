"""Loading one scan: what its errors name, and how times are counted."""

from pathlib import Path

import dataset_files as files
import numpy as np
import pytest

from rtbold.calibration.datasets.sources import (
    ScanSource,
    from_first_sample,
    in_keys,
    load_scan,
)
from rtbold.calibration.inputs.eeg import EegRecording
from rtbold.errors import DataFileError, RtboldError
from rtbold.files import Recording
from rtbold.messages import Channel


def pair(tmp_path, *, n=files.N_VOLUMES, **changes):
    """Return a scan of two files."""
    eeg = files.write_vhdr(
        tmp_path / "e.vhdr", files.FEW, files.eeg_uv(4, files.seconds(), 250.0),
        markers=files.responses(),
    )  # fmt: skip
    bold = files.write_tsv(tmp_path / "b.tsv", files.PLAIN_ROIS, files.bold(n))
    return ScanSource(name="s", subject="S", eeg=eeg, bold=bold, **changes)


@pytest.mark.parametrize(
    ("message", "keys"),
    [
        ("say --dummy-volumes 3;", "say dummy_volumes = 3;"),
        ("are right: --tr 2.1.", "are right: tr_s = 2.1."),
        ("with --roi, or export", "with rois, or export"),
        ("--run NUMBER", "trigger_run NUMBER"),
        ("a - b, sub-01 --", "a - b, sub-01 --"),
    ],
)
def test_options_of_calibrate_become_keys(message, keys):
    assert in_keys(message) == keys


def test_every_error_names_the_scan_and_its_files(tmp_path):
    source = pair(tmp_path, n=18)
    with pytest.raises(
        DataFileError, match=r"^scan 's' \(e\.vhdr and b\.tsv\): .*dummy_volumes = 2"
    ):
        load_scan(source)
    source.bold.unlink()
    with pytest.raises(DataFileError, match=r"scan 's' .*there is no file"):
        load_scan(source)
    with pytest.raises(DataFileError, match=r"scan 's' \(simulated\): it names no EEG"):
        load_scan(ScanSource(name="s", subject="S"))


def test_errors_keep_their_kind(tmp_path):
    source = pair(tmp_path, trigger_channel="TRIG")
    with pytest.raises(RtboldError, match=r"scan 's' .*TRIG") as told:
        load_scan(source)
    assert told.type.__name__ == "StreamMismatch"


def test_rois_that_are_asked_for_are_not_left_out(tmp_path):
    source = pair(tmp_path, rois=("Putamen",))
    assert load_scan(source).rois == ("Putamen",)
    values = files.bold()
    values[3, 1] = np.nan
    files.write_tsv(source.bold, files.PLAIN_ROIS, values)
    with pytest.raises(DataFileError, match=r"no finite number for 'Putamen'"):
        load_scan(source)


def test_missed_markers_leave_volumes_without_a_time(tmp_path):
    source = pair(tmp_path)
    kept = [m for k, m in enumerate(files.responses()) if k not in (6, 10, 11, 12)]
    files.write_vhdr(
        source.eeg, files.FEW, files.eeg_uv(4, files.seconds(), 250.0), markers=kept
    )
    scan = load_scan(source)
    report = scan.report
    assert (report.n_volumes, report.n_markers) == (20, 16)
    assert report.n_filled + report.n_missed == 4
    onsets_s = scan.recording.volume_onsets_s
    held = np.isfinite(onsets_s)
    np.testing.assert_allclose(onsets_s[held], files.onsets_s()[held], atol=1e-3)
    np.testing.assert_allclose(scan.recording.bold, files.bold())


def test_a_drifting_clock_is_counted_in_samples():
    """An amplifier of 250.05 Hz that says 250: what counts is which sample it was."""
    n = 10_000
    stamps_s = 100.0 + np.arange(n) / 250.05
    recording = Recording(
        np.zeros((1, n), np.float32), 250.0, (Channel("Cz", "uV"),), stamps_s=stamps_s
    )
    eeg = EegRecording(Path("e.xdf"), recording, ())
    found = from_first_sample(eeg, np.array([stamps_s[0], stamps_s[5000], np.nan]))
    np.testing.assert_allclose(found, [0.0, 20.0, np.nan], atol=1e-9)
