"""Text from outside, made fit to be shown: one line, printable, not endless.

A stream's name, a label, an operator's note: whoever wrote it is not trusted, and it
goes to terminals, logs and pages. It is cleaned once, where it comes in. (A module of
its own because every layer needs it.)
"""

import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

LONGEST_TEXT = 200  # characters; a name that is read, not a document
_MORE = "..."
FEW = 5  # of a list in a message


def printable(text: str, longest: int = LONGEST_TEXT) -> str:
    r"""Return `text` so that it only shows, and does nothing to what shows it.

    What a screen does not show as itself (control characters, line breaks, marks that
    turn the direction of writing, halves of surrogate pairs) becomes its escape, as in
    ``\x1b``; every kind of blank becomes a space. What is longer than `longest`
    characters ends in ``...``. Text that is fit already comes back as it is.
    """
    if len(text) <= longest and text.isprintable():
        return text
    shown = "".join(map(_shown, text[: longest + 1]))
    return shown if len(shown) <= longest else shown[: longest - len(_MORE)] + _MORE


def first_few(names: Sequence[str], most: int = FEW) -> str:
    """Return a list for a message: the first ones, and how many more there are."""
    left = len(names) - most
    if left <= 0:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {left} more"


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape").decode("ascii")


def did_you_mean(words: Iterable[str], choices: Iterable[str]) -> str:
    """Return a sentence with the choices that come nearest to misspelt words.

    It begins with a blank, to stand behind another; empty where none comes near.
    """
    spelt = {choice.casefold(): choice for choice in choices}
    found: list[str] = []
    for word in words:
        found += get_close_matches(word.casefold(), spelt, n=2)
    near = " or ".join(repr(spelt[word]) for word in dict.fromkeys(found))
    return f" Did you mean {near}?" if near else ""
