import msgspec
import pytest

from rtbold.engine.tensorrt_compile import (
    EngineKey,
    StaleEngine,
    engine_path,
    read_engine,
    write_engine,
)
from rtbold.errors import ConfigError

KEY = EngineKey(
    bundle_sha256="b" * 64,
    onnx_sha256="a" * 64,
    flavour="tensorrt-rtx",
    version="1.7.1.116",
    gpu="sm_86",
    precision="f32",
    batch_size=1,
    recipe=1,
)
ENGINE = b"an engine" * 1000


def test_what_was_written_is_read(tmp_path):
    path = write_engine(tmp_path / "engines", KEY, ENGINE)
    assert path.name == "tensorrt-rtx-1.7.1.116-sm_86-f32.engine"
    assert read_engine(tmp_path / "engines", KEY) == ENGINE
    write_engine(tmp_path / "engines", KEY, b"another")
    assert read_engine(tmp_path / "engines", KEY) == b"another"
    assert len(list((tmp_path / "engines").iterdir())) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"bundle_sha256": "c" * 64},
        {"onnx_sha256": "c" * 64},
        {"flavour": "tensorrt"},
        {"version": "1.8"},
        {"gpu": "sm_89"},
        {"precision": "f16"},
        {"batch_size": 2},
        {"recipe": 2},
    ],
)
def test_an_engine_of_something_else_is_never_handed_out(tmp_path, change):
    wanted = msgspec.structs.replace(KEY, **change)
    write_engine(tmp_path, KEY, ENGINE)
    if engine_path(tmp_path, wanted) != engine_path(tmp_path, KEY):
        with pytest.raises(StaleEngine, match=r"cannot be read|is not there"):
            read_engine(tmp_path, wanted)
        for ending in (".engine", ".json"):  # as if somebody had renamed it
            source = engine_path(tmp_path, KEY).with_suffix(ending)
            source.rename(engine_path(tmp_path, wanted).with_suffix(ending))
    with pytest.raises(StaleEngine, match=f"{next(iter(change))} is .*, expected"):
        read_engine(tmp_path, wanted)


@pytest.mark.parametrize("version", ["1.7.1.117", "1.7.1", "1.5.0.114", "2.0"])
def test_an_engine_of_another_version_is_refused_in_words(tmp_path, version):
    write_engine(tmp_path, KEY, ENGINE)
    wanted = msgspec.structs.replace(KEY, version=version)
    words = f"compiled by tensorrt-rtx 1.7.1.116, and {version} runs only its own"
    with pytest.raises(StaleEngine, match=words):
        read_engine(tmp_path, wanted)
    write_engine(tmp_path, wanted, b"another")
    assert read_engine(tmp_path, wanted) == b"another"
    assert read_engine(tmp_path, KEY) == ENGINE  # both may lie side by side


def test_only_what_differs_in_the_version_alone_is_named(tmp_path):
    other = msgspec.structs.replace(KEY, version="1.5.0.114", gpu="sm_89")
    write_engine(tmp_path, other, ENGINE)
    with pytest.raises(StaleEngine, match="cannot be read"):
        read_engine(tmp_path, KEY)


def test_changed_and_truncated_engines(tmp_path):
    path = write_engine(tmp_path, KEY, ENGINE)
    path.write_bytes(b"X" + ENGINE[1:])
    with pytest.raises(StaleEngine, match="SHA-256"):
        read_engine(tmp_path, KEY)
    path.write_bytes(ENGINE[:-1])
    with pytest.raises(StaleEngine, match="8999 bytes, its record says 9000"):
        read_engine(tmp_path, KEY)
    path.unlink()
    with pytest.raises(StaleEngine, match="cannot be read"):
        read_engine(tmp_path, KEY)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "no record"),
        (b"{}", "no record"),
        (b"[" * 50_000, "no record"),
        (b" " * 200_000, "larger than"),
    ],
)
def test_records_that_are_none(tmp_path, text, words):
    path = write_engine(tmp_path, KEY, ENGINE)
    path.with_suffix(".json").write_bytes(text)
    with pytest.raises(StaleEngine, match=words):
        read_engine(tmp_path, KEY)


def test_a_record_of_another_format(tmp_path):
    path = write_engine(tmp_path, KEY, ENGINE).with_suffix(".json")
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(StaleEngine, match="format 2, expected 1"):
        read_engine(tmp_path, KEY)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "engines").write_text("a file")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_engine(tmp_path / "engines", KEY, ENGINE)
