import struct

import pytest
from feed_messages import body
from pythonosc.osc_message import OscMessage

from rtbold.bridge.datagrams import UdpBridge, messages
from rtbold.bridge.door import Destination, Door, check_door
from rtbold.bridge.news import News, Shown
from rtbold.bridge.numbers import NumberChoice, numbers_of
from rtbold.bridge.websocket import is_ours
from rtbold.errors import ConfigError

VALUE = Shown(show="value", value=0.4, z=0.8, volume_index=7, status="ok")
USUAL = NumberChoice()
HOLD = Shown(show="hold", value=0.4, z=0.8, reasons=("gap",))


def udp(choice=USUAL):
    sent = []
    return UdpBridge(Destination("127.0.0.1", 9), sent.append, choice), sent


def test_udp_sends_four_bytes_for_each_change():
    bridge, sent = udp()
    bridge.take(News(shown=VALUE, changed=True))
    bridge.take(News(shown=VALUE, due=True))  # nothing new
    bridge.take(News(shown=HOLD, changed=True))  # the receiver has it
    bridge.take(News(shown=Shown(), changed=True))
    assert [struct.unpack("=f", data)[0] for data in sent] == [
        pytest.approx(0.8), 0.0,
    ]  # fmt: skip


def test_udp_sends_what_was_chosen():
    bridge, sent = udp(NumberChoice(quantity="value", neutral=None))
    bridge.take(News(shown=VALUE, changed=True))
    bridge.take(News(shown=Shown(), changed=True))  # neutral is nothing
    assert sent == [struct.pack("=f", 0.4)]


def test_a_value_without_z_is_neutral():
    bridge, sent = udp()
    unknown = Shown(show="value", value=0.4, z=None)
    bridge.take(News(shown=unknown, changed=True))
    assert sent == [struct.pack("=f", 0.0)]
    said = [OscMessage(m) for m in messages(News(shown=unknown, changed=1, due=True))]
    assert [(m.address, m.params) for m in said] == [("/rtbold/show", ["neutral"])]


def test_osc_tells_numbers_and_status_and_what_to_do():
    said = [OscMessage(m) for m in messages(News(shown=VALUE, changed=True, due=True))]
    assert [m.address for m in said] == ["/rtbold/feedback", "/rtbold/show"]
    z, value, volume, status = said[0].params
    assert (z, value) == (pytest.approx(0.8), pytest.approx(0.4))
    assert (volume, status, said[1].params) == (7, "ok", ["value"])
    for shown in (HOLD, Shown()):
        (only,) = messages(News(shown=shown, changed=True, due=True))
        assert OscMessage(only).params == [shown.show]
    assert messages(News(shown=VALUE)) == []


@pytest.mark.parametrize("status", ["invalid", "warmup", "paused", None, "new"])
def test_only_a_usable_prediction_has_numbers(status):
    message = {**body("pred.fb"), "status": status}
    assert numbers_of("pred.fb", message, (), "z") == {"dmn": None}


@pytest.mark.parametrize("z", [None, "1", True, [], float("nan"), float("inf")])
def test_what_is_no_number_is_none(z):
    assert numbers_of("pred.fb", {**body("pred.fb"), "z": z}, (), "z") == {"dmn": None}


def test_a_session_may_say_what_to_show():
    message = {**body("pred.fb"), "shown": 0.75}
    assert numbers_of("pred.fb", message, (), "shown") == {"dmn": 0.75}
    for quantity in ("z", "shown"):  # it says neutral, whatever value it has
        hidden = {**message, "shown": None}
        assert numbers_of("pred.fb", hidden, (), quantity) == {"dmn": None}
    assert numbers_of("pred.roi", body("pred.roi"), ("a",), "shown") == {"a": None}
    assert NumberChoice("shown").of(Shown(shown=0.75)) == 0.75


def test_rois_without_names_or_of_another_length_have_no_numbers():
    message = body("pred.roi")
    assert numbers_of("pred.roi", message, (), "z") is None
    assert numbers_of("pred.roi", message, ("a", "b"), "z") == {"a": None, "b": None}
    assert numbers_of("hb", body("hb"), ("a",), "z") is None


@pytest.mark.parametrize(
    ("quantity", "neutral", "message"),
    [("percent", "0", "--quantity is 'percent'"), ("z", "nan", "--neutral is 'nan'"),
     ("z", "none", "or the word nothing")],
)  # fmt: skip
def test_wrong_numbers_are_refused(quantity, neutral, message):
    with pytest.raises(ConfigError, match=message):
        NumberChoice.parse(quantity, neutral)


@pytest.mark.parametrize(
    ("text", "message"),
    [("9000", "HOST:PORT"), (":9000", "HOST:PORT"), ("a:0", "HOST:PORT"),
     ("a:99999", "HOST:PORT"), ("a:x", "HOST:PORT"), ("239.0.0.1:9", "many machines"),
     ("255.255.255.255:9", "many machines"), ("0.0.0.0:9", "many machines")],
)  # fmt: skip
def test_a_destination_is_one_machine(text, message):
    with pytest.raises(ConfigError, match=message):
        Destination.parse(text, "--osc")


def test_destinations_are_read():
    assert Destination.parse("[::1]:9000", "--osc") == Destination("::1", 9000)
    assert str(Destination.parse("lab:57120", "--osc")) == "lab:57120"


class Guest:
    ended = False

    def abort(self):
        self.ended = True


def test_beyond_this_machine_somebody_has_to_be_named():
    with pytest.raises(ConfigError, match=r"--bind 0\.0\.0\.0 .* --allow"):
        check_door("0.0.0.0", ())
    with pytest.raises(ConfigError, match="--allow is 'lab'"):
        check_door("0.0.0.0", ("lab",))
    assert check_door("127.0.0.1", ()) == ()
    door = Door(check_door("0.0.0.0", ("192.168.0.0/24", "10.0.0.7")))
    for host, may in (
        ("192.168.0.9", True), ("::ffff:10.0.0.7", True), ("127.0.0.1", True),
        ("10.0.0.8", False), ("", False), ("lab", False), ("fe80::1%eth0", False),
    ):  # fmt: skip
        guest = Guest()
        assert door.admit(guest, host) is may
        assert guest.ended is not may
    assert door.n_refused == 4


def test_who_never_asked_makes_room():
    door = Door(most=2)
    silent, asking, late = Guest(), Guest(), Guest()
    for guest in (asking, silent):
        door.admit(guest, "127.0.0.1")
    door.asked(asking)
    assert door.admit(late, "127.0.0.1")
    assert (silent.ended, asking.ended, len(door)) == (True, False, 2)
    door.asked(late)
    assert not door.admit(Guest(), "127.0.0.1")
    door.leave(asking)
    assert door.admit(Guest(), "127.0.0.1")


@pytest.mark.parametrize(
    ("origin", "host", "ours"),
    [
        ("http://192.168.0.5:5590", "192.168.0.5:5590", True),
        ("http://[fe80::1]:5590", "[fe80::1]:5590", True),
        ("http://evil.example:5590", "evil.example:5590", False),  # a name of theirs
        ("http://6.6.6.6:5590", "127.0.0.1:5590", False),
        ("https://127.0.0.1:5590", "127.0.0.1:5590", False),
        ("null", "127.0.0.1:5590", False),
        ("", "", False),
        ("http://[", "[", False),
    ],
)
def test_a_page_is_ours_if_it_came_from_where_it_connects_to(origin, host, ours):
    assert is_ours(origin, host) is ours
