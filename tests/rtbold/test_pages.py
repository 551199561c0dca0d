import re
from pathlib import Path

import jinja2
import pytest
from markupsafe import Markup

from rtbold import pages
from rtbold.pages import printable, rendered

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("rtbold", "calibration", "gui")
TEMPLATES = [file for name in FOLDERS for file in (ROOT / name).rglob("*.j2")]
ESCAPED = "&lt;script&gt;&#34;&amp;&#39;"


@pytest.fixture
def page(monkeypatch):
    """Return the page that a template of one's own makes."""

    def made(template, **values):
        environment = pages.templates_of.__wrapped__("rtbold.cli")
        environment.loader = jinja2.DictLoader({"own.j2": template})
        monkeypatch.setattr(pages, "templates_of", lambda package: environment)
        return rendered("rtbold.cli", "own.j2", **values)

    return made


def test_text_is_escaped_between_tags_and_in_attributes(page):
    made = page('<p title="{{ x }}">{{ x }}</p>', x="<script>\"&'")
    assert made == f'<p title="{ESCAPED}">{ESCAPED}</p>'


def test_markup_is_left_as_it_is(page):
    assert page("{{ x }}", x=Markup("<b>1 &lt; 2</b>")) == "<b>1 &lt; 2</b>"


@pytest.mark.parametrize("kind", [str, Markup])
def test_control_characters_never_reach_a_page(page, kind):
    assert page("{{ x }}", x=kind("a\x00b\u202ec\ud800d")) == "a?b?c?d"


@pytest.mark.parametrize("template", ["{{ y }}", "{{ x.y }}", "{% if y %}1{% endif %}"])
def test_a_name_that_is_not_there_is_an_error(page, template):
    with pytest.raises(jinja2.UndefinedError):
        page(template, x=())


def test_letters_of_every_script_are_printable():
    assert printable("Müller \u8133 \u2192 1\u20132\n\tx") == (
        "Müller \u8133 \u2192 1\u20132\n\tx"
    )


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda f: str(f.relative_to(ROOT)))
def test_no_template_says_that_a_text_is_safe(file):
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe|autoescape|forceescape|Markup", text)
