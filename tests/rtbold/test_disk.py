"""A file that somebody gave is read to an end, or refused in words."""

import os
import socket
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from rtbold import disk
from rtbold.disk import open_file, read_file, sha256_of

unix = pytest.mark.skipif(os.name == "nt", reason="of Unix")


def why(path, **options):
    with pytest.raises(OSError, match=r".+") as caught:
        read_file(path, **{"at_most_bytes": 100, **options})
    return caught.value.strerror


def test_an_ordinary_file(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"\r\nabc")
    assert read_file(file, at_most_bytes=5) == b"\r\nabc"
    assert read_file(file, at_most_bytes=5, inside=tmp_path) == b"\r\nabc"
    assert len(sha256_of(file, at_most_bytes=5)) == 64
    with open_file(file, at_most_bytes=5) as stream:
        assert stream.read(2) == b"\r\n"


def test_a_larger_file_and_one_that_grows(tmp_path, monkeypatch):
    file = tmp_path / "a"
    file.write_bytes(b"x" * 101)
    assert "101 bytes or more, at most 100" in why(file)
    hides = SimpleNamespace(st_mode=stat.S_IFREG, st_size=0)
    monkeypatch.setattr(disk.os, "fstat", lambda _: hides)
    assert "101 bytes or more, at most 100" in why(file)


def test_a_folder_and_nothing(tmp_path):
    assert why(tmp_path) == "it is a folder, expected an ordinary file"
    assert "No such file" in why(tmp_path / "none")


def test_a_name_that_is_none(tmp_path):
    assert "no name of a file" in why(tmp_path / "a\0b")
    assert why(tmp_path / ("x" * 5000))


@unix
def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert why(tmp_path / "pipe") == "it is a pipe, expected an ordinary file"


@unix
def test_a_pipe_that_takes_the_files_place_does_not_hang(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"x")
    honest = (tmp_path / "file").stat()
    monkeypatch.setattr(Path, "stat", lambda *_, **__: honest)
    assert why(tmp_path / "pipe") == "it is a pipe, expected an ordinary file"


@unix
def test_devices_and_sockets(tmp_path, monkeypatch):
    for device in ("/dev/zero", "/dev/null"):
        assert why(Path(device)) == "it is a device, expected an ordinary file"
    monkeypatch.chdir(tmp_path)  # a socket's name may not be long
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("s")
        assert why(Path("s")) == "it is a socket, expected an ordinary file"


@unix
def test_links(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "file").write_bytes(b"in")
    (tmp_path / "outside").write_bytes(b"out")
    (inner / "near").symlink_to("file")
    (inner / "far").symlink_to("../outside")
    (inner / "loop").symlink_to("loop")
    (inner / "gone").symlink_to("nothing")
    (tmp_path / "door").symlink_to("inner")
    assert read_file(inner / "near", at_most_bytes=9, inside=inner) == b"in"
    door = tmp_path / "door"  # a folder may be reached by a link itself
    assert read_file(door / "file", at_most_bytes=9, inside=door) == b"in"
    assert read_file(inner / "far", at_most_bytes=9) == b"out"
    assert "link that leads out" in why(inner / "far", inside=inner)
    assert why(inner / "loop", inside=inner)
    assert why(inner / "gone", inside=inner)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"x")

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(disk.os, "open", denied)
    assert why(tmp_path / "a") == "Permission denied"
