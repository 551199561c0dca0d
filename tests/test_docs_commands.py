"""Every command that a page prints is one: the real command line parses it."""

import pytest
from doc_commands import PAGES, command_of, lines_of, parse, spans_of

LINES = [line for page in PAGES for line in lines_of(page)]
SPANS = [span for page in PAGES for span in spans_of(page)]


def test_the_pages_print_commands():
    assert len(LINES) > 50
    assert len(SPANS) > 50
    commands = {line.words[1] for line in LINES}
    assert {"doctor", "gui", "run", "calibrate", "fake", "models"} < commands


@pytest.mark.parametrize("line", LINES, ids=str)
def test_a_line_of_a_page_parses(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse(line.words[1:]) is not None


@pytest.mark.parametrize("span", SPANS, ids=str)
def test_a_command_in_a_sentence_exists_with_its_options(span):
    command, _, rest = command_of(span.words[1:])
    assert command is not None
    known = {name for option in command.params for name in option.opts}
    known |= {name for option in command.params for name in option.secondary_opts}
    given = {word.partition("=")[0] for word in rest if word.startswith("--")}
    assert given - known - {"--help", "--debug", "--end-with-stdin"} == set()
