import json
from pathlib import Path

import pytest

from rtbold.errors import ConfigError, RtboldError
from rtbold.record.folder import SETTINGS_VERSION, open_session_folder, xdf_parts


def test_names_are_bids_like(tmp_path):
    paths = open_session_folder(tmp_path, "S01", session="02", task="train")
    assert paths.xdf().name == "sub-S01_ses-02_task-train_run-01_eeg.xdf"
    assert paths.xdf(2).name == "sub-S01_ses-02_task-train_run-01_eeg_part-02.xdf"
    assert paths.folder.is_dir()
    assert paths.folder.parent == tmp_path / "sub-S01" / "ses-02" / "eeg"
    assert paths.folder.name == "sub-S01_ses-02_task-train_run-01"
    assert paths.events.name == "events.jsonl"


def test_the_next_run_never_touches_an_earlier_one(tmp_path):
    first = open_session_folder(tmp_path, "S01")
    first.xdf().write_bytes(b"precious")
    second = open_session_folder(tmp_path, "S01")
    assert second.stem.endswith("run-02")
    assert first.xdf().read_bytes() == b"precious"
    assert not second.xdf().exists()


def number(paths):
    return int(paths.stem[-2:])


def test_a_number_is_not_used_again_when_its_folder_was_moved_away(tmp_path):
    first = open_session_folder(tmp_path, "S01")
    last = open_session_folder(tmp_path, "S01")
    last.folder.rename(tmp_path / "on_the_server")
    first.folder.rename(tmp_path / "there_too")
    assert number(open_session_folder(tmp_path, "S01")) == 3


def test_a_gap_is_not_filled(tmp_path):
    open_session_folder(tmp_path, "S01", run=4)
    assert number(open_session_folder(tmp_path, "S01")) == 5


def test_runs_of_the_earlier_layout_count(tmp_path):
    (tmp_path / "sub-S01/ses-01/sub-S01_ses-01_task-nf_run-07").mkdir(parents=True)
    assert number(open_session_folder(tmp_path, "S01")) == 8


def test_a_lone_part_counts(tmp_path):
    eeg = tmp_path / "sub-S01/ses-01/eeg"
    eeg.mkdir(parents=True)
    (eeg / "sub-S01_ses-01_task-nf_run-03_eeg_part-02.xdf").touch()
    assert number(open_session_folder(tmp_path, "S01")) == 4


def test_a_run_that_only_the_copy_has_counts(tmp_path):
    first, copy = tmp_path / "first", tmp_path / "copy"
    open_session_folder(copy, "S01", run=5)
    assert number(open_session_folder(first, "S01", copy=copy)) == 6


def test_numbers_of_other_tasks_and_sessions_do_not_count(tmp_path):
    open_session_folder(tmp_path, "S01", run=9)
    assert number(open_session_folder(tmp_path, "S01", task="rest")) == 1
    assert number(open_session_folder(tmp_path, "S01", session="02")) == 1


def test_a_number_that_was_asked_for_is_taken_once(tmp_path):
    assert number(open_session_folder(tmp_path, "S01", run=3)) == 3
    with pytest.raises(ConfigError, match=r"run 3 of sub-S01.* before.*--run 4"):
        open_session_folder(tmp_path, "S01", run=3)


def test_every_run_is_in_the_list_of_its_session(tmp_path):
    open_session_folder(tmp_path, "S01")
    open_session_folder(tmp_path, "S01", task="rest")
    scans = tmp_path / "sub-S01/ses-01/sub-S01_ses-01_scans.tsv"
    stems = ("sub-S01_ses-01_task-nf_run-01", "sub-S01_ses-01_task-rest_run-01")
    rows = [f"eeg/{stem}/{stem}_eeg.xdf" for stem in stems]
    assert scans.read_text().splitlines() == ["filename", *rows]


@pytest.mark.parametrize(
    "subject", ["../S01", "a/b", "", ".", "S 01", "S01\n", "x" * 33, "C:\\x", "Ünal"]
)
def test_a_subject_that_is_no_code_is_refused(tmp_path, subject):
    with pytest.raises(ConfigError, match=r"the subject is .* letters and digits"):
        open_session_folder(tmp_path / "root", subject)
    assert not (tmp_path / "root").exists()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RtboldError, match="--record"):
        open_session_folder(tmp_path / "file", "S01")


def test_parts_are_found_in_order(tmp_path):
    paths = open_session_folder(tmp_path, "S01")
    for part in (2, 1, 10, 3):
        paths.xdf(part).write_bytes(b"x")
    expected = tuple(paths.xdf(part) for part in (1, 2, 3, 10))
    assert paths.xdf_parts == expected
    assert xdf_parts(paths.xdf()) == expected


def test_settings_and_card_are_kept(tmp_path):
    bundle = tmp_path / "demo.rtbold"
    bundle.mkdir()
    (bundle / "card.json").write_text('{"name":"demo"}')
    paths = open_session_folder(tmp_path, "S01")
    paths.write_settings({"port": 5580, "record": Path("out")})
    paths.copy_card(bundle)
    assert json.loads(paths.settings.read_text()) == {
        "version": SETTINGS_VERSION,
        "port": 5580,
        "record": "out",
    }
    assert paths.card.read_text() == '{"name":"demo"}'
