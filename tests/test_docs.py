"""Every page can be found from the README, and every link leads somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def links(page):
    """Files that a page links to; addresses and places in the same page left out."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s#]+)(?:#[^)]*)?\)", text)
    return {
        (page.parent / target).resolve()
        for target in targets
        if "://" not in target and not target.startswith("mailto:")
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    assert [str(target) for target in links(page) if not target.exists()] == []


def test_every_page_is_found_from_the_readme():
    found, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        found.add(page)
        for target in links(page) - found:
            if target.is_dir():
                waiting += set(target.glob("*.md")) - found
            elif target.suffix == ".md":
                waiting.append(target)
    assert [str(page.relative_to(ROOT)) for page in PAGES if page not in found] == []
