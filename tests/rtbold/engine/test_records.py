"""Records of compiled models: bound to bundle, graph, OpenVINO, CPU and precision."""

import os

import msgspec
import pytest
from bundles import write_tiny

from rtbold.engine import records as cache
from rtbold.engine.records import (
    Machine,
    Record,
    StaleRecord,
    engines_folder,
    find_record,
    key_of,
    read_files,
    read_record,
    record_path,
    write_record,
)
from rtbold.errors import ConfigError

HERE = Machine(openvino="2026.1", cpu="a CPU", capabilities=("BF16", "FP32"))


@pytest.fixture
def record(tiny_bundle):
    return Record(
        key=key_of(tiny_bundle, HERE, "int8"),
        n_windows=16,
        worst=0.01,
        share=0.02,
        window_ms=3.0,
        n_threads=1,
        accepted=True,
    )


def test_comes_back_with_its_files(record, tmp_path):
    folder = tmp_path / "engines"
    write_record(folder, record, {"m.xml": b"graph", "m.bin": b"weights"})
    found = read_record(folder, record.key)
    assert msgspec.structs.replace(found, files=()) == record
    assert read_files(folder, found) == {"m.xml": b"graph", "m.bin": b"weights"}
    assert sorted(p.name for p in folder.iterdir()) == [
        "m.bin",
        "m.xml",
        "openvino-int8.json",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"openvino": "2027.0"}, r"openvino='2026\.1'.*expected.*2027"),
        ({"cpu": "another CPU"}, "another CPU"),
        ({"capabilities": ("FP32",)}, "capabilities"),
    ],
)
def test_of_another_machine_does_not_count(
    record, tiny_bundle, tmp_path, change, words
):
    write_record(tmp_path, record)
    there = msgspec.structs.replace(HERE, **change)
    with pytest.raises(StaleRecord, match=words):
        read_record(tmp_path, key_of(tiny_bundle, there, "int8"))


def test_of_another_bundle_does_not_count(record, tmp_path):
    write_record(tmp_path, record)
    other = write_tiny(tmp_path, name="other", tr_s=1.0)  # the same graph
    with pytest.raises(StaleRecord, match="bundle_sha256 is"):
        read_record(tmp_path, key_of(other, HERE, "int8"))


def test_of_another_precision_does_not_count(record, tmp_path):
    write_record(tmp_path, record)
    record_path(tmp_path, "int8").rename(record_path(tmp_path, "bf16"))
    wanted = msgspec.structs.replace(record.key, precision="bf16")
    with pytest.raises(StaleRecord, match="precision is int8, expected bf16"):
        read_record(tmp_path, wanted)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b'{"format": 1}', b"\xff\xfe", b"0" * 200_000],
)
def test_what_is_no_record(record, tmp_path, text):
    record_path(tmp_path, "int8").write_bytes(text)
    with pytest.raises(StaleRecord, match=r"openvino-int8\.json"):
        read_record(tmp_path, record.key)


def test_of_another_format(record, tmp_path):
    # An earlier version's: nobody knows what disturbed EEG does to that engine.
    write_record(tmp_path, msgspec.structs.replace(record, format=1))
    with pytest.raises(StaleRecord, match="format 1, expected 2"):
        read_record(tmp_path, record.key)


def test_none_yet(record, tmp_path):
    assert find_record(tmp_path, record.key) is None
    with pytest.raises(StaleRecord, match="models compile"):
        read_record(tmp_path, record.key)
    write_record(tmp_path, record)
    assert find_record(tmp_path, record.key) == record


@pytest.mark.parametrize("spoil", ["changed", "truncated", "gone"])
def test_files_that_are_not_what_was_written(record, tmp_path, spoil):
    write_record(tmp_path, record, {"m.bin": b"weights"})
    file = tmp_path / "m.bin"
    if spoil == "gone":
        file.unlink()
    else:
        file.write_bytes(b"Weights" if spoil == "changed" else b"weight")
    with pytest.raises(StaleRecord, match=r"m\.bin"):
        read_files(tmp_path, read_record(tmp_path, record.key))


def test_a_record_cannot_name_a_file_elsewhere(record, tmp_path):
    outside = tmp_path / "secret.bin"
    outside.write_bytes(b"weights")
    folder = tmp_path / "engines"
    write_record(folder, record, {"secret.bin": b"weights"})
    path = record_path(folder, "int8")
    path.write_text(path.read_text().replace("secret.bin", "../secret.bin"))
    (folder / "secret.bin").unlink()
    with pytest.raises(StaleRecord, match="cannot be read"):
        read_files(folder, read_record(folder, record.key))


def test_a_folder_that_cannot_be_made(record, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_record(tmp_path / "file" / "engines", record)


def test_engines_lie_in_the_bundle_and_do_not_spoil_it(tiny_bundle, record):
    from rtbold.bundle.store import load

    folder = engines_folder(tiny_bundle)
    assert folder == tiny_bundle.path / "engines"
    write_record(folder, record)
    assert load(tiny_bundle.path).sha256 == tiny_bundle.sha256


def test_engines_of_a_read_only_bundle_lie_in_the_users_cache(
    tiny_bundle, tmp_path, monkeypatch
):
    monkeypatch.setattr(cache.os, "access", lambda *_: False)
    monkeypatch.setattr(cache, "user_cache_path", lambda name: tmp_path / name)
    folder = engines_folder(tiny_bundle)
    assert folder == tmp_path / "rtbold" / "engines" / tiny_bundle.sha256[:16]
    assert not folder.exists()  # asking writes nothing


def in_place_of(file, kind):
    """Put what never ends, or would fill the memory, where a file was."""
    file.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    elif kind == "folder":
        file.mkdir()
    else:
        file.write_bytes(b"[" * 90_000)


@pytest.mark.skipif(os.name == "nt", reason="of Unix")
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "nested"])
def test_what_lies_in_a_records_place_does_not_count_and_does_not_hang(
    record, tmp_path, kind
):
    write_record(tmp_path, record, {"m.bin": b"weights"})
    in_place_of(record_path(tmp_path, "int8"), kind)
    with pytest.raises(StaleRecord, match="compile again"):
        find_record(tmp_path, record.key)


@pytest.mark.skipif(os.name == "nt", reason="of Unix")
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "nested"])
def test_what_lies_in_a_files_place_does_not_count_and_does_not_hang(
    record, tmp_path, kind
):
    write_record(tmp_path, record, {"m.bin": b"weights"})
    in_place_of(tmp_path / "m.bin", kind)
    with pytest.raises(StaleRecord, match="compile again"):
        read_files(tmp_path, read_record(tmp_path, record.key))
