"""The pages that operators read name what the window says."""

import re
from pathlib import Path

from rtbold.gui.state.words import REASON_WORDS, STATUS_WORDS
from rtbold.gui.views.main_window import KEYS
from rtbold.gui.views.session import page as session_page
from rtbold.gui.views.setup import page as setup_page

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NAMES = (
    "tutorials/dry-run",
    "how-to/run-a-session",
    "how-to/solve-problems",
    "how-to/show-the-participant",
    "how-to/another-machine",
    "reference/dashboard",
)
PAGE = "\n".join((DOCS / f"{name}.md").read_text(encoding="utf-8") for name in NAMES)


def test_every_reason_is_explained_in_the_window_s_words():
    for reason, words in REASON_WORDS.items():
        assert f"| `{reason}` | {words.short} | {words.do} |" in PAGE


def test_every_symbol_is_explained():
    for level, words in STATUS_WORDS.items():
        assert f"| {words.symbol} |" in PAGE
        if level != "silent":  # the headline says NO HEARTBEAT or STALLED instead
            assert words.word in PAGE


def test_every_key_is_listed():
    for key, what in (*KEYS, *setup_page.KEYS, *session_page.KEY_LINES):
        assert f"| `{key}` | {what} |" in PAGE


def test_every_picture_exists_and_is_small():
    named = re.findall(r"\(\.\./(img/dashboard/[^)]+)\)", PAGE)
    assert len(named) > 20
    for name in named:
        assert 1_000 < (DOCS / name).stat().st_size < 150_000
    folder = DOCS / "img" / "dashboard"
    pages = [
        p.read_text("utf-8") for p in [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]
    ]
    assert sum(file.stat().st_size for file in folder.iterdir()) < 6_000_000
    for file in folder.iterdir():
        shown = any(file.name in page for page in pages)
        assert shown or file.name.startswith("driven-"), file
