"""The page of an author's own, as the how-to page and the example have it."""

import re
from pathlib import Path

import pytest
from bridged import Publisher, bridged
from browser import Page

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/browser/index.html"
TEXT = "document.getElementById('shown')?.textContent"


def test_the_page_is_the_example():
    page = (ROOT / "docs/how-to/show-in-a-browser.md").read_text("utf-8")
    (block,) = re.findall(r"test_browser.py -->\n```html\n(.*?)```", page, re.S)
    assert block == EXAMPLE.read_text("utf-8")


def test_a_page_of_an_authors_own_shows_a_number(tmp_path):
    publisher = Publisher()
    try:
        with (
            Page(tmp_path / "browser") as page,
            bridged(publisher, websocket=0, page=EXAMPLE) as bridge,
        ):
            page.open(f"http://127.0.0.1:{bridge.outlets[0].port}/")
            page.until(f"location.port && {TEXT} === '+'")
            publisher.train()
            publisher.fb(0.5)
            page.until(f"{TEXT} === '0.50'")
            publisher.send("phase", run_type="rest")
            page.until(f"{TEXT} === '+'")
            assert page.said == []
    finally:
        publisher.close()
