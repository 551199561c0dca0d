"""Settings of the documentation's site: `python scripts/docs.py` builds it."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

from rtbold import distribution

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))

project = "rtbold"
author = "The rtbold developers"
project_copyright = "2026, the rtbold developers"
version = release = distribution.version()

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "docstrings",
    "source_pages",
]
exclude_patterns = ["_ext"]
source_suffix = {".md": "markdown"}
suppress_warnings = ["ref.python"]  # two packages may have a name in common
smartquotes = False  # two hyphens are an option, not a dash

myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 4
myst_url_schemes = {"http": None, "https": None, "mailto": None, "code": None}

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
python_use_unqualified_type_names = True

html_theme = "pydata_sphinx_theme"
html_title = f"rtbold {release}"
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": False,
    "navigation_with_keys": False,
}


def write_generated_pages(app: Sphinx) -> None:
    """Write the pages that come from the command line and from docstrings."""
    import api_pages
    import command_pages

    command_pages.write(HERE / "reference" / "commands")
    api_pages.write(HERE / "reference" / "api")


def setup(app: Sphinx) -> None:
    """Let the generated pages be written before Sphinx looks for pages."""
    app.connect("builder-inited", write_generated_pages)
