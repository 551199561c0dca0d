"""The command lines that pages print, and the real command line that parses them."""

import re
import shlex
import socket
from dataclasses import dataclass
from pathlib import Path

import typer

from rtbold.cli.app import build_app

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(
        page
        for page in (ROOT / "docs").rglob("*.md")
        if not page.relative_to(ROOT / "docs").as_posix().startswith(
            ("reference/commands", "reference/api", "decisions")
        )
    ),
]  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One command of a page, whole."""

    page: Path
    text: str
    beside: bool = False  # ends with &

    @property
    def words(self):
        return shlex.split(self.text)

    def __str__(self):
        return f"{self.page.relative_to(ROOT).as_posix()}: {self.text}"


def blocks(text):
    """Yield the lines of code of a page, indented or fenced, each continued in one."""
    joined = re.sub(r" *\\\n\s*", " ", text)
    fenced = False
    for line in joined.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line.strip()


def lines_of(page):
    """Return the commands of a page in its order."""
    found = []
    for line in blocks(page.read_text("utf-8")):
        said = re.sub(r"\s+#\s.*$", "", line).removeprefix("$ ")
        if said.startswith("rtbold "):
            plain = said.removesuffix("&").replace(" ... ", " ").removesuffix(" ...")
            found.append(Line(page, plain.strip(), said.endswith("&")))
    return found


def spans_of(page):
    """Return the commands that stand in a sentence, in backticks."""
    prose = page.read_text("utf-8")
    return [
        Line(page, span) for span in re.findall(r"(?<!`)`(rtbold [a-z][^`\n]*)`", prose)
    ]


def command_of(words):
    """Return the command that the words after ``rtbold`` name, its name, the rest."""
    command, name, rest = typer.main.get_command(build_app()), "rtbold", list(words)
    while hasattr(command, "loaded") and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        command = command.loaded(name) or command.commands.get(name)
    return command, name, rest


def parse(words):
    """Parse as the program would, and run nothing; folders that it wants are made."""
    command, name, rest = command_of(words)
    for _ in range(5):
        try:
            return command.make_context(name, list(rest))
        except Exception as error:
            wanted = re.search(r"'([^']+)' does not exist", str(error))
            if wanted is None:
                raise
            Path(wanted[1]).mkdir(parents=True)
    raise AssertionError("it wants one folder after the other")


def free_ports(n):
    with_ports = [socket.socket() for _ in range(n)]
    try:
        for one in with_ports:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in with_ports]
    finally:
        for one in with_ports:
            one.close()
