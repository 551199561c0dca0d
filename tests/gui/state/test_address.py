import pytest

from rtbold.gui.state.address import Address, address_of, on_this_machine, parse_address


@pytest.mark.parametrize(
    ("typed", "feed", "commands"),
    [
        ("tcp://10.0.0.5:5580", "tcp://10.0.0.5:5580", "tcp://10.0.0.5:5581"),
        ("10.0.0.5:6000", "tcp://10.0.0.5:6000", "tcp://10.0.0.5:5581"),
        (" console ", "tcp://console:5580", "tcp://console:5581"),
        ("tcp://[::1]:5580", "tcp://[::1]:5580", "tcp://[::1]:5581"),
    ],
)
def test_what_is_left_out_gets_its_usual_value(typed, feed, commands):
    address = parse_address(typed)
    assert (address.feed, address.command_address(5581)) == (feed, commands)


def test_the_control_address_may_be_another():
    assert parse_address("a", "b:7000").command_address(5581) == "tcp://b:7000"
    assert parse_address("a", "tcp://b").control == "tcp://b:5581"


@pytest.mark.parametrize(
    "bad", ["", "http://a:1", "tcp://a:99999", "a b", "a:0", "a:x"]
)
def test_what_is_no_address_is_said_in_words(bad):
    with pytest.raises(ValueError, match="expected tcp://HOST:PORT"):
        parse_address(bad)


def test_keys_come_in_pairs():
    with pytest.raises(ValueError, match="expected both"):
        parse_address("a", secret_file="me.key_secret")
    both = parse_address("a", secret_file="s", server_file="p")
    assert (both.secret_file, both.server_file) == ("s", "p")


def test_here_is_this_machine():
    assert Address().here
    assert on_this_machine(6000, 6001) == parse_address(
        "127.0.0.1:6000", "127.0.0.1:6001"
    )
    assert not parse_address("10.0.0.5").here


def test_a_session_without_control_takes_no_commands():
    assert parse_address("a").command_address(None) is None


@pytest.mark.parametrize(
    ("arguments", "feed", "control"),
    [
        (("run",), "tcp://127.0.0.1:5580", "tcp://127.0.0.1:5581"),
        (("run", "--port", "7"), "tcp://127.0.0.1:7", "tcp://127.0.0.1:5581"),
        (("run", "--control-port", "8"), "tcp://127.0.0.1:5580", "tcp://127.0.0.1:8"),
    ],
)
def test_ports_are_read_from_the_arguments(arguments, feed, control):
    address = address_of(arguments)
    assert (address.feed, address.command_address(1)) == (feed, control)
