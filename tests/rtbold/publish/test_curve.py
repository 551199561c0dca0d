import os

import pytest

from rtbold.client import CurveKeys
from rtbold.errors import ConfigError
from rtbold.publish.keys import ServerKeys, admitted, create_keys
from rtbold.publish.sockets import check_bind


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.1.1", "::1", "[::1]", "localhost"]
)
def test_loopback_needs_no_keys(host):
    check_bind(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "*", "192.168.1.4", "eth0", "::", ""])
def test_anything_else_is_refused_without_keys(host):
    with pytest.raises(ConfigError, match=r"--curve-keys"):
        check_bind(host, None)


def test_keys_round_trip_and_allow_other_hosts(tmp_path):
    create_keys(tmp_path, ("dashboard",))
    keys = ServerKeys.load(tmp_path)
    assert len(keys.secret) == len(keys.public) == 40
    assert keys.secret not in (tmp_path / "server.key").read_bytes()
    check_bind("0.0.0.0", keys)


def test_keys_are_not_overwritten(tmp_path):
    create_keys(tmp_path)
    with pytest.raises(ConfigError, match=r"holds keys already"):
        create_keys(tmp_path)


def test_missing_and_incomplete_folders_say_what_lacks(tmp_path):
    with pytest.raises(ConfigError, match=r"no CURVE keys in"):
        ServerKeys.load(tmp_path)
    create_keys(tmp_path, ())
    with pytest.raises(ConfigError, match=r"lacks .*clients"):
        ServerKeys.load(tmp_path)
    (tmp_path / "server.key_secret").write_bytes((tmp_path / "server.key").read_bytes())
    with pytest.raises(ConfigError, match=r"lacks the secret key"):
        ServerKeys.load(tmp_path)


def rewrite(file, **keys):
    lines = [f'    {name}-key = "{key}"' for name, key in keys.items()]
    file.write_text("\n".join(["metadata", "curve", *lines]) + "\n")


def read(file):
    public, secret = (
        line.split('"')[1] for line in file.read_text().splitlines() if "-key =" in line
    )
    return public, secret


def test_half_a_key_is_named_and_refused(tmp_path):
    create_keys(tmp_path)
    file = tmp_path / "server.key_secret"
    public, secret = read(file)
    rewrite(file, public=public, secret=secret[:20])
    with pytest.raises(ConfigError, match=r"secret key.*20 characters, expected 40"):
        ServerKeys.load(tmp_path)
    rewrite(file, public=public[:39], secret=secret)
    with pytest.raises(ConfigError, match=r"public key.*39 characters, expected 40"):
        ServerKeys.load(tmp_path)
    file.write_bytes(b"\x00" * 10)
    with pytest.raises(ConfigError, match=r"no CURVE keys in"):
        ServerKeys.load(tmp_path)
    file.write_bytes(b"x" * 100_000)
    with pytest.raises(ConfigError, match=r"is no key file"):
        ServerKeys.load(tmp_path)


def test_two_keys_that_are_no_pair_are_refused(tmp_path):
    create_keys(tmp_path / "one")
    create_keys(tmp_path / "two")
    file = tmp_path / "one" / "server.key_secret"
    public, secret = read(file)[0], read(tmp_path / "two" / "server.key_secret")[1]
    rewrite(file, public=public, secret=secret)
    with pytest.raises(ConfigError, match=r"no pair"):
        ServerKeys.load(tmp_path / "one")


def test_half_a_key_of_a_client_is_named(tmp_path):
    create_keys(tmp_path, ("app", "other"))
    rewrite(tmp_path / "clients" / "app.key", public="x" * 12)
    with pytest.raises(ConfigError, match=r"client 'app'.*12 characters"):
        ServerKeys.load(tmp_path)
    assert len(admitted(tmp_path / "clients")) == 1  # the other's, in a session


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
def test_a_secret_that_others_can_read_is_refused_and_told_how_to_mend(tmp_path):
    create_keys(tmp_path)
    file = tmp_path / "server.key_secret"
    assert file.stat().st_mode & 0o077 == 0
    file.chmod(0o644)
    with pytest.raises(ConfigError, match=r"mode 644.*chmod 600"):
        ServerKeys.load(tmp_path)


def test_the_folder_is_read_anew(tmp_path):
    create_keys(tmp_path, ("app", "other"))
    clients = tmp_path / "clients"
    assert len(admitted(clients)) == 2
    (clients / "app.key").unlink()
    assert len(admitted(clients)) == 1
    assert admitted(tmp_path / "nowhere") == frozenset()


def test_a_client_is_told_that_its_key_is_cut(tmp_path):
    create_keys(tmp_path, ("app",))
    mine, server = tmp_path / "clients" / "app.key_secret", tmp_path / "server.key"
    assert CurveKeys.load(str(mine), str(server)).public
    public, secret = read(mine)
    rewrite(mine, public=public, secret=secret[:20])
    with pytest.raises(ValueError, match=r"app.key_secret has 20 characters"):
        CurveKeys.load(str(mine), str(server))
    rewrite(mine, public=public, secret=secret)
    rewrite(server, public="x" * 39)
    with pytest.raises(ValueError, match=r"server.key has 39 characters"):
        CurveKeys.load(str(mine), str(server))
