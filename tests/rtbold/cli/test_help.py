"""What `--help` shows: panels by order of use, every option, an example that works."""

import re
import shlex

import pytest
import typer

from rtbold import cli, distribution
from rtbold.cli.app import COMMANDS, PANELS, build_app
from rtbold.cli.panels import OPTION_PANELS

ROOT_COMMAND = typer.main.get_command(build_app())


def commands():
    """Every command, by its words; groups are left out."""
    for name in ROOT_COMMAND.commands:
        if name in COMMANDS:
            yield (name,), ROOT_COMMAND.loaded(name)
            continue
        group = ROOT_COMMAND.commands[name]
        for inner in group.commands:
            yield (name, inner), group.loaded(inner)


ALL = dict(commands())


def examples(text):
    """The command lines of a help, each in one piece."""
    found = re.findall(r"Example: `?(rtbold [^`\n]*)", text)
    for block in re.findall(r"Example:\n\n((?: {4,}.*\n?)+)", text):
        found.append(re.sub(r"\\\n\s*", "", block).strip())
    return found


def parse(line):
    """Parse a line as the program would, and run nothing."""
    words = shlex.split(line)[1:]
    command, name = ROOT_COMMAND, "rtbold"
    while hasattr(command, "loaded"):
        name = words.pop(0)
        command = command.loaded(name) or command.commands[name]
    return command.make_context(name, words)


def test_the_version_is_told(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"rtbold-eeg {distribution.version()}\n"


@pytest.mark.parametrize(
    "words", [(), ("models",), ("run",), ("models", "show")], ids=" ".join
)
def test_the_short_form_of_help_is_the_long_one(capsys, words):
    assert cli.main([*words, "-h"]) == 0
    short = capsys.readouterr().out
    assert cli.main([*words, "--help"]) == 0
    assert capsys.readouterr().out == short
    assert "Usage: rtbold" in short


@pytest.mark.parametrize("words", [(), *ALL], ids=lambda words: " ".join(words))
def test_every_help_lists_debug(capsys, words):
    assert cli.main([*words, "--help"]) == 0
    assert "--debug" in capsys.readouterr().out


def test_commands_stand_in_panels_by_order_of_use(capsys):
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    names = [name for panel in PANELS.values() for name in panel]
    assert sorted(names) == sorted(ROOT_COMMAND.commands)
    rows = [line.split()[1] for line in shown.splitlines() if len(line.split()) > 2]
    assert [row for row in rows if row in names] == names
    assert [title for title in PANELS if f" {title} " in shown] == list(PANELS)


@pytest.mark.parametrize("name", OPTION_PANELS)
def test_options_of_the_long_commands_stand_in_panels(name):
    panels = OPTION_PANELS[name]
    listed = [option for names in panels.values() for option in names]
    options = {option.name: option for option in ALL[(name,)].params}
    assert set(listed) <= set(options)
    assert len(listed) == len(set(listed))
    rest = [n for n, each in options.items() if each.rich_help_panel is None]
    assert len(rest) <= 8, f"give these a panel in rtbold/cli/panels.py: {rest}"


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_help_has_an_example_that_parses(words):
    found = examples(ALL[words].help)
    assert found
    for line in found:
        assert shlex.split(line)[1 : 1 + len(words)] == list(words)
        parse(line)


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_an_example_is_shown_on_lines_that_can_be_copied(capsys, words):
    assert cli.main([*words, "--help"]) == 0
    shown = [line.strip() for line in capsys.readouterr().out.splitlines()]
    for line in re.findall(r"(rtbold .*|    --\w.*)", as_printed(ALL[words].help)):
        assert line.strip() in {one.removeprefix("Example: ") for one in shown}


def as_printed(text):
    """The lines of a help that belong to its examples."""
    lines = re.findall(r"Example: `?(rtbold [^`\n]*)", text)
    for block in re.findall(r"Example:\n\n((?: {4,}.*\n?)+)", text):
        lines += [line[4:] for line in block.splitlines()]
    return "\n".join(lines)


def test_the_demo_s_example_is_long_enough_to_be_judged():
    from rtbold.sim import ENOUGH_VOLUMES

    (line,) = examples(ALL[("demo",)].help)
    duration_s = parse(line).params["duration"]
    assert duration_s / 2.1 > ENOUGH_VOLUMES
