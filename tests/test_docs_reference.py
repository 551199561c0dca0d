"""The generated pages of the reference: all commands, all faces, links to lines."""

import importlib
from pathlib import Path

import pytest

EXTENSIONS = Path(__file__).parents[1] / "docs" / "_ext"


@pytest.fixture
def extension(monkeypatch):
    """Import a module of docs/_ext by its name."""
    monkeypatch.syspath_prepend(str(EXTENSIONS))
    return importlib.import_module


def test_each_command_has_a_page_that_names_all_its_options(extension, tmp_path):
    commands = extension("command_pages")
    names = commands.write(tmp_path)
    assert {"rtbold", "rtbold-run", "rtbold-models-compile"} <= set(names)
    assert sorted(file.stem for file in tmp_path.glob("*.md")) == sorted(names)
    for command, context in commands.walk(*commands.root_command()):
        name = commands.file_name(context.command_path)
        text = (tmp_path / f"{name}.md").read_text("utf-8")
        options = [p for p in command.get_params(context) if p.name != "help"]
        shown = [p for p in options if not getattr(p, "hidden", False)]
        for option in (o for p in shown for o in p.opts if o.startswith("--")):
            assert option in text, f"{context.command_path}: {option}"


def test_the_page_of_a_command_has_its_panels_and_its_example_as_code(
    extension, tmp_path
):
    extension("command_pages").write(tmp_path)
    text = (tmp_path / "rtbold-run.md").read_text("utf-8")
    for piece in ("--trigger-stream", "## Triggers and TR", "    rtbold run --subject"):
        assert piece in text


def test_a_page_of_a_command_that_is_gone_goes_too(extension, tmp_path):
    commands = extension("command_pages")
    (tmp_path / "rtbold-old.md").write_text("old")
    commands.replace_pages(tmp_path, {"rtbold-new": "new"})
    assert [file.name for file in tmp_path.iterdir()] == ["rtbold-new.md"]


def test_help_is_shown_as_it_is_and_code_stays_code(extension):
    escaped = extension("command_pages").escaped
    assert escaped("a_b *c* `d_e|f` <g>") == r"a\_b \*c\* `d_e\|f` \<g\>"


def test_before_the_rooms_exist_only_faces_that_are_there_have_a_page(
    extension, monkeypatch
):
    api = extension("api_pages")
    monkeypatch.setattr(api, "FACES", ("rtbold.client", "rtbold.no_such_room"))
    monkeypatch.setattr(api, "ROOMS", ("rtbold.no_such_room",))
    assert api.faces() == ["rtbold.client"]


def test_once_a_room_exists_a_missing_face_is_an_error(extension, monkeypatch):
    api = extension("api_pages")
    monkeypatch.setattr(api, "FACES", ("rtbold.client", "rtbold.no_such_room"))
    monkeypatch.setattr(api, "ROOMS", ("rtbold.client",))
    with pytest.raises(api.MissingFace, match=r"no package rtbold\.no_such_room"):
        api.faces()


def test_a_face_that_hands_out_nothing_is_an_error(extension, monkeypatch):
    api = extension("api_pages")
    monkeypatch.setattr(api, "public_names", lambda name: [])
    with pytest.raises(api.MissingFace, match="hands out no name"):
        api.page("rtbold.client")


def test_the_page_of_a_face_has_an_entry_for_each_public_name(extension):
    api = extension("api_pages")
    text = api.page("rtbold.client")
    assert ".. autoclass:: rtbold.client.Subscriber" in text
    assert ".. autofunction:: rtbold.client.request" in text


def test_a_page_of_code_has_an_anchor_for_each_line(extension):
    pytest.importorskip("sphinx")
    text = extension("source_pages").code_page("a.py", "x = 1\ny = 2\n")
    assert 'id="L1"' in text
    assert 'id="L2"' in text


def test_indented_lines_of_a_docstring_are_code_and_sections_are_left_alone(extension):
    pytest.importorskip("sphinx")
    lines = ["One.", "", "    a = 1", "", "    b = 2", "", "End.", "", "Parameters"]
    rest = ["----------", "x : metres", "    How far."]
    made = extension("docstrings").with_code_blocks([*lines, *rest])
    assert made == [*lines[:2], "::", "", *lines[2:], *rest]
