"""What is refused before anything slow is imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from rtbold.bundle.card import Cleaning
from rtbold.calibration.beforehand import (
    check_paths,
    check_target,
    target_of,
    with_target,
)
from rtbold.calibration.declaration import told_target
from rtbold.calibration.inputs.bold_paths import check_bold_path, split_part
from rtbold.calibration.settings import CalibrationSettings, ScanFiles
from rtbold.errors import ConfigError, DataFileError

SLOW = {"torch", "scipy", "mne", "numpy", "nilearn", "h5py", "pandas", "matplotlib"}


def imported(*words):
    """Return the slow packages that a refused command imported, and what it said."""
    code = (
        "import sys; from rtbold.cli import main; code = main(sys.argv[1:]); "
        f"print(code, sorted({SLOW!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return done.stdout.strip(), done.stderr


@pytest.fixture
def files(tmp_path):
    (tmp_path / "s.vhdr").write_text("x", encoding="utf-8")
    rows = "\n".join(f"{k % 3 - 1}\t{k * k % 5 - 2}" for k in range(9))
    (tmp_path / "s.tsv").write_text(f"Putamen\tCuneus\n{rows}\n", encoding="utf-8")
    return tmp_path


def calibrate(folder, *more, eeg="s.vhdr", bold="s.tsv"):
    return imported(
        "calibrate", "--subject", "S01", "--cleaning", "none",
        "--root", folder / "root",
        "--eeg", folder / eeg, "--bold", folder / bold, *more,
    )  # fmt: skip


def test_a_misspelt_option_or_a_missing_file_imports_nothing_slow(files):
    for more, said in (
        ({"eeg": "gone.xdf"}, "there is no file"),
        ({"bold": "gone.tsv"}, "there is no file"),
    ):
        answer, told = calibrate(files, **more)
        assert answer == "1 []"
        assert said in told
    answer, told = calibrate(files, "--subjct", "S02")
    assert answer == "2 []"
    assert "--subjct" in told
    answer, told = calibrate(files, "--confounds", files / "gone.tsv")
    assert answer == "1 []"
    assert "gone.tsv" in told


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--strategy", "hed"), "--strategy is 'hed'"),
        (("--tr", "2100"), "2100 looks like milliseconds"),
        (("--cleaning", "RecView"), "--cleaning is"),
        (("--horizon", "9"), "--horizon is"),
        ((), "no target was given, and s.tsv has 2 ROIs: Putamen, Cuneus"),
        (("--target", "Putaman"), "Did you mean 'Putamen'?"),
        (("--target", "Putamen - 0.5*Cunes"), "Did you mean 'Cuneus'?"),
        (("--target", "Putamen -"), "ends where a name should stand"),
        (("--roi", "cuneu"), "Did you mean 'Cuneus'?"),
        (("--contrast", "Putamn=1", "--target", "x"), "Did you mean 'Putamen'?"),
    ],
)
def test_wrong_values_need_neither_torch_nor_scipy_nor_mne(files, more, said):
    answer, told = calibrate(files, *more)
    assert said in " ".join(told.split())
    assert answer.split(" ", 1)[1] in ("[]", "['numpy']")


def test_one_roi_needs_no_target(files):
    (files / "s.tsv").write_text(
        "Putamen\n" + "\n".join(map(str, [1, 3, 2, 5, 4])), encoding="utf-8"
    )
    _, told = calibrate(files)
    assert "target" not in told


def test_parts_of_files_are_cut_off():
    assert split_part("a/b.mat:roi")[1] == "roi"
    assert split_part("C:\\x\\b.tsv")[1] is None
    assert split_part("C:\\x\\b.xdf:Bold 1")[1] == "Bold 1"


def test_paths_are_looked_at_in_the_order_of_reading(tmp_path):
    for name in ("e.xdf", "b.nii.gz", "a.nii.gz", "b.docx"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    eeg, bold = tmp_path / "e.xdf", str(tmp_path / "b.nii.gz")
    with pytest.raises(ConfigError, match="--atlas FILE"):
        check_paths(eeg, bold)
    with pytest.raises(DataFileError, match=r"no file .*gone.nii.*NIfTI"):
        check_paths(eeg, bold, atlas=tmp_path / "gone.nii")
    check_paths(eeg, bold, atlas=tmp_path / "a.nii.gz", others=[eeg])
    with pytest.raises(DataFileError, match=r"no file .*other.edf"):
        check_paths(
            eeg, bold, atlas=tmp_path / "a.nii.gz", others=[tmp_path / "other.edf"]
        )
    with pytest.raises(DataFileError, match=r"ends in '.docx'"):
        check_bold_path(tmp_path / "b.docx")


@pytest.mark.parametrize(
    ("target", "name", "contrast"),
    [
        ("Putamen", "Putamen", {}),
        ("1*Putamen", "Putamen", {}),
        ("Putamen-0.5*Cuneus", "Putamen - 0.5*Cuneus", {"Putamen": 1, "Cuneus": -0.5}),
        ("Global", "Global", {"Putamen": 0.5, "Cuneus": 0.5}),
        ("Putaman", "Putaman", {}),  # `check_target` refuses it
    ],
)
def test_a_target_that_is_written_out_becomes_a_contrast(target, name, contrast):
    settings = CalibrationSettings(
        subject="S01", scan=ScanFiles(eeg=Path("e.xdf"), bold="b.tsv"),
        cleaning=Cleaning(mode="none"), root=Path(), target=target,
    )  # fmt: skip
    found = with_target(settings, "b.tsv", ("Putamen", "Cuneus"))
    assert (found.target, dict(found.contrast)) == (name, contrast)


ALL_BUT = {"a": 1.0, "b": -0.5, "c": -0.5}


@pytest.mark.parametrize(
    ("target", "contrast"),
    [
        ("a - b", {"a": 1, "others": -1}),
        ("anything", {"a": 1.0, "b": -0.5, "c": -0.5}),
        ("1.5*a - 1.5*Global", {}),
    ],
)
def test_one_target_is_one_however_it_was_written(target, contrast):
    name, weights = target_of(target, contrast, ("a", "b", "c"), of="there are")
    assert weights == pytest.approx(ALL_BUT)
    assert told_target(name, weights) == "a=1 b=-0.5 c=-0.5"
    again = target_of(name, weights, ("a", "b", "c"), of="there are")
    assert again == (name, weights)


def test_others_that_are_none_are_refused_as_any_other_name():
    settings = CalibrationSettings(
        subject="S01", scan=ScanFiles(eeg=Path("e.xdf"), bold="b.tsv"),
        cleaning=Cleaning(mode="none"), root=Path(), target="x",
        contrast={"Putamen": 1.0, "Cuneus": 1.0, "others": -1.0},
    )  # fmt: skip
    rois = ("Putamen", "Cuneus")
    with pytest.raises(ConfigError, match="needs others, but the BOLD has Putamen"):
        check_target(with_target(settings, "b.tsv", rois), "b.tsv", rois)
