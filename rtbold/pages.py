"""Pages of HTML from templates: every text is escaped, every name must be known.

Names of files, subjects and ROIs come from outside, so none may become a tag.
"""

import re
import unicodedata
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def rendered(package: str, template: str, **values: object) -> str:
    """Return a template of ``PACKAGE/templates`` with its values filled in.

    Plain text is escaped; `markupsafe.Markup` is not. A name that the template uses
    and `values` lacks raises ``jinja2.UndefinedError``.
    """
    return templates_of(package).get_template(template).render(values)


@cache
def templates_of(package: str) -> Environment:
    """Return the templates of a package, read once."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_without_controls,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def printable(text: str) -> str:
    """Return `text` with a question mark for each character that no page may hold.

    These are control characters, direction marks, lone surrogates.
    """
    return re.sub(r"[^\t\n -~]", _question_mark, text)


def _question_mark(found: re.Match[str]) -> str:
    character = found.group()
    return "?" if unicodedata.category(character).startswith("C") else character


def _without_controls(value: object) -> str:
    if isinstance(value, Markup):
        return Markup(printable(value))
    return printable(str(value))
