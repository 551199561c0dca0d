"""Recordings of rtbold's own sessions that had measured BOLD."""

import json

import dataset_files as files
import numpy as np
import pytest
from recorded_session import SETTINGS, describe, write_session

from rtbold.calibration.datasets.description import open_dataset
from rtbold.calibration.datasets.sources import load_scan
from rtbold.errors import ConfigError, DataFileError
from rtbold.messages import MeasuredVolume, StreamChanged

NAME = "sub-S01_ses-02_task-nf_run-01"


def folder_of(root, name=NAME):
    return root / "sub-S01" / "ses-02" / "eeg"


def session(root, *, events=(), name=NAME, **settings):
    """Write the folder of a run: XDF and event log; return it."""
    run = {**SETTINGS["run"], **settings}
    place = folder_of(root)
    place.mkdir(parents=True, exist_ok=True)
    first = StreamChanged(describe(name="amp"))
    folder = write_session(
        place, [first, *events], name=name, settings={**SETTINGS, "run": run}
    )
    files.xdf_scan(folder / f"{name}_eeg.xdf", streams=())
    return folder


def measured(numbers, values, onsets=None):
    return [
        MeasuredVolume(number, files.PLAIN_ROIS, tuple(row), 100.0,
                       None if onsets is None else onsets[k])
        for k, (number, row) in enumerate(zip(numbers, values, strict=True))
    ]  # fmt: skip


def test_the_scan_of_a_calibration_has_its_table_beside_it(tmp_path):
    folder = session(tmp_path)
    numbers, values = np.arange(2, 18), files.bold(16)
    files.write_tsv(
        folder / f"{NAME}_bold.tsv", ("volume", *files.PLAIN_ROIS),
        np.column_stack([numbers, values]),
    )  # fmt: skip
    found = open_dataset(tmp_path)
    assert found.layout == "sessions"
    (source,) = found.sources
    assert (source.name, source.subject, source.session) == (NAME, "S01", "02")
    scan = load_scan(source)
    # Rows say which volume they are: the first is of the third trigger
    np.testing.assert_allclose(
        scan.recording.volume_onsets_s, files.onsets_s()[2:18], atol=1e-6
    )
    np.testing.assert_allclose(scan.alignment.bold, values)


def test_dummy_volumes_come_before_volume_0(tmp_path):
    folder = session(tmp_path)
    files.write_tsv(
        folder / f"{NAME}_bold.tsv", ("volume", *files.PLAIN_ROIS),
        np.column_stack([np.arange(16), files.bold(16)]),
    )  # fmt: skip
    (tmp_path / "dataset.toml").write_text("[reading]\ndummy_volumes = 3\n")
    scan = load_scan(open_dataset(tmp_path).sources[0])
    assert scan.recording.volume_onsets_s[0] == pytest.approx(files.onsets_s()[3])


def test_a_runs_truth_is_in_its_log_as_its_source_counts(tmp_path):
    values = files.bold(12)
    # The source counts from 1; volume 4 was not sent
    numbers = [1, 2, 3, 5, *range(6, 14)]
    session(tmp_path, events=measured(numbers, values), truth_first=1)
    scan = load_scan(open_dataset(tmp_path).sources[0])
    held = np.isfinite(scan.alignment.bold).all(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(~held), [3])
    np.testing.assert_allclose(scan.alignment.bold[held], values)
    np.testing.assert_allclose(
        scan.recording.volume_onsets_s, files.onsets_s()[:13], atol=1e-6
    )


def test_volumes_that_lack_an_roi_or_came_twice_are_told(tmp_path):
    values = [list(row) for row in files.bold(12)]
    values[4][1] = None
    numbers = [*range(7), 6, *range(8, 12)]
    session(tmp_path, events=measured(numbers, values))
    scan = load_scan(open_dataset(tmp_path).sources[0])
    assert any("2 measured volumes lack an ROI" in n for n in scan.report.notes)
    held = np.isfinite(scan.alignment.bold).all(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(~held), [4, 7])


def test_a_run_without_measured_bold_is_left_out(tmp_path):
    session(tmp_path)
    other = NAME.replace("run-01", "run-02")
    session(tmp_path, events=measured(range(12), files.bold(12)), name=other)
    found = open_dataset(tmp_path)
    assert [source.name for source in found.sources] == [other]
    ((name, reason),) = found.left_out
    assert name == NAME
    assert "measured no BOLD" in reason


def test_a_recording_in_parts_is_left_out(tmp_path):
    folder = session(tmp_path, events=measured(range(12), files.bold(12)))
    files.xdf_scan(folder / f"{NAME}_eeg_part-02.xdf", streams=())
    with pytest.raises(ConfigError, match=r"has 2 XDFs, expected one"):
        open_dataset(tmp_path)


def test_numbers_of_another_run_are_refused(tmp_path):
    session(tmp_path, events=measured(range(200, 212), files.bold(12)))
    with pytest.raises(DataFileError, match=r"numbers its rows from 200 to 211.*20 v"):
        load_scan(open_dataset(tmp_path).sources[0])


def test_settings_that_cannot_be_read_leave_the_run_out(tmp_path):
    folder = session(tmp_path, events=measured(range(12), files.bold(12)))
    (folder / "settings.json").write_text(json.dumps({"version": 99}))
    with pytest.raises(ConfigError, match=r"is of version 99"):
        open_dataset(tmp_path)
