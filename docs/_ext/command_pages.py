"""Pages of the command reference, written from the command line itself.

Nothing here names a command or an option: the tree of commands is walked through the
methods that every click group has, so a command that loads lazily is read too.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from rtbold.cli.app import build_app

ARGUMENTS, OPTIONS = "Arguments", "Options"
MARKUP = re.compile(r"([\\|<>*_\[\]])")


class Context(Protocol):
    """What is needed of click's context."""

    @property
    def command_path(self) -> str:
        """Return the words from the program's name to the command."""


class Parameter(Protocol):
    """What is needed of click's options and arguments."""

    name: str
    param_type_name: str

    def get_help_record(self, ctx: Context) -> tuple[str, str] | None:
        """Return name and help; click's own arguments have none."""

    def make_metavar(self, ctx: Context) -> str:
        """Return the word that stands for its value."""


class Command(Protocol):
    """What is needed of click's commands and groups; only groups have the last two."""

    help: str | None
    hidden: bool

    def get_short_help_str(self, limit: int) -> str:
        """Return its first sentence."""

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        """Return what follows the command's name in its usage line."""

    def get_params(self, ctx: Context) -> Sequence[Parameter]:
        """Return options and arguments."""

    def list_commands(self, ctx: Context) -> list[str]:
        """Return the names below a group."""

    def get_command(self, ctx: Context, name: str) -> "Command | None":
        """Return one command below a group."""


def root_command() -> tuple[Command, Context]:
    """Return the command line's root group and its context."""
    app = build_app()
    if not is_group(app):  # a typer application that is not built yet
        from typer.main import get_command

        app = get_command(app)
    return app, app.make_context("rtbold", [], resilient_parsing=True)


def is_group(command: object) -> bool:
    """Say whether there are commands below this one."""
    return hasattr(command, "list_commands")


def visible(command: Command, context: Context) -> list[tuple[str, Command]]:
    """Return name and command of what stands directly below a group."""
    found = []
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        if hasattr(command, "loaded"):  # what the list itself holds has no options
            below = command.loaded(name) or below
        if below is not None and not below.hidden:
            found.append((name, below))
    return found


def walk(command: Command, context: Context) -> Iterator[tuple[Command, Context]]:
    """Yield `command` and every visible one below it, each with its context."""
    yield command, context
    for name, below in visible(command, context) if is_group(command) else ():
        inner = type(context)(below, info_name=name, parent=context)
        yield from walk(below, inner)


def page(command: Command, context: Context) -> str:
    """Return one command as a page of markdown."""
    about = (command.help or "").replace("\b\n", "").strip()
    parts = [f"# {context.command_path}", described(about)]
    if is_group(command):
        parts.append(_commands_below(command, context))
    else:
        usage = " ".join(command.collect_usage_pieces(context))
        parts.append(f"```text\n{context.command_path} {usage}\n```")
    for title, rows in _panels(command, context).items():
        parts.append(f"## {title}\n\n" + _table(("name", "meaning"), rows))
    return "\n\n".join(part for part in parts if part) + "\n"


def write(folder: Path) -> list[str]:
    """Write a page for each command into `folder`; return their names, in order."""
    pages = {
        file_name(context.command_path): page(command, context)
        for command, context in walk(*root_command())
    }
    replace_pages(folder, pages)
    return list(pages)


def file_name(command_path: str) -> str:
    """Return the name of a command's page, without its ending."""
    return command_path.replace(" ", "-")


def replace_pages(folder: Path, pages: dict[str, str]) -> None:
    """Make `folder` hold exactly `pages`; what did not change keeps its date."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.md"):
        if old.stem not in pages:
            old.unlink()
    for name, text in pages.items():
        file = folder / f"{name}.md"
        if not file.exists() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")


def described(text: str) -> str:
    """Return a command's help; its indented lines are code, and stay."""
    lines = text.splitlines()
    shown = [line if line.startswith("    ") else escaped(line) for line in lines]
    return "\n".join(shown)


def escaped(text: str) -> str:
    """Return `text` so that markdown shows it as it is; code in backticks stays."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(
        _cell(piece) if piece.startswith("`") else MARKUP.sub(r"\\\1", piece)
        for piece in pieces
    )


def _commands_below(command: Command, context: Context) -> str:
    rows, pages = [], []
    for name, below in visible(command, context):
        path = f"{context.command_path} {name}"
        pages.append(file_name(path))
        about = escaped(below.get_short_help_str(limit=300))
        rows.append((f"[`{path}`]({pages[-1]}.md)", about))
    tree = "\n".join(["```{toctree}", ":hidden:", "", *pages, "```"])
    return _table(("command", "what it does"), rows) + "\n\n" + tree


def _panels(command: Command, context: Context) -> dict[str, list[tuple[str, str]]]:
    """Return name and help of each parameter, by the panel that `--help` shows."""
    panels: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(context):
        if getattr(parameter, "hidden", False) or parameter.name == "help":
            continue
        known = parameter.get_help_record(context)
        name, text = known or (parameter.make_metavar(context), "")
        is_option = parameter.param_type_name == "option"
        panel = getattr(parameter, "rich_help_panel", None)
        title = panel or (OPTIONS if is_option else ARGUMENTS)
        row = (f"`{_cell(name)}`", escaped(" ".join(text.split())))
        panels.setdefault(title, []).append(row)
    return panels


def _table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {text} |" for name, text in rows)])


def _cell(text: str) -> str:
    """Return `text` so that no bar in it ends a cell of a table."""
    return text.replace("|", r"\|")
