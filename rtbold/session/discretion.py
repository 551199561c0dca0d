"""What a session says in words, without what names a person, a computer or a place.

Log lines go to every subscriber and into ``session.log``, which is shared with the
recording. Messages of the system and of libraries hold whole paths, which hold names of
users and of participants; those of LSL hold names of computers. Here they become base
names and "this computer". Pure, but for `of_this_machine`.
"""

import re
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path

from rtbold.text import printable

LONGEST_LINE = 2000
SHORTEST_NAME = 3  # a shorter one is a word of its own in quotes alone
_CONTINUED = "    | "  # before each further line: none of them can pass for an entry
_QUOTED_PATH = re.compile(
    r"""(["'])(?:[A-Za-z]:)?[\\/][^"'\n]*[\\/](?=[^"'\\/\n]+\1)"""
)
_PATH = re.compile(r"(?<![\w:/\\.~])(?:[A-Za-z]:)?[\\/]+(?:[^\\/\s\"':;,()]+[\\/]+)+")
_LISTED = re.compile(r"\b(host|source id) '[^'\n]*'")


class Discretion:
    """Makes lines fit for others.

    Parameters
    ----------
    folders : whose paths are cut to what is below them, whatever they hold.
    hosts : names of this computer.
    """

    def __init__(
        self, folders: Iterable[Path | str] = (), hosts: Iterable[str] = ()
    ) -> None:
        known = {str(folder) for folder in folders}
        # the longest first: a home may lie in another folder of the list
        self._folders = sorted(
            (name for name in known if len(name) >= SHORTEST_NAME),
            key=len,
            reverse=True,
        )
        self._names: dict[str, str] = {}
        for host in hosts:
            self.learn(host, "this computer")

    def learn(self, host: str, called: str = "another computer") -> None:
        """Know one more computer's name; the first meaning of a name stays."""
        for name in (host, host.split(".")[0]):
            if name and name != "localhost":
                self._names.setdefault(name.casefold(), called)

    def line(self, text: str) -> str:
        """Return `text` as one line that names nobody."""
        return printable(self._anonymous(" ".join(text.split())), LONGEST_LINE)

    def entry(self, text: str) -> str:
        """Return an entry of a log; further lines, of a traceback, are set in."""
        first, *more = text.split("\n")
        return "\n".join(
            [self._shown(first), *(_CONTINUED + self._shown(line) for line in more)]
        )

    def _shown(self, line: str) -> str:
        return printable(self._anonymous(line), LONGEST_LINE)

    def _anonymous(self, text: str) -> str:
        for folder in self._folders:
            text = text.replace(folder, "/~")
        text = _QUOTED_PATH.sub(r"\1", text)
        text = _PATH.sub("", text).replace("/~", "~")
        text = _LISTED.sub(lambda found: f"{found[1]} not shown", text)
        if not self._names:
            return text
        return self._pattern().sub(
            lambda found: self._names[(found["host"] or found["short"]).casefold()],
            text,
        )

    def _pattern(self) -> re.Pattern[str]:
        names = sorted(self._names, key=len, reverse=True)
        long = (
            "|".join(re.escape(n) for n in names if len(n) >= SHORTEST_NAME) or "(?!)"
        )
        short = (
            "|".join(re.escape(n) for n in names if len(n) < SHORTEST_NAME) or "(?!)"
        )
        return re.compile(
            rf"(?P<quote>'?)(?<![\w-])(?P<host>{long})(?:\.[\w.-]*\w)?(?![\w-])"
            rf"(?P=quote)|'(?P<short>{short})'",
            re.IGNORECASE,
        )


def of_this_machine(
    folders: Iterable[Path] = (), hosts: Iterable[str | None] = ()
) -> Discretion:
    """Return a discretion that knows this computer, its user's home and `folders`.

    Parameters
    ----------
    hosts : other computers that the settings name.
    """
    places = [Path.cwd(), Path(tempfile.gettempdir())]
    try:
        places.append(Path.home())
    except RuntimeError:  # a user without a home
        pass
    absolute = [folder.absolute() for folder in folders]
    found = Discretion([*places, *absolute], [socket.gethostname()])
    for host in hosts:
        if host:
            found.learn(host)
    return found
