"""The published NeuroBOLT layout, and the folders that those who use it again have."""

import pickle

import dataset_files as files
import numpy as np
import pytest

from rtbold.calibration.datasets.choices import Ground, NeuroBoltChoice, Reading
from rtbold.calibration.datasets.description import open_dataset
from rtbold.calibration.datasets.neurobolt import find_neurobolt
from rtbold.calibration.datasets.sources import load_scan
from rtbold.errors import AmbiguousStream, ConfigError, DataFileError

NAMES = ["sub01-scan01", "sub01-scan02", "sub02-scan01"]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Return a copy of the set as published."""
    return files.neurobolt(tmp_path_factory.mktemp("NeuroBOLT"))


def test_the_published_layout_is_found(published):
    found = open_dataset(published)
    assert found.layout == "neurobolt"
    assert [source.name for source in found.sources] == NAMES
    assert [source.session for source in found.sources] == ["01", "02", "01"]
    assert found.subjects == ("sub01", "sub02")  # two scans of one subject are hers
    assert found.left_out == ()


def test_a_scan_has_26_electrodes_64_rois_and_its_global_signal_apart(published):
    scan = load_scan(open_dataset(published).sources[0])
    values = files.bold(n_rois=66, seed=0)
    assert scan.report.channels == files.NEUROBOLT_EEG
    assert scan.report.left_out_channels == files.NEUROBOLT_OTHERS
    assert len(scan.rois) == 64
    assert scan.rois[-1] == "Heschl's gyrus"  # the apostrophe is a plain one
    np.testing.assert_array_equal(scan.alignment.bold, values[:, :64])
    np.testing.assert_array_equal(scan.global_signal, values[:, 64])  # the clean one
    assert scan.confounds == {}  # a global signal is no confound either
    assert scan.report.marker == "'R149'"
    assert scan.tr_s == 2.1
    assert not scan.simulated


def test_times_are_from_the_first_sample(published):
    scan = load_scan(open_dataset(published).sources[0])
    np.testing.assert_allclose(scan.recording.volume_onsets_s, files.onsets_s())
    assert scan.recording.eeg_uv.shape == (26, round(files.seconds() * 250))
    expected = files.eeg_uv(32, files.seconds(), 250.0, 0)[:26]
    np.testing.assert_allclose(scan.recording.eeg_uv, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("eeg", "bold", "ends"),
    [
        ("data/EEG", "data/fMRI_difumo64", "_difumo64_roi.pkl"),
        ("data/EEG", "data/fMRI_difumo_64", "_difumo_roi.pkl"),
        ("EEG", "fMRI", "_difumo64_roi.pkl"),
        ("data/eeg", "data/fmri_difumo", "_difumo_roi.pkl"),
        ("EEG", "data/fMRI_difumo", "_difumo64_roi.pkl"),
    ],
)
def test_folders_of_those_who_use_it_again(tmp_path, eeg, bold, ends):
    files.neurobolt(tmp_path, NAMES[:1], eeg=eeg, bold_folder=bold, ends=ends)
    found = open_dataset(tmp_path)
    assert found.layout == "neurobolt"
    assert load_scan(found.sources[0]).report.n_volumes == files.N_VOLUMES


def test_carbon_wires_are_no_electrodes(tmp_path):
    files.neurobolt(tmp_path, NAMES[:1], wires=True)
    report = load_scan(open_dataset(tmp_path).sources[0]).report
    assert report.channels == files.NEUROBOLT_EEG
    assert report.left_out_channels[-4:] == files.CARBON_WIRES


def test_another_marker_of_the_volume_is_found_by_its_interval(tmp_path):
    files.neurobolt(tmp_path, NAMES[:1], marker="Response/R128")
    assert load_scan(open_dataset(tmp_path).sources[0]).report.marker == (
        "'Response/R128'"
    )


def test_of_several_regular_markers_the_published_one_counts(tmp_path):
    beat = [("Sync On", 0.5 + 2.1 * k) for k in range(20)]
    files.neurobolt(tmp_path, NAMES[:1], others=beat)
    assert load_scan(open_dataset(tmp_path).sources[0]).report.marker == "'R149'"


def test_several_regular_markers_and_not_the_published_one_are_asked_about(tmp_path):
    beat = [("Sync On", 0.5 + 2.1 * k) for k in range(20)]
    files.neurobolt(tmp_path, NAMES[:1], others=beat, marker="V  1")
    with pytest.raises(AmbiguousStream, match=r"scan 'sub01-scan01' .* trigger "):
        load_scan(open_dataset(tmp_path).sources[0])


def test_what_makes_no_scan_is_listed_with_the_reason(tmp_path):
    files.neurobolt(tmp_path, NAMES)
    (tmp_path / "data/EEG/sub01-scan02_eeg.set").unlink()
    (tmp_path / "data/fMRI_difumo/sub02-scan01_difumo64_roi.pkl").unlink()
    found = open_dataset(tmp_path)
    assert [source.name for source in found.sources] == NAMES[:1]
    assert dict(found.left_out) == {
        "sub01-scan02": "it has BOLD and no EEG, expected sub01-scan02_eeg.set",
        "sub02-scan01": "it has EEG and no BOLD, expected "
        "sub02-scan01_difumo64_roi.pkl",
    }


def test_two_tables_of_one_scan_are_asked_about(tmp_path):
    files.neurobolt(tmp_path, NAMES[:2])
    files.neurobolt(tmp_path, NAMES[:1], bold_folder="data/fMRI")
    ((name, reason),) = open_dataset(tmp_path).left_out
    assert name == NAMES[0]
    assert "name a folder with bold" in reason
    (tmp_path / "dataset.toml").write_text('[neurobolt]\nbold = "data/fMRI"\n')
    assert [s.name for s in open_dataset(tmp_path).sources] == NAMES[:1]


def test_a_folder_that_is_not_there_is_told(tmp_path):
    files.neurobolt(tmp_path, NAMES[:1])
    ground = Ground(tmp_path, tmp_path, Reading())
    with pytest.raises(ConfigError, match=r"\[neurobolt\] names 'fmri'.*no folder"):
        find_neurobolt(ground, NeuroBoltChoice(bold="fmri"))
    ground = Ground(tmp_path / "data/fMRI_difumo", tmp_path, Reading())
    with pytest.raises(ConfigError, match=r"no EEG as NeuroBOLT publishes it"):
        find_neurobolt(ground)


class _Foreign:
    def __reduce__(self):
        return (print, ("a stranger's code runs",))


def test_a_pickle_with_foreign_types_is_refused_and_not_run(tmp_path, capsys):
    files.neurobolt(tmp_path, NAMES[:1])
    path = tmp_path / "data/fMRI_difumo/sub01-scan01_difumo64_roi.pkl"
    path.write_bytes(pickle.dumps(_Foreign()))
    with pytest.raises(
        DataFileError,
        match=r"scan 'sub01-scan01' \(sub01-scan01_eeg\.set and .*\.pkl\): .*refused: "
        r"it names builtins\.print.*Save the table as TSV",
    ):
        load_scan(open_dataset(tmp_path).sources[0])
    assert capsys.readouterr().out == ""


def test_more_and_fewer_markers_than_volumes_are_refused(tmp_path):
    files.neurobolt(tmp_path, NAMES[:1])
    folder = tmp_path / "data/fMRI_difumo"
    columns = [f"region {k}" for k in range(64)]
    table = folder / "sub01-scan01_difumo64_roi.pkl"
    for n, fix in ((18, "dummy_volumes = 2"), (22, "drop_last_volumes = 2")):
        files.write_pickle(table, columns, files.bold(n, 64))
        with pytest.raises(DataFileError, match=rf"triggers for 20 .* {n} rows.*{fix}"):
            load_scan(open_dataset(tmp_path).sources[0])
    (tmp_path / "dataset.toml").write_text(
        '[reading]\ndrop_last_volumes = 2\n[changes."sub01-scan01"]\nrois = '
        '["region 3"]\n'
    )
    scan = load_scan(open_dataset(tmp_path).sources[0])
    assert scan.rois == ("region 3",)
    np.testing.assert_array_equal(scan.alignment.bold[:, 0], files.bold(22, 64)[:20, 3])


def test_rois_with_missing_values_and_constant_ones_are_named_and_left_out(tmp_path):
    files.neurobolt(tmp_path, NAMES[:1])
    values = files.bold(n_rois=4)
    values[7, 1] = np.nan
    values[:, 2] = 3.0
    path = tmp_path / "data/fMRI_difumo/sub01-scan01_difumo64_roi.pkl"
    files.write_pickle(path, ["a", "b", "c", "global signal clean"], values)
    scan = load_scan(open_dataset(tmp_path).sources[0])
    assert scan.rois == ("a",)
    assert scan.report.left_out_rois == {
        "b": "has no finite number at 1 volumes (the first is volume 7, counted from "
        "0)",
        "c": "is constant (3)",
    }
    values[5, 0] = np.nan
    files.write_pickle(path, ["a", "b", "c", "global signal clean"], values)
    with pytest.raises(DataFileError, match=r"no usable ROI among 3: a has no finite"):
        load_scan(open_dataset(tmp_path).sources[0])


def test_a_volume_that_no_roi_has_is_one_without_bold(tmp_path):
    files.neurobolt(tmp_path, NAMES[:1])
    values = files.bold(n_rois=66)
    values[7] = np.nan
    path = tmp_path / "data/fMRI_difumo/sub01-scan01_difumo64_roi.pkl"
    columns = [*(f"region {k}" for k in range(64)), "global signal clean", "x"]
    files.write_pickle(path, columns, values)
    scan = load_scan(open_dataset(tmp_path).sources[0])
    np.testing.assert_array_equal(scan.alignment.bold[:, :64], values[:, :64])
    np.testing.assert_array_equal(scan.global_signal, values[:, 64])
    assert scan.report.n_without_row == 1
    values[1:] = np.nan
    files.write_pickle(path, columns, values)
    with pytest.raises(DataFileError, match=r"has no value in 19 of 20 rows"):
        load_scan(open_dataset(tmp_path).sources[0])


def test_eeg_without_markers_and_of_the_wrong_unit_is_refused(tmp_path):
    files.neurobolt(tmp_path, NAMES[:1])
    labels = files.NEUROBOLT_EEG
    data = files.eeg_uv(26, files.seconds(), 250.0)
    path = tmp_path / "data/EEG/sub01-scan01_eeg.set"
    files.write_set(path, labels, data)
    with pytest.raises(DataFileError, match=r"the EEG holds no markers.*trigger_chan"):
        load_scan(open_dataset(tmp_path).sources[0])
    files.write_set(path, labels, data * 1e-6, markers=files.volumes("R149"))
    with pytest.raises(DataFileError, match=r"sub01-scan01_eeg\.set has a median ampl"):
        load_scan(open_dataset(tmp_path).sources[0])
