"""What lies in a bundle's folder instead of a file ends in one error, soon."""

import os
import tracemalloc

import numpy as np
import pytest
from bundles import write_tiny

from rtbold.bundle import store
from rtbold.bundle.check_windows import CHECK_NAME
from rtbold.bundle.seal import SEAL_NAME
from rtbold.bundle.store import load
from rtbold.engine.opening import open_engine
from rtbold.errors import BundleError

unix = pytest.mark.skipif(os.name == "nt", reason="of Unix")
FILES = ["card.json", SEAL_NAME, "model.onnx"]


def put(place, kind, tmp_path):
    """Put something else where a file was."""
    kept = tmp_path / "kept"
    place.rename(kept)
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    elif kind == "zero":
        place.symlink_to("/dev/zero")
    elif kind == "outside":
        place.symlink_to(kept)
    elif kind == "loop":
        place.symlink_to(place.name)


@unix
@pytest.mark.parametrize("kind", ["pipe", "folder", "zero", "outside", "loop"])
@pytest.mark.parametrize("name", FILES)
def test_something_else_in_place_of_a_file(tiny_bundle, tmp_path, name, kind):
    put(tiny_bundle.path / name, kind, tmp_path)
    with pytest.raises(BundleError, match=rf"{name}.*[Cc]opy"):
        load(tiny_bundle.path)


@unix
@pytest.mark.parametrize("name", FILES)
def test_a_link_inside_of_the_bundle_is_no_way_around_either(tiny_bundle, name):
    file = tiny_bundle.path / name
    file.rename(tiny_bundle.path / "elsewhere")
    file.symlink_to("elsewhere")
    with pytest.raises(BundleError, match=r"not list: 'elsewhere'"):
        load(tiny_bundle.path)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_may_not_be_read(tiny_bundle, monkeypatch, name):
    honest = os.open

    def denied(path, *options, **named):
        if str(path).endswith(os.sep + name):
            raise PermissionError(13, "Permission denied")
        return honest(path, *options, **named)

    monkeypatch.setattr("rtbold.disk.os.open", denied)
    with pytest.raises(BundleError, match=rf"{name}.*Permission denied"):
        load(tiny_bundle.path)


def test_a_file_that_is_too_large(tiny_bundle, monkeypatch):
    monkeypatch.setattr(store, "MAX_FILE_BYTES", 100)
    with pytest.raises(BundleError, match=r"model\.onnx.*bytes or more, at most 100"):
        load(tiny_bundle.path)
    (tiny_bundle.path / "card.json").write_bytes(b" " * (store.MAX_CARD_BYTES + 1))
    with pytest.raises(BundleError, match=r"card\.json.*at most 4000000"):
        load(tiny_bundle.path)


@unix
@pytest.mark.parametrize("kind", ["pipe", "link", "folder link"])
def test_what_is_not_listed_need_not_be_a_file_to_be_refused(
    tiny_bundle, tmp_path, kind
):
    place = tiny_bundle.path / "more"
    if kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to(tmp_path if kind == "folder link" else "nothing")
    with pytest.raises(BundleError, match="does not list: 'more'"):
        load(tiny_bundle.path)


@unix
def test_a_folder_that_may_not_be_looked_into_is_told(tmp_path, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.is_dir", denied)
    with pytest.raises(BundleError, match="cannot be looked at"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", ""])
def test_a_name_that_can_be_none(name, tmp_path):
    with pytest.raises(BundleError, match=r"cannot be looked at|no bundle"):
        load(name, subject_root=tmp_path)


def with_check(folder, data):
    made = write_tiny(folder)
    contents = {"model.onnx": made.file("model.onnx"), CHECK_NAME: data}
    return store.write(folder / "bad.rtbold", made.card, contents)


def bomb():
    import io

    file = io.BytesIO()
    np.savez_compressed(file, counts=np.zeros(300_000_000, np.int16))
    return file.getvalue()


def test_check_windows_that_would_fill_the_memory(tmp_path):
    bundle = with_check(tmp_path, bomb())
    tracemalloc.start()
    try:
        with pytest.raises(BundleError, match="unpacked, at most"):
            open_engine(bundle, engine="openvino")
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()
