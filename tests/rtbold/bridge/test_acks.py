import socket
import urllib.request

import pytest
from bridged import PATIENCE_S, cut_off, until

from rtbold.bridge.acks import AckServer
from rtbold.bridge.judge import Ack

pytestmark = pytest.mark.integration


@pytest.fixture
def server():
    taken, refused = [], []
    made = AckServer(0, take=taken.append, refuse=refused.append)
    made.taken, made.refused = taken, refused
    yield made
    made.close()


def client(server, data):
    found = socket.create_connection(("127.0.0.1", server.port), PATIENCE_S)
    try:
        found.sendall(data)
    except OSError:
        pass  # cut off meanwhile
    return found


def test_lines_and_posts_are_acknowledgements(server):
    assert not server.connected.is_set()
    with client(server, b'{"show": "value", "value": 0.5}\n\n{"show": "neutral"}\n'):
        until(lambda: len(server.taken) == 2)
    address = f"http://127.0.0.1:{server.port}/"
    body = b'{"show": "hold", "value": 0.5}'
    with urllib.request.urlopen(address, data=body, timeout=PATIENCE_S) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert server.taken == [Ack("value", 0.5), Ack("neutral"), Ack("hold", 0.5)]
    assert server.connected.is_set()
    assert server.refused == []


@pytest.mark.parametrize(
    "data",
    [b"x" * 1_000_000, b"POST / HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\nA" * 9999,
     b"POST / HTTP/1.1\r\nContent-Length: 9999\r\n\r\n",
     b"POST /\r\n" + b"a:b\r\n" * 99,
     b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"],
)  # fmt: skip
def test_what_is_too_much_is_cut_off_and_the_others_go_on(server, data):
    with client(server, b"") as other, client(server, data) as flood:
        assert cut_off(flood)
        other.sendall(b'{"show": "neutral"}\n')
        until(lambda: server.taken)
    assert server.refused


def test_what_is_no_acknowledgement_is_told(server):
    with client(server, b"GET / HTTP/1.1\r\n\xff\xfe\n"):
        until(lambda: len(server.refused) == 2)
    assert "expected" in server.refused[0]
    assert server.taken == []
