"""Data sets in their published layouts, prepared by the command as a page prints it."""

import dataset_files as files
import numpy as np
import pytest

from rtbold import cli
from rtbold.calibration.datasets.cache import open_cache
from rtbold.calibration.datasets.sources import load_scan
from rtbold.calibration.datasets.splits import split_of

CAP = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "Cz", "Oz", "ECG")


def run(capsys, *words):
    code = cli.main(["prepare", *map(str, words)])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_published_layout_by_the_published_chain(tmp_path, capsys):
    root = files.neurobolt(tmp_path / "nb", ("sub01-scan01", "sub01-scan02"))
    code, out, err = run(
        capsys, root, "--out", tmp_path / "c", "--conditioning", "published-within"
    )
    assert code == 0, err
    assert out.count("\tprepared\t20 volumes, 20 markers, 0 missed, 13 windows") == 2
    cache = open_cache(tmp_path / "c")
    assert cache.settings.channels == files.NEUROBOLT_EEG
    assert cache.card().reference == "FCZ"
    assert cache.subjects == ("sub01",)
    first, _ = cache.scans
    assert len(first.rois) == 64
    assert "Heschl's gyrus" in first.rois
    assert not first.simulated
    assert first.report.global_signal == "of the data set"
    assert first.scaling.method == "p95"
    assert first.scaling_gsr.confound_names == ("global signal",)
    # The windows are what lies before the volume in the file, resampled
    raw_uv = files.eeg_uv(32, files.seconds(), 250.0, 0)[:26]
    end = round(250 * files.onsets_s()[first.volume[3]])
    window = first.scan.windows_uv([3])[0]
    assert 0.9 < window.std() / (raw_uv[:, end - 4000 : end].std() * 0.8**0.5) < 1.1


def test_images_with_an_atlas_by_the_live_chain(tmp_path, capsys):
    root = tmp_path / "study"
    files.bids_top(root)
    for k in (1, 2, 3):
        files.bids_scan(root, f"sub-0{k}_task-rest", labels=CAP, n=30, seed=k)
    atlas = files.write_atlas(tmp_path / "atlas.nii.gz")
    code, out, err = run(capsys, root, "--out", tmp_path / "c", "--atlas", atlas)
    assert code == 0, err
    assert "3 prepared" in out
    cache = open_cache(tmp_path / "c")
    assert cache.rois == files.PLAIN_ROIS
    assert cache.settings.atlas == "atlas.nii.gz"
    assert cache.settings.channels == tuple(name.upper() for name in CAP[:-1])
    split = split_of(cache, "leave-one-subject-out", fold=1)
    assert list(split.test.open("a test")) == ["sub-02_task-rest"]


def test_fmriprep_confounds_are_regressed_out(tmp_path, capsys):
    root = tmp_path / "study"
    files.bids_top(root)
    files.bids_scan(root, labels=CAP, n=40)
    files.fmriprep_confounds(root, "sub-01_task-rest", n=40)
    atlas = files.write_atlas(tmp_path / "atlas.nii.gz")
    words = (root, "--atlas", atlas, "--confounds", "trans_*,csf")
    code, out, err = run(capsys, *words, "--out", tmp_path / "c")
    assert code == 0, err
    (scan,) = open_cache(tmp_path / "c").scans
    assert set(scan.report.regressed) == {"csf", "trans_x"}
    assert scan.report.global_signal == "of the data set"
    assert "global signal: of the data set" in out


def test_a_scan_without_markers_is_left_out_with_the_reason(tmp_path, capsys):
    root = tmp_path / "study"
    files.bids_top(root)
    files.bids_scan(root, "sub-01_task-rest", labels=CAP, markers=())
    files.bids_scan(root, "sub-02_task-rest", labels=CAP)
    atlas = files.write_atlas(tmp_path / "atlas.nii.gz")
    words = (root, "--atlas", atlas, "--out", tmp_path / "c")
    code, _, err = run(capsys, *words)
    assert code != 0
    assert "sub-01_task-rest" in err
    assert "marker" in err
    assert "--skip-bad" in err
    code, out, err = run(capsys, *words, "--skip-bad")
    assert code == 0, err
    assert "sub-01_task-rest\tleft out\t" in out
    code, out, _ = run(capsys, *words, "--list")
    assert "1\t01\t1\tsub-01_task-rest\tleft out\t" in out
    assert "2\t02\t1\tsub-02_task-rest\tprepared" in out


@pytest.mark.parametrize("harm", ["volumes", "tr"])
def test_scans_that_do_not_fit_their_bold_are_left_out(tmp_path, capsys, harm):
    root = tmp_path / "study"
    files.bids_top(root)
    files.bids_scan(root, "sub-01_task-rest", labels=CAP)
    markers = (
        files.responses(n=files.N_VOLUMES + 3)
        if harm == "volumes"
        else files.responses(tr_s=1.9)
    )
    files.bids_scan(root, "sub-02_task-rest", labels=CAP, markers=markers)
    atlas = files.write_atlas(tmp_path / "atlas.nii.gz")
    words = (root, "--atlas", atlas, "--out", tmp_path / "c", "--skip-bad")
    code, _, err = run(capsys, *words)
    assert code == 0, err
    (left,) = open_cache(tmp_path / "c").left_out
    assert left.name == "sub-02_task-rest"
    assert "sub-02_task-rest" in left.reason


def test_a_scan_reads_the_same_from_the_cache_and_from_its_files(tmp_path, capsys):
    from rtbold.calibration.datasets.description import open_dataset
    from rtbold.calibration.inputs.windows import scan_of

    root = tmp_path / "study"
    files.bids_top(root)
    files.bids_scan(root, labels=CAP, n=30)
    atlas = files.write_atlas(tmp_path / "atlas.nii.gz")
    assert run(capsys, root, "--out", tmp_path / "c", "--atlas", atlas)[0] == 0
    cache = open_cache(tmp_path / "c")
    (source,) = open_dataset(root, atlas=atlas).sources
    loaded = load_scan(source)
    calibration = scan_of(loaded.eeg, loaded.alignment, cache.card())
    (scan,) = cache.scans
    np.testing.assert_array_equal(scan.scan.windows_uv(), calibration.windows)
    np.testing.assert_array_equal(scan.volume, calibration.volume)
