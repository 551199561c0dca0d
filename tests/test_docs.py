"""Every page can be found, every link leads somewhere, and no page is too long."""

import contextlib
import importlib
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GENERATED = ("reference/commands", "reference/api")  # by docs/conf.py, at each build
NAMING = ["rtbold", "calibration", "gui", "models", "scripts"]
LOOSE = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
SCREENS = 120  # lines of a page: two screens
README_LINES = 60


def is_generated(file):
    return file.relative_to(DOCS).as_posix().startswith(GENERATED)


WRITTEN = sorted(page for page in DOCS.rglob("*.md") if not is_generated(page))
PAGES = [ROOT / "README.md", *WRITTEN]


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def prose(page):
    """The text of a page without its blocks of code."""
    return re.sub(r"^( *)```.*?^\1```", "", page.read_text("utf-8"), flags=re.M | re.S)


def links(page):
    """Files that a page links to; addresses and places in the same page left out."""
    targets = re.findall(r"\]\(([^)\s#]+)(?:#[^)]*)?\)", prose(page))
    targets += re.findall(r'src(?:set)?="([^"]+)"', prose(page))
    return {
        (page.parent / target).resolve()
        for target in targets
        if "://" not in target and not target.startswith("mailto:")
    }


def listed(page):
    """Pages in the tables of contents of a page; what is generated left out."""
    blocks = re.findall(r"```\{toctree\}\n(.*?)```", page.read_text("utf-8"), re.S)
    names = [
        line
        for block in blocks
        for line in block.splitlines()
        if line and not line.startswith(":")
    ]
    files = [file for name in names for file in found_by(page.parent, name)]
    return [file for file in files if not is_generated(file)]


def found_by(folder, name):
    """The pages that an entry of a table of contents means; it may have a star."""
    if "*" in name:
        return sorted(folder.glob(f"{name}.md"))
    return [(folder / f"{name}.md").resolve()]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    wanted = [*links(page), *listed(page)]
    assert [str(target) for target in wanted if not target.exists()] == []


def test_every_page_is_found_from_the_readme():
    found, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        found.add(page)
        for target in {*links(page), *listed(page)} - found:
            if target.suffix == ".md":
                waiting.append(target)
    assert [name_of(page) for page in PAGES if page not in found] == []


def test_every_page_stands_in_one_table_of_contents():
    places = [target for page in WRITTEN for target in listed(page)]
    wanted = [page for page in WRITTEN if page != DOCS / "index.md"]
    assert sorted(places) == wanted


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_a_page_is_at_most_two_screens(page):
    if page.parent == DOCS / "data":
        pytest.skip("tables that scripts measure")
    assert len(page.read_text("utf-8").splitlines()) <= SCREENS


def test_the_readme_is_one_screen():
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) <= README_LINES


def files_that_name_pages():
    for folder in NAMING:
        yield from sorted((ROOT / folder).rglob("*.py"))
    yield from (ROOT / name for name in LOOSE)


def pages_named(text):
    """Paths below docs/ in a text: whole ones, and decisions by their number."""
    return {
        *re.findall(r"\bdocs/[\w./-]+\.(?:md|json)\b", text),
        *re.findall(r"\bdocs/decisions/\d{4}", text),
    }


def test_pages_that_messages_and_comments_name_exist():
    lost = [
        f"{name_of(file)}: {path}"
        for file in files_that_name_pages()
        for path in sorted(pages_named(file.read_text("utf-8")))
        if not list(ROOT.glob(f"{path}*"))
    ]
    assert lost == []


FILES = r"`((?:rtbold|models|calibration|gui|tests)/[a-z0-9_./-]+\.(?:py|csv|json))`"
MODULES = r"\b(?:from|import) (rtbold(?:\.\w+)+)|`(rtbold(?:\.[a-z_]+)+)[\w.]*[`(]"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_and_modules_that_a_page_names_exist(page):
    if page.parent == DOCS / "decisions":
        pytest.skip("a decision is as old as its day")
    text = page.read_text("utf-8")
    files = re.findall(FILES, text)
    modules = {first or second for first, second in re.findall(MODULES, text)}
    assert [name for name in files if not (ROOT / name).exists()] == []
    assert [name for name in modules if not names_something(name)] == []


def names_something(dotted):
    """Whether a dotted name is a module, or what stands in one."""
    with contextlib.suppress(ModuleNotFoundError):
        if importlib.util.find_spec(dotted) is not None:
            return True
    module, _, name = dotted.rpartition(".")
    return bool(module) and hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize("text", ["see docs/no.md.", "(docs/decisions/9999)"])
def test_a_page_that_is_not_there_is_noticed(text):
    (path,) = pages_named(text)
    assert not list(ROOT.glob(f"{path}*"))


LINE_LINK = re.compile(r"\[`(\w+)`\]\(([\w./-]+)#L(\d+)\)")


def test_a_link_to_a_line_leads_to_what_it_names():
    page = ROOT / "docs" / "architecture.md"
    links = LINE_LINK.findall(page.read_text("utf-8"))
    assert len(links) > 20  # the way of one sample, and where to look for what
    for name, target, number in links:
        lines = (page.parent / target).read_text("utf-8").splitlines()
        assert re.search(rf"\b{name}\b", lines[int(number) - 1]), (name, target)
