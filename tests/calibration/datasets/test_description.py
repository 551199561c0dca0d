"""A data set in one TOML, and folders whose layout is found."""

import subprocess
import sys

import dataset_files as files
import pytest

from rtbold.calibration.datasets.description import open_dataset
from rtbold.errors import ConfigError


def test_nothing_slow_is_imported():
    code = (
        "import sys, rtbold.calibration.datasets.description; print([m for m in "
        "('torch', 'openvino', 'PyQt6', 'pylsl', 'matplotlib', 'nibabel', 'openpyxl')"
        " if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_what_is_not_there_or_fits_no_layout_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"there is nothing at"):
        open_dataset(tmp_path / "none")
    with pytest.raises(ConfigError, match=r"no layout fits .*neurobolt, bids, xdf"):
        open_dataset(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(ConfigError, match=r"a\.txt is a file, expected a folder"):
        open_dataset(tmp_path / "a.txt")


def test_a_folder_of_two_layouts_needs_a_word(tmp_path):
    files.neurobolt(tmp_path, ["sub01-scan01"])
    files.bids_scan(tmp_path)
    with pytest.raises(ConfigError, match=r"fits the layouts neurobolt, bids, expe"):
        open_dataset(tmp_path)
    (tmp_path / "dataset.toml").write_text('layout = "neurobolt"\n')
    assert open_dataset(tmp_path).layout == "neurobolt"


def test_the_table_of_a_layout_names_the_layout(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text("[twin]\nseeds = [2961, 2962]\n")
    found = open_dataset(path)
    assert (found.layout, len(found.sources)) == ("twin", 2)
    files.neurobolt(tmp_path, ["sub01-scan01"])
    files.bids_scan(tmp_path)
    path.write_text("[bids]\nevents = false\n")
    with pytest.raises(
        ConfigError, match=r"\(bids\) holds no scan.*no ROI time series"
    ):
        open_dataset(path)


def test_a_toml_lies_anywhere_and_names_the_folder(tmp_path):
    files.neurobolt(tmp_path / "data-1", ["sub01-scan01"])
    (tmp_path / "here").mkdir()
    path = tmp_path / "here" / "study.toml"
    path.write_text('root = "../data-1"\n')
    found = open_dataset(path)
    assert (found.name, found.layout) == ("study", "neurobolt")
    path.write_text('root = "../data-1"\nname = "our study"\n')
    assert open_dataset(path).name == "our study"
    path.write_text('root = "../data-2"\n')
    with pytest.raises(ConfigError, match=r"study\.toml: root is '\.\./data-2', but"):
        open_dataset(path)


def test_a_scan_is_left_out_by_a_word(tmp_path):
    files.neurobolt(tmp_path)
    path = tmp_path / "dataset.toml"
    path.write_text('[changes."sub01-scan02"]\nleave_out = "she fell asleep"\n')
    found = open_dataset(tmp_path)
    assert [source.name for source in found.sources] == ["sub01-scan01", "sub02-scan01"]
    assert found.left_out == (("sub01-scan02", "she fell asleep"),)


def test_changes_hold_for_one_scan(tmp_path):
    files.neurobolt(tmp_path)
    path = tmp_path / "dataset.toml"
    path.write_text(
        '[reading]\nreference = "FCz"\ntrigger = "R149"\n'
        '[changes."sub01-scan02"]\ntrigger = "R128"\ndummy_volumes = 2\n'
    )
    one, other, _ = open_dataset(tmp_path).sources
    assert (one.reference, other.reference) == ("FCz", "FCz")
    assert (one.pairing.marker.label, other.pairing.marker.label) == ("R149", "R128")
    assert (one.pairing.dummy_volumes, other.pairing.dummy_volumes) == (0, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[reading", r"is not valid TOML"),
        ('layuot = "bids"', r"unknown keys layuot; .*Did you mean 'layout'"),
        ('layout = "bidz"', r"layout is 'bidz', expected one of neurobolt"),
        ("[reading]\ntr = 2", r"unknown keys tr; known ones are atlas"),
        ("[reading]\ntr_s = 2100", r"looks like milliseconds"),
        ("[reading]\ndummy_volumes = -1", r"dummy_volumes is -1, expected 0 or more"),
        ('[reading]\natlas = "a.nii"', r"atlas is 'a\.nii', but there is no file"),
        ('[reading]\nconfounds = ["csf"]', r"sub01-scan01' has no table of confounds"),
        ('[changes."sub1-scan01"]\ntr_s = 2', r"changes names sub1-scan01.*Did you"),
        ('[changes."sub01-scan01"]\ntr = 2', r"unknown keys tr"),
    ],
)
def test_what_a_description_gets_wrong_is_told(tmp_path, text, said):
    files.neurobolt(tmp_path, ["sub01-scan01"])
    (tmp_path / "dataset.toml").write_text(text)
    with pytest.raises(ConfigError, match=rf"dataset\.toml.*({said})"):
        open_dataset(tmp_path)
