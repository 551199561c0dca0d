import os
import stat
import sys

import pytest
from bundles import write_tiny

from rtbold.cli.process import SessionLog
from rtbold.files.bold_tables import BoldWriter, write_predictions_tsv
from rtbold.owner_only import (
    claim_folder,
    create,
    create_text,
    make_folder,
    open_to_others,
    write_bytes,
    write_text,
)
from rtbold.publish.keys import create_keys

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no modes there")


@pytest.fixture(params=[0o000, 0o022, 0o277], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_made_is_its_owners_alone_whatever_the_umask(tmp_path, umask):
    make_folder(tmp_path / "a" / "b")
    write_text(tmp_path / "a" / "b" / "text", "ä")
    create(tmp_path / "log").close()
    create_text(tmp_path / "table").close()
    assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o700
    for name in ("a/b/text", "log", "table"):
        assert mode(tmp_path / name) == 0o600
    assert (tmp_path / "a" / "b" / "text").read_text(encoding="utf-8") == "ä"


def test_what_is_there_keeps_its_permissions(tmp_path):
    shared, file = tmp_path / "shared", tmp_path / "shared" / "file"
    shared.mkdir()
    shared.chmod(0o755)
    file.write_text("a longer text")
    file.chmod(0o640)
    make_folder(shared / "mine")
    write_bytes(file, b"new")
    create(file).close()
    assert (mode(shared), mode(shared / "mine"), mode(file)) == (0o755, 0o700, 0o640)
    assert file.read_bytes() == b"new"


def test_a_claim_and_an_exclusive_file_are_refused_where_something_is(tmp_path):
    claim_folder(tmp_path / "run")
    with pytest.raises(FileExistsError):
        claim_folder(tmp_path / "run")
    create(tmp_path / "file", exclusive=True).close()
    with pytest.raises(FileExistsError):
        create(tmp_path / "file", exclusive=True)
    with pytest.raises(OSError, match="file"):
        make_folder(tmp_path / "file" / "below")


def test_what_others_can_open_is_found(tmp_path):
    for name, bits in (("a", 0o600), ("b", 0o640), ("c", 0o604), ("d", 0o700)):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(bits)
    found = open_to_others([*sorted(tmp_path.iterdir()), tmp_path / "none"])
    assert [path.name for path in found] == ["b", "c"]


@pytest.fixture
def open_umask():
    before = os.umask(0o000)
    yield
    os.umask(before)


def modes_below(folder):
    paths = [folder, *folder.rglob("*")]
    return {(path.is_dir(), mode(path)) for path in paths}


def test_models_keys_tables_and_logs_are_their_owners_alone(tmp_path, open_umask):
    write_tiny(tmp_path / "subjects" / "S01")
    create_keys(tmp_path / "keys", ("app",))
    table = tmp_path / "bold.tsv"
    write_predictions_tsv(table, [], ("a",))
    BoldWriter(tmp_path / "measured.tsv").close()
    with SessionLog() as log:
        log.write_beside(tmp_path / "session.log", clean=str)
    for folder in ("subjects", "keys"):
        assert modes_below(tmp_path / folder) == {(True, 0o700), (False, 0o600)}
    for name in ("bold.tsv", "measured.tsv", "session.log"):
        assert mode(tmp_path / name) == 0o600
