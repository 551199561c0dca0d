import os

import pytest

from rtbold.clock import HandCrankedClock
from rtbold.messages import TimePassed
from rtbold.record import copy
from rtbold.record.copy import FolderCopy, RecordingCopy
from rtbold.record.folder import open_session_folder


@pytest.fixture
def folders(tmp_path):
    source, target = tmp_path / "first", tmp_path / "second"
    source.mkdir()
    target.mkdir()
    return source, target


def append(file, text):
    with file.open("a") as stream:
        stream.write(text)


def test_what_a_file_grows_by_is_appended(folders):
    source, target = folders
    follow = FolderCopy(source, target)
    append(source / "x_eeg.xdf", "XDF:abc")
    follow.step()
    assert (target / "x_eeg.xdf").read_text() == "XDF:abc"
    append(source / "x_eeg.xdf", "def")
    append(source / "x_eeg_part-02.xdf", "XDF:")
    follow.step()
    follow.step()
    assert (target / "x_eeg.xdf").read_text() == "XDF:abcdef"
    assert (target / "x_eeg_part-02.xdf").read_text() == "XDF:"
    assert oct(os.stat(target / "x_eeg.xdf").st_mode)[-3:] == "600"


def test_what_has_logs_of_its_own_or_changes_is_not_followed(folders):
    source, target = folders
    for name in ("events.jsonl", "published.jsonl", "recorder.json", ".recorder.json"):
        append(source / name, "x")
    FolderCopy(source, target).step()
    assert list(target.iterdir()) == []


def test_what_is_there_is_never_overwritten_or_deleted(folders):
    source, target = folders
    append(source / "x.xdf", "new")
    append(target / "x.xdf", "precious")
    append(target / "y.xdf", "precious")
    with pytest.raises(FileExistsError):
        FolderCopy(source, target).step()
    assert (target / "x.xdf").read_text() == "precious"
    assert (target / "y.xdf").read_text() == "precious"


def test_a_file_that_goes_from_the_first_stays_in_the_copy(folders):
    source, target = folders
    follow = FolderCopy(source, target)
    append(source / "x.xdf", "abc")
    follow.step()
    (source / "x.xdf").unlink()
    follow.step()
    assert (target / "x.xdf").read_text() == "abc"


class Full:
    """A disk that takes a few bytes and is full."""

    def __init__(self, file):
        self._file = file

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()

    def write(self, data):
        return self._file.write(data[:2])

    def fileno(self):
        return self._file.fileno()


def test_a_full_disk_goes_on_where_it_stopped_once_there_is_room(folders, monkeypatch):
    source, target = folders
    follow, real = FolderCopy(source, target), copy.create
    append(source / "x.xdf", "abcdef")
    append(source / "y.xdf", "uvw")
    monkeypatch.setattr(copy, "create", lambda *a, **o: Full(real(*a, **o)))
    with pytest.raises(OSError, match="written in part"):
        follow.step()
    assert (target / "x.xdf").read_text() == "ab"
    assert (target / "y.xdf").read_text() == "uv"  # the others are tried all the same
    monkeypatch.setattr(copy, "create", real)
    follow.step()
    assert (target / "x.xdf").read_text() == "abcdef"
    assert (target / "y.xdf").read_text() == "uvw"


def test_a_copy_has_events_of_its_own_and_what_others_wrote(tmp_path):
    paths = open_session_folder(tmp_path / "first", "S01")
    made = RecordingCopy(
        paths, tmp_path / "second", HandCrankedClock(), header={"unit": "uV"}
    )
    made.events.append(TimePassed(1.0))
    append(paths.xdf(), "XDF:")
    append(paths.folder / "settings.json", "{}")
    assert made.close() == ""
    assert made.folder.relative_to(tmp_path / "second") == (
        paths.folder.relative_to(tmp_path / "first")
    )
    assert made.folder.name == paths.folder.name
    assert '"now_lsl_s":1.0' in (made.folder / "events.jsonl").read_text()
    names = {"events.jsonl", "published.jsonl", "settings.json", paths.xdf().name}
    assert {file.name for file in made.folder.iterdir()} == names


def test_a_second_copy_of_that_name_gets_a_folder_of_its_own(tmp_path):
    paths = open_session_folder(tmp_path / "first", "S01")
    first, second = (
        RecordingCopy(paths, tmp_path / "second", HandCrankedClock(), header={})
        for _ in range(2)
    )
    assert second.folder.name == f"{first.folder.name}_copy-02"
    assert open_session_folder(tmp_path / "second", "S01").stem.endswith("run-02")
    assert first.close() == second.close() == ""


def test_a_copy_that_cannot_be_made_is_said_and_takes_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    paths = open_session_folder(tmp_path / "first", "S01")
    made = RecordingCopy(paths, tmp_path / "file", HandCrankedClock(), header={})
    assert "copy: cannot be made in" in made.problem
    assert made.events is None
    assert "cannot be made" in made.close()


def test_a_copy_whose_disk_goes_is_said(tmp_path, monkeypatch):
    paths = open_session_folder(tmp_path / "first", "S01")
    made = RecordingCopy(paths, tmp_path / "second", HandCrankedClock(), header={})

    def gone(*_, **__):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(copy, "create", gone)
    append(paths.xdf(), "XDF:")
    assert "Input/output error" in made.close()
