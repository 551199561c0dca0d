"""On which line of a TOML file each key stands, so that a message can name it.

The standard library's reader gives values without their places. This one finds places
and no values: of a text that is valid TOML already.
"""

import tomllib
from bisect import bisect_right
from collections.abc import Mapping

Path = tuple[str | int, ...]  # ("runs", 0, "kind")
_QUOTES = ('"""', "'''", '"', "'")


def key_lines(text: str) -> Mapping[Path, int]:
    """Return the line, from 1, of each key, table and item of an array.

    Parameters
    ----------
    text : valid TOML.
    """
    return _Scanner(text).document()


class _Scanner:
    """Goes through the text once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._ends = [i for i, letter in enumerate(text) if letter == "\n"]
        self._found: dict[Path, int] = {}
        self._n_tables: dict[Path, int] = {}  # of each array of tables, so far

    def document(self) -> Mapping[Path, int]:
        table: Path = ()
        while self._skip(" \t\r\n"):
            if self._text.startswith("[[", self._at):
                table = self._header(2)
            elif self._text[self._at] == "[":
                table = self._header(1)
            else:
                self._pair(table)
        return self._found

    def _note(self, path: Path) -> None:
        self._found.setdefault(path, bisect_right(self._ends, self._at - 1) + 1)

    def _skip(self, what: str) -> bool:
        """Pass over blanks and comments; return whether anything is left."""
        while self._at < len(self._text):
            if self._text[self._at] == "#":
                end = self._text.find("\n", self._at)
                self._at = len(self._text) if end < 0 else end
            elif self._text[self._at] in what:
                self._at += 1
            else:
                return True
        return False

    def _header(self, n: int) -> Path:
        begun = self._at
        self._at += n
        path: Path = ()
        for key in self._key():
            path = (*self._newest(path), key)
        self._at, after = begun, self._at + n
        if n == 2:
            self._note(path)
            self._n_tables[path] = self._n_tables.get(path, 0) + 1
        path = self._newest(path)
        self._note(path)
        self._at = after
        return path

    def _newest(self, path: Path) -> Path:
        """Return the path of the newest table where `path` is an array of them."""
        n = self._n_tables.get(path, 0)
        return (*path, n - 1) if n else path

    def _key(self) -> Path:
        keys: list[str] = []
        while True:
            self._skip(" \t")
            if self._text[self._at] in "\"'":
                keys.append(_unquoted(self._string()))
            else:
                begun = self._at
                while self._text[self._at].isalnum() or self._text[self._at] in "-_":
                    self._at += 1
                keys.append(self._text[begun : self._at])
            self._skip(" \t")
            if self._text[self._at] != ".":
                return tuple(keys)
            self._at += 1

    def _pair(self, table: Path) -> None:
        begun = self._at
        path: Path = table
        keys = self._key()
        after, self._at = self._at, begun
        for key in keys:
            path = (*path, key)
            self._note(path)
        self._at = after + 1  # the equals sign
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip(" \t")
        letter = self._text[self._at]
        if letter in "\"'":
            self._string()
        elif letter == "[":
            self._array(path)
        elif letter == "{":
            self._inline(path)
        else:
            while self._at < len(self._text) and self._text[self._at] not in ",]}\n#":
                self._at += 1

    def _array(self, path: Path) -> None:
        self._at += 1
        n = 0
        while self._skip(" \t\r\n,"):
            if self._text[self._at] == "]":
                self._at += 1
                return
            self._note((*path, n))
            self._value((*path, n))
            n += 1

    def _inline(self, path: Path) -> None:
        self._at += 1
        while self._skip(" \t\r\n,"):
            if self._text[self._at] == "}":
                self._at += 1
                return
            self._pair(path)

    def _string(self) -> str:
        """Pass over a string; return it as it is written, quotes among it."""
        begun = self._at
        quote = next(q for q in _QUOTES if self._text.startswith(q, self._at))
        self._at += len(quote)
        while not self._text.startswith(quote, self._at):
            escapes = quote[0] == '"' and self._text[self._at] == "\\"
            self._at += 2 if escapes else 1
        while len(quote) == 3 and self._text.startswith(quote, self._at + 1):
            self._at += 1  # quotes that belong to the string stand before its end
        self._at += len(quote)
        return self._text[begun : self._at]


def _unquoted(key: str) -> str:
    """Return what a quoted key stands for."""
    return next(iter(tomllib.loads(f"{key} = 0")))
