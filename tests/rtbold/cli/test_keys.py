import pytest

from rtbold import cli
from rtbold.publish.keys import ServerKeys, admitted


def test_keys_are_made_and_clients_added(tmp_path, capsys):
    folder = tmp_path / "keys"
    assert cli.main(["keys", str(folder), "--client", "dashboard"]) == 0
    server = ServerKeys.load(folder)
    assert cli.main(["keys", str(folder), "--client", "tablet"]) == 0
    assert "clients/tablet.key_secret" in capsys.readouterr().out.replace("\\", "/")
    assert ServerKeys.load(folder) == server  # the server's are as they were
    assert len(admitted(folder / "clients")) == 2


def test_the_secrets_are_their_owner_s_alone(tmp_path):
    assert cli.main(["keys", str(tmp_path), "--client", "a"]) == 0
    assert cli.main(["keys", str(tmp_path), "--client", "b"]) == 0
    modes = {file.stat().st_mode & 0o077 for file in tmp_path.rglob("*.key*")}
    assert modes == {0}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--client", "../x"], "--client is '../x'"),
        (["--client", ""], "--client is ''"),
    ],
)
def test_a_name_that_is_none_is_refused(tmp_path, capsys, given, message):
    assert cli.main(["keys", str(tmp_path / "k"), *given]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "k").exists()


def test_keys_are_never_written_over(tmp_path, capsys):
    assert cli.main(["keys", str(tmp_path), "--client", "a"]) == 0
    before = (tmp_path / "clients/a.key").read_bytes()
    assert cli.main(["keys", str(tmp_path), "--client", "a"]) == 2
    assert "client 'a' has keys" in capsys.readouterr().err
    assert (tmp_path / "clients/a.key").read_bytes() == before
