"""Where a session publishes and listens; parsed once, from what a person typed."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

FEED_PORT, CONTROL_PORT = 5580, 5581
_FORM = re.compile(r"(?:tcp://)?(\[[0-9A-Fa-f:.%]+\]|[^\s:/\[\]]+)(?::(\d+))?")


@dataclass(frozen=True, slots=True)
class Address:
    """Two sockets of one session, and the files of keys if it is on another machine.

    Parameters
    ----------
    control : where it takes commands; empty: where the session itself says.
    """

    feed: str = f"tcp://127.0.0.1:{FEED_PORT}"
    control: str = ""
    secret_file: str = ""
    server_file: str = ""

    @property
    def here(self) -> bool:
        """Whether the session runs on this machine."""
        return _host(self.feed) in ("127.0.0.1", "localhost", "[::1]")

    def command_address(self, port: int | None) -> str | None:
        """Return where commands go, if the session says `port`; None: nowhere."""
        if self.control:
            return self.control
        return None if port is None else f"tcp://{_host(self.feed)}:{port}"


def on_this_machine(feed_port: int, control_port: int) -> Address:
    """Return the address of a session that this machine runs."""
    return Address(f"tcp://127.0.0.1:{feed_port}", f"tcp://127.0.0.1:{control_port}")


def parse_address(
    feed: str, control: str = "", *, secret_file: str = "", server_file: str = ""
) -> Address:
    """Return the address that was typed; what is left out gets its usual value.

    Parameters
    ----------
    feed : ``tcp://HOST:PORT``, ``HOST:PORT`` or ``HOST`` (port 5580).
    control : the same; empty: where the session itself says.
    secret_file, server_file : of CURVE keys; both or none.

    Raises
    ------
    ValueError : in words.
    """
    feed_url = _url(feed, FEED_PORT, "address of the feed")
    control_url = control and _url(control, CONTROL_PORT, "control address")
    if bool(secret_file) != bool(server_file):
        came = "the secret key alone" if secret_file else "the server's key alone"
        raise ValueError(
            f"{came} came, expected both: this client's NAME.key_secret and the "
            "session's server.key. Give both files, or none for a session on this "
            "machine."
        )
    return Address(feed_url, control_url, secret_file, server_file)


def address_of(arguments: Sequence[str]) -> Address:
    """Return where a session with these arguments publishes."""
    feed = int(_after(arguments, "--port") or FEED_PORT)
    control = int(_after(arguments, "--control-port") or CONTROL_PORT)
    return on_this_machine(feed, control)


def named_ports(arguments: Sequence[str]) -> tuple[int, ...]:
    """Return the ports that these arguments name."""
    said = (_after(arguments, option) for option in ("--port", "--control-port"))
    return tuple(int(port) for port in said if port is not None and port != "0")


def _url(text: str, port: int, what: str) -> str:
    match = _FORM.fullmatch(text.strip())
    number = int(match[2]) if match and match[2] else port
    if match is None or not 0 < number < 65536:
        raise ValueError(
            f"{text!r} is no {what}, expected tcp://HOST:PORT such as "
            f"tcp://192.168.0.5:{port}. The session says it when it starts."
        )
    return f"tcp://{match[1]}:{number}"


def _host(url: str) -> str:
    return url.removeprefix("tcp://").rsplit(":", 1)[0]


def _after(arguments: Sequence[str], option: str) -> str | None:
    pairs = itertools.pairwise(arguments)
    return next((value for name, value in pairs if name == option), None)
