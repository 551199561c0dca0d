"""Links from a page to a line of code lead to a page of the site with that line.

A page links to ``../rtbold/client.py#L30``, which works wherever the files are browsed.
Sphinx would offer the file as a download and forget the line. Here each linked file
becomes a page with an anchor for each line, and a link to no file is an error.
"""

import re
from pathlib import Path

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx.application import Sphinx
from sphinx.util import logging

FOLDER, SCHEME = "_code", "code:"
LINK = re.compile(r"\]\((\.\.?/[\w./-]+\.py)((?:#L\d+)?)\)")


def mark_links(app: Sphinx, docname: str, source: list[str]) -> None:
    """Turn each link to a Python file into an address from the repository's root."""
    root = Path(app.srcdir).resolve().parent
    folder = (Path(app.srcdir) / docname).resolve().parent

    def marked(match: re.Match[str]) -> str:
        file = (folder / match[1]).resolve()
        if not file.is_file():
            logging.getLogger(__name__).warning(
                "link to a file that is not there: %s", match[1], location=docname
            )
        return f"]({SCHEME}{file.relative_to(root).as_posix()}{match[2]})"

    source[0] = LINK.sub(marked, source[0])


def lead_to_pages(app: Sphinx, doctree: nodes.document) -> None:
    """Let each marked link lead to the file's page, and note the file."""
    up = "../" * app.env.docname.count("/")
    for link in doctree.findall(nodes.reference):
        if link.get("refuri", "").startswith(SCHEME):
            file, _, line = link["refuri"].removeprefix(SCHEME).partition("#")
            linked_files(app).add(file)
            link["refuri"] = f"{up}{FOLDER}/{file}.html" + (f"#{line}" if line else "")


def linked_files(app: Sphinx) -> set[str]:
    """Return the set of files that pages link to, kept for this build."""
    found: set[str] = app.env.__dict__.setdefault("rtbold_linked_files", set())
    return found


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write a page for each linked file once all other pages stand."""
    for name in sorted(linked_files(app)) if exception is None else ():
        file = Path(app.srcdir).parent / name
        if file.is_file():
            page = Path(app.outdir) / FOLDER / f"{name}.html"
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(code_page(name, file.read_text("utf-8")), "utf-8")


def code_page(name: str, text: str) -> str:
    """Return a file as HTML; its anchors are named L1, L2, ... as code hosts do."""
    form = HtmlFormatter(
        full=True, title=name, linenos="inline", lineanchors="L", anchorlinenos=True
    )
    html: str = highlight(text, PythonLexer(), form)
    return html.replace('"L-', '"L').replace("#L-", "#L")


def setup(app: Sphinx) -> dict[str, bool]:
    """Join in while pages are read, and after the last is written."""
    app.connect("source-read", mark_links)
    app.connect("doctree-read", lead_to_pages)
    app.connect("build-finished", write)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
