from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from prepared_scans import settings

from rtbold.calibration.datasets.content import content_sha256, files_of, key_of
from rtbold.calibration.datasets.sources import ScanSource, load_scan
from rtbold.calibration.fit.target import TargetSettings
from rtbold.errors import DataFileError
from rtbold.sim.settings import TwinSettings

HEADER = "Brain Vision\n[Common Infos]\nDataFile=raw one.eeg\nMarkerFile=raw.vmrk\n"


@pytest.fixture
def source(tmp_path):
    for name in ("raw one.eeg", "raw.vmrk", "bold.tsv", "conf.tsv", "other.eeg"):
        (tmp_path / name).write_text(name)
    (tmp_path / "rest.vhdr").write_text(HEADER)
    return ScanSource(name="s1", subject="a", eeg=tmp_path / "rest.vhdr",
                      bold=tmp_path / "bold.tsv",
                      confounds=tmp_path / "conf.tsv")  # fmt: skip


def test_every_file_that_is_read_counts(source):
    names = [path.name for path in files_of(source)]
    assert sorted(names) == [
        "bold.tsv", "conf.tsv", "raw one.eeg", "raw.vmrk", "rest.vhdr",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["raw one.eeg", "raw.vmrk", "bold.tsv", "conf.tsv"])
def test_a_file_that_changed_gives_another_key(source, tmp_path, name):
    before = key_of(source, settings())
    assert key_of(source, settings()) == before
    (tmp_path / name).write_text("changed")
    assert key_of(source, settings()) != before


def test_the_parts_of_an_eeglab_set_count(tmp_path):
    for name in ("x.set", "x.fdt", "xy.fdt", "x.pkl"):
        (tmp_path / name).write_text(name)
    source = ScanSource(name="s", subject="a", eeg=tmp_path / "x.set")
    assert [path.name for path in files_of(source)] == ["x.fdt", "x.pkl", "x.set"]


def test_a_part_of_a_file_is_no_file_but_counts(tmp_path):
    (tmp_path / "b.mat").write_text("b")
    one, other = (
        ScanSource(name="s", subject="a", bold=tmp_path / f"b.mat:{part}")
        for part in ("x", "y")
    )
    assert files_of(one) == (tmp_path / "b.mat",)
    assert key_of(one, settings()) != key_of(other, settings())


def test_a_folder_counts_with_everything_in_it(tmp_path):
    (tmp_path / "run" / "deep").mkdir(parents=True)
    (tmp_path / "run" / "deep" / "eeg.xdf").write_text("x")
    source = ScanSource(name="s", subject="a", eeg=tmp_path / "run")
    assert [path.name for path in files_of(source)] == ["eeg.xdf"]


def test_where_files_lie_does_not_count(source, tmp_path):
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in files_of(source):
        (moved / path.name).write_bytes(path.read_bytes())
    elsewhere = replace(source, eeg=moved / "rest.vhdr", bold=moved / "bold.tsv",
                        confounds=moved / "conf.tsv")  # fmt: skip
    assert key_of(elsewhere, settings()) == key_of(source, settings())


@pytest.mark.parametrize(
    "change",
    [
        {"chain": "published"},
        {"channels": ("CZ",)},
        {"targets": TargetSettings(drift_degree=2)},
        {"confounds": ()},
    ],
)
def test_other_settings_give_another_key(source, change):
    assert key_of(source, settings(**change)) != key_of(source, settings())


def test_how_files_are_read_counts(source):
    other = replace(source, unit="mV")
    assert key_of(other, settings()) != key_of(source, settings())


def test_a_file_that_is_not_there_is_named(source):
    gone = replace(source, bold=Path("nowhere.tsv"))
    with pytest.raises(DataFileError, match=r"nowhere\.tsv cannot be read.*--skip-bad"):
        key_of(gone, settings())


def test_the_samples_have_a_hash_of_their_own():
    twin = TwinSettings(seed=2990, level="easy", duration_s=20.0, channels=("Cz", "Pz"))
    scan = load_scan(ScanSource(name="s", subject="a", twin=twin))
    again = load_scan(ScanSource(name="other name", subject="b", twin=twin))
    assert content_sha256(scan) == content_sha256(again)
    data_uv = scan.eeg.recording.data_uv.copy()
    data_uv[1, 77] += np.float32(0.5)
    recording = replace(scan.eeg.recording, data_uv=data_uv)
    changed = replace(scan, eeg=replace(scan.eeg, recording=recording))
    assert content_sha256(scan) != content_sha256(changed)
