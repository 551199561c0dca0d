import errno

import numpy as np
import pytest

from rtbold.calibration.datasets import whole_files as module
from rtbold.calibration.datasets.whole_files import (
    DRAFT_SUFFIX,
    lay_down,
    new_folder,
    replace_file,
    room_told,
    write_npy,
)
from rtbold.errors import DataFileError


def drafts(folder):
    return list(folder.glob(f".*{DRAFT_SUFFIX}*"))


def test_an_array_is_written_as_numpy_would(tmp_path):
    array = np.random.default_rng(0).standard_normal((5, 777)).astype(np.float32)
    write_npy(tmp_path / "a.npy", array[:, 3:])  # rows that do not lie together
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), array[:, 3:])
    assert np.load(tmp_path / "a.npy", mmap_mode="r").flags.c_contiguous


def test_a_file_is_laid_down_once(tmp_path):
    place = tmp_path / "a.json"
    lay_down(place, b"first")
    lay_down(place, b"second")
    assert place.read_bytes() == b"first"
    replace_file(place, b"third")
    assert place.read_bytes() == b"third"
    assert not drafts(tmp_path)


def test_a_file_is_laid_down_where_there_are_no_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(module, "_exclusive", lambda: refuse)
    lay_down(tmp_path / "a.json", b"first")
    lay_down(tmp_path / "a.json", b"second")
    assert (tmp_path / "a.json").read_bytes() == b"first"
    assert not drafts(tmp_path)


@pytest.mark.parametrize(("replace", "kept"), [(False, "old"), (True, "new")])
def test_a_folder_that_is_there_stays_unless_told(tmp_path, replace, kept):
    for text in ("old", "new"):
        with new_folder(tmp_path / "place", replace=replace) as draft:
            (draft / "file").write_text(text)
    assert (tmp_path / "place" / "file").read_text() == kept
    assert not drafts(tmp_path)


def half_written(place):
    with new_folder(place, replace=False) as draft:
        (draft / "file").write_text("half")
        raise KeyError


def test_a_folder_that_was_not_finished_is_not_there(tmp_path):
    with pytest.raises(KeyError):
        half_written(tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_a_short_write_of_numpy_is_a_full_disk(tmp_path):
    with pytest.raises(DataFileError, match="is full"), room_told(tmp_path):
        raise OSError("320000 requested and 4096 written")
