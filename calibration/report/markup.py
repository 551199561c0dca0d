"""HTML that is escaped by construction: plain text is escaped, `Markup` is not. Pure.

Names of files, subjects and ROIs come from outside, so none may become a tag.
"""

import html
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

DASH: Final = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class Markup:
    """A piece of HTML, already escaped."""

    html: str


Piece = str | Markup


def escaped(piece: Piece) -> str:
    """Return HTML; characters that no page may hold become a question mark."""
    if isinstance(piece, Markup):
        return piece.html
    return html.escape(printable(piece), quote=True)


def printable(text: str) -> str:
    """Return `text` without control characters, direction marks, lone surrogates."""
    return "".join("?" if c not in "\n\t" and _is_control(c) else c for c in text)


def _is_control(character: str) -> bool:
    return unicodedata.category(character).startswith("C")


def element(tag: str, *pieces: Piece, **attributes: str) -> Markup:
    """Return one element; ``class_`` stands for the attribute class."""
    named = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for name, value in attributes.items()
        if value
    )
    inner = "".join(escaped(piece) for piece in pieces)
    return Markup(f"<{tag}{named}>{inner}</{tag}>")


def together(pieces: Iterable[Piece]) -> Markup:
    """Return the pieces, one after the other."""
    return Markup("\n".join(escaped(piece) for piece in pieces))


def paragraph(*pieces: Piece, class_: str = "") -> Markup:
    """Return a paragraph."""
    return element("p", *pieces, class_=class_)


def section(name: str, title: str, *pieces: Piece) -> Markup:
    """Return a section with its heading; `name` is the target of links to it."""
    return element("section", element("h2", title), together(pieces), id=name)


def listed(items: Iterable[Piece]) -> Markup:
    """Return a list with a dot before each item; nothing for none."""
    rows = [element("li", item) for item in items]
    return element("ul", *rows) if rows else Markup("")


def facts(pairs: Iterable[tuple[str, Piece]]) -> Markup:
    """Return names with their values, one a line."""
    rows = [
        element("div", element("dt", name), element("dd", value))
        for name, value in pairs
    ]
    return element("dl", *rows)


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[Piece]],
    *,
    words: Sequence[int] = (0,),
    class_: str = "wide",
) -> Markup:
    """Return a table that scrolls by itself where the page is narrow.

    Parameters
    ----------
    words : columns that hold words; the others are numbers, to the right.
    """

    def line(tag: str, cells: Sequence[Piece]) -> Markup:
        kinds = ("" if i in words else "number" for i in range(len(cells)))
        pairs = zip(cells, kinds, strict=True)
        return element("tr", *(element(tag, c, class_=kind) for c, kind in pairs))

    body = [line("td", row) for row in rows]
    return element(
        "div",
        element(
            "table",
            element("thead", line("th", head)),
            element("tbody", *body),
        ),
        class_=class_,
    )


def figure(picture: Markup, caption: str) -> Markup:
    """Return a picture with the words that say what is seen."""
    return element("figure", picture, element("figcaption", caption))
