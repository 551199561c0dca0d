import pytest

from rtbold.errors import ConfigError
from rtbold.publish.keys import ServerKeys, create_keys
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
