from pathlib import Path

import pytest

from rtbold.errors import ConfigError
from rtbold.run_names import (
    RunGroup,
    RunName,
    next_run,
    note_run,
    parse,
    run_folders,
    taken,
)

GROUP = RunGroup(subject="S01")


def test_one_number_stands_in_folder_and_file():
    name = GROUP.run(2)
    assert name.stem == "sub-S01_ses-01_task-nf_run-02"
    assert name.folder(Path("r")) == Path("r/sub-S01/ses-01/eeg") / name.stem


@pytest.mark.parametrize(
    "text",
    [
        "sub-S01_ses-02_task-nf_run-012",
        "sub-S01_ses-02_task-nf_run-12_eeg_part-02.xdf",
        "sub-S01_ses-02_task-nf_run-12_copy-02",
    ],
)
def test_a_name_comes_back(text):
    assert parse(text) == RunName("S01", "02", "nf", 12)


@pytest.mark.parametrize(
    "text",
    ["", "run-02_training", "sub-S01_run-01", "sub-S01_ses-01_task-nf_run-0",
     "sub-S01_ses-01_task-nf_run-1000", f"sub-{'x' * 40}_ses-01_task-nf_run-01"],
)  # fmt: skip
def test_what_is_no_name_is_none(text):
    assert parse(text) is None


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"session": "day 1"}, r"the session is 'day 1'.*such as 01"),
        ({"task": "nf-2"}, r"the task is 'nf-2'.*such as nf"),
        ({"subject": "sub_1"}, r"the subject is 'sub_1'.*such as S01"),
    ],
)
def test_a_label_that_is_none_is_refused(changes, match):
    with pytest.raises(ConfigError, match=match):
        RunGroup(**{"subject": "S01", **changes})


def test_capitals_make_no_second_number(tmp_path):
    (tmp_path / "sub-S01/ses-01/eeg/sub-S01_ses-01_task-NF_run-02").mkdir(parents=True)
    assert taken([tmp_path], GROUP) == {2}


def test_a_root_that_is_not_there_takes_no_number(tmp_path):
    assert next_run([tmp_path / "a", tmp_path / "b"], GROUP) == 1


def test_a_list_that_an_editor_left_without_its_last_line_end_loses_no_number(tmp_path):
    group = RunGroup(subject="S01")
    group.session_folder(tmp_path).mkdir(parents=True)
    note_run(tmp_path, group.run(1))
    scans = tmp_path / "sub-S01/ses-01/sub-S01_ses-01_scans.tsv"
    scans.write_bytes(scans.read_bytes().rstrip(b"\n"))
    note_run(tmp_path, group.run(7))
    assert taken([tmp_path], group) == {1, 7}
    assert scans.read_text().count("\n") == 3


def test_the_last_number_is_said(tmp_path):
    GROUP.run(999).folder(tmp_path).mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"run 999 already.*another session or task"):
        next_run([tmp_path], GROUP)


def test_folders_of_both_layouts_are_found(tmp_path):
    new = GROUP.run(2).folder(tmp_path)
    old = tmp_path / "sub-S01/ses-01" / GROUP.run(1).stem
    for folder in (new, old):
        folder.mkdir(parents=True)
    (tmp_path / "sub-S01/ses-01/sub-S01_ses-01_scans.tsv").touch()
    (tmp_path / "sub-S01/ses-01/eeg/note.txt").touch()
    (tmp_path / "sub-S01/ses-02").mkdir()
    (tmp_path / "sub-S01/ses-02/eeg").touch()
    assert set(run_folders(tmp_path)) == {new, old}
