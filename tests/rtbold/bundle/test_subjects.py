import datetime

import pytest
from bundles import write_tiny

from rtbold.bundle import store as bundle, subjects
from rtbold.config import RunSettings
from rtbold.errors import BundleError, ConfigError, RtboldError
from rtbold.session.open import load_bundle

NOON = datetime.datetime(2026, 11, 23, 12, 0, 0, tzinfo=datetime.UTC)


def saved(root, subject, name):
    return write_tiny(root / subject, name=name).path


def test_names_are_moments_in_utc_and_never_taken_twice(tmp_path):
    east = datetime.timezone(datetime.timedelta(hours=2))
    with subjects.reserved_folder(tmp_path, "S01", NOON.astimezone(east)) as first:
        assert first == tmp_path / "S01" / "20261123-120000.rtbold"
        first.mkdir()
    with subjects.reserved_folder(tmp_path, "S01", NOON) as second:
        assert second.name == "20261123-120000-2.rtbold"


def test_two_that_are_made_in_the_same_second_have_two_names(tmp_path):
    with (
        subjects.reserved_folder(tmp_path, "S01", NOON) as first,
        subjects.reserved_folder(tmp_path, "S01", NOON) as second,
    ):
        assert not first.exists()  # only its name is taken
        assert [first.stem, second.stem] == ["20261123-120000", "20261123-120000-2"]
        write_tiny(second.parent, name=second.stem)
    assert [path.name for path in (tmp_path / "S01").iterdir()] == [second.name]


def test_a_name_that_was_written_just_before_it_was_reserved_is_taken(
    tmp_path, monkeypatch
):
    taken = tmp_path / "S01" / "20261123-120000.rtbold"
    touch = type(tmp_path).touch

    def late(path, **options):
        taken.mkdir(exist_ok=True)
        touch(path, **options)

    monkeypatch.setattr(type(tmp_path), "touch", late)
    with subjects.reserved_folder(tmp_path, "S01", NOON) as folder:
        assert folder.name == "20261123-120000-2.rtbold"


def test_a_reservation_of_which_nothing_came_leaves_nothing(tmp_path):
    root = tmp_path / "new" / "root"

    def fail():
        with subjects.reserved_folder(root, "S01", NOON):
            assert root.exists()
            raise RtboldError("nothing came")

    with pytest.raises(RtboldError, match="nothing came"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "S01").write_text("")
    with (
        pytest.raises(RtboldError, match=r"S01 cannot be written to.*--root"),
        subjects.reserved_folder(tmp_path, "S01", NOON),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["S01"]


@pytest.mark.parametrize("code", ["../S01", "a/b", "", "S 1", ".", "C:\\x", "S01\n"])
def test_a_code_with_a_path_in_it_is_none(tmp_path, code):
    with (
        pytest.raises(ConfigError, match="expected a code of 1 to 32 letters"),
        subjects.reserved_folder(tmp_path, code, NOON),
    ):
        pass
    with pytest.raises(ConfigError, match="expected a code"):
        subjects.calibrations(tmp_path, code)


def test_newest_is_by_time_and_then_by_number(tmp_path):
    for name in ("20261123-120000-10", "20261123-120000-2", "20261123-120000"):
        saved(tmp_path, "S01", name)
    saved(tmp_path, "S01", "20250101-000000")
    saved(tmp_path, "S01", "mycopy")  # no moment: cannot be the newest
    assert [entry.name for entry in subjects.calibrations(tmp_path, "S01")] == [
        "20250101-000000",
        "20261123-120000",
        "20261123-120000-2",
        "20261123-120000-10",
    ]
    newest = subjects.newest(tmp_path, "S01")
    assert newest.name == "20261123-120000-10.rtbold"
    assert subjects.one_of(tmp_path, "S01", "latest") == newest
    older = subjects.one_of(tmp_path, "S01", "20250101-000000")
    assert older.name == "20250101-000000.rtbold"
    with pytest.raises(BundleError, match=r"no calibration 'x'.*20250101-000000"):
        subjects.one_of(tmp_path, "S01", "x")


def test_an_unknown_subject_is_told_who_is_known(tmp_path):
    saved(tmp_path, "S02", "20250101-000000")
    (tmp_path / "S03").mkdir()  # no model in it
    assert subjects.list_subjects(tmp_path) == ("S02",)
    with pytest.raises(BundleError, match=r"'S01' has no model.*subjects: S02\."):
        subjects.newest(tmp_path, "S01")
    with pytest.raises(BundleError, match=r"subjects: none"):
        subjects.newest(tmp_path / "nowhere", "S01")


def test_a_run_takes_the_newest_or_one_by_its_whole_name(tmp_path):
    old = saved(tmp_path, "S01", "20250101-000000")
    new = saved(tmp_path, "S01", "20260101-000000")
    assert load_bundle(RunSettings(subject="S01"), tmp_path).path == new
    named = RunSettings(model="S01/20250101-000000")
    assert load_bundle(named, tmp_path).path == old
    listed = [entry.name for entry in bundle.available(subject_root=tmp_path)]
    assert listed[:2] == ["S01/20250101-000000", "S01/20260101-000000"]


def test_room_is_looked_for_before_the_work(tmp_path, monkeypatch):
    subjects.check_room(tmp_path / "not" / "made", 1)
    assert not (tmp_path / "not").exists()
    with pytest.raises(RtboldError, match=r"MB free, expected.*--root"):
        subjects.check_room(tmp_path, 10**18)
    monkeypatch.setattr(subjects.os, "access", lambda *_: False)
    with pytest.raises(RtboldError, match=r"may not be written to.*--root"):
        subjects.check_room(tmp_path / "deeper", 1)
    (tmp_path / "file").write_text("")
    with pytest.raises(RtboldError, match=r"file is a file.*--root"):
        subjects.check_room(tmp_path / "file" / "deeper")
