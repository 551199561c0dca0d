"""The XML that a sender describes its stream in: bounded, then read.

Whoever wrote it is not trusted: it may be endless, nested without end, or hold what XML
cannot.
"""

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from rtbold.errors import StreamMismatch
from rtbold.text import printable

if TYPE_CHECKING:
    import pylsl
MOST_CHARACTERS = 1 << 22  # 4 MB; 128 channels described at length take 0.1 MB
MOST_NODES = 200_000
MOST_DEPTH = 64
# What XML 1.0 cannot hold, raw or by its number; liblsl passes on both.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NUMBERED = re.compile("&#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,10}));")


def read_xml(xml: str, *, name: str) -> ElementTree.Element:
    """Return the tree of a description.

    Characters that XML cannot hold stand in it as their escapes.

    Raises
    ------
    StreamMismatch : it is no XML, or longer or deeper than any description.
    """
    if len(xml) > MOST_CHARACTERS:
        raise _unreadable(name, f"is longer than {MOST_CHARACTERS} characters")
    xml = _NO_XML.sub(lambda found: _escape(ord(found[0])), xml)
    xml = _NUMBERED.sub(_numbered, xml)
    parser = ElementTree.XMLParser(target=_Bounded(name))
    try:
        parser.feed(xml)
        root: ElementTree.Element = parser.close()
    except ElementTree.ParseError as error:
        raise _unreadable(name, f"is no XML ({error})") from error
    return root


class _Bounded:
    """Builds a tree, and ends what is no description before it is big."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tree = ElementTree.TreeBuilder()
        self._depth = self._n_nodes = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._n_nodes += 1
        if self._depth > MOST_DEPTH:
            raise _unreadable(self._name, f"is nested deeper than {MOST_DEPTH} levels")
        if self._n_nodes > MOST_NODES:
            raise _unreadable(self._name, f"has more than {MOST_NODES} entries")
        self._tree.start(tag, attributes)

    def end(self, tag: str) -> None:
        self._depth -= 1
        self._tree.end(tag)

    def data(self, text: str) -> None:
        self._tree.data(text)

    def doctype(self, *_: object) -> None:
        """Refuse what could define entities."""
        raise _unreadable(self._name, "defines a document type")

    def close(self) -> ElementTree.Element:
        return self._tree.close()


def _unreadable(name: str, what: str) -> StreamMismatch:
    return StreamMismatch(
        f"the description of stream {name!r} {what}, expected the channel list and "
        "settings of one stream. Look at its sender."
    )


def name_in(xml: str) -> str:
    """Return the stream's name out of XML that may be none, for messages."""
    found = re.search("<name>([^<]*)", xml[:10_000])
    return printable(found[1].strip()) if found else ""


def _numbered(found: re.Match[str]) -> str:
    code = int(found[1], 16) if found[1] else int(found[2])
    fits = code <= 0x10FFFF and not _NO_XML.match(chr(code))
    return found[0] if fits else _escape(code)


def _escape(code: int) -> str:
    return f"\\x{code:02x}"


def xml_of(info: "pylsl.StreamInfo") -> str:
    """Return a stream's full description as text, if it can be one.

    liblsl indents what it writes: of some thousand levels it would make gigabytes. So
    the tree that it holds is measured first.

    Raises
    ------
    StreamMismatch : it is longer or deeper than any description.
    """
    name = printable(info.name())
    n_nodes = n_characters = 0
    open_nodes: list[pylsl.XMLElement] = []
    node = info.desc().parent()
    while True:
        n_nodes += 1
        n_characters += len(node.name()) + len(node.value())
        if n_nodes > 2 * MOST_NODES or n_characters > MOST_CHARACTERS:
            raise _unreadable(name, "has no end")
        child = node.first_child()
        if not child.empty():
            open_nodes.append(node)
            if len(open_nodes) > MOST_DEPTH:
                raise _unreadable(name, f"is nested deeper than {MOST_DEPTH} levels")
            node = child
            continue
        while (node := node.next_sibling()).empty():
            if len(open_nodes) <= 1:
                return str(info.as_xml())
            node = open_nodes.pop()
