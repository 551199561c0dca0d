"""What the dashboard's controller needs from outside: a feed's reader, a session."""

from collections.abc import Callable, Sequence
from typing import Protocol

from rtbold.client import CurveKeys
from rtbold.gui.state.address import Address
from rtbold.gui.state.received_kinds import Received


class Feed(Protocol):
    """A reader of a feed, in a thread of its own."""

    def start(self) -> None:
        """Begin to read."""

    def drain(self) -> list[Received]:
        """Return what has come since the last call."""

    def close(self) -> None:
        """End the thread."""


class Child(Protocol):
    """A session that was started from here and outlives the window."""

    @property
    def problem(self) -> str:
        """Why it could not be started; empty: it was."""

    def poll(self) -> int | None:
        """Return its exit code; None while it runs."""

    def last_words(self) -> str:
        """Return why it ended, as far as it said so."""

    def let_go(self) -> None:
        """Leave it to itself."""


OpenFeed = Callable[[str, tuple[str, ...], CurveKeys | None], Feed]
StartSession = Callable[[Sequence[str]], Child]


def keys_of(address: Address) -> CurveKeys | None:
    """Read the keys of an address; None if it needs none.

    Raises
    ------
    ValueError, OSError : a file cannot be read, or holds no key.
    """
    if not address.secret_file:
        return None
    return CurveKeys.load(address.secret_file, address.server_file)
