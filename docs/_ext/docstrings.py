"""Indented lines of a docstring are code, as in every docstring of the product.

reStructuredText takes them for a quotation. Only the free text is looked at; what
follows the first heading of a section belongs to napoleon.
"""

from sphinx.application import Sphinx

INDENT = "    "
RULE = "---"


def with_code_blocks(lines: list[str]) -> list[str]:
    """Return `lines` with each indented block of the free text marked as code."""
    rules = [k for k, line in enumerate(lines) if line.startswith(RULE)]
    end = rules[0] - 1 if rules else len(lines)
    out: list[str] = []
    inside = False
    for k, line in enumerate(lines):
        begins = k < end and line.startswith(INDENT) and not inside
        if begins and (not out or not out[-1].strip()):
            out += ["::", ""]
        inside = line.startswith(INDENT) or (inside and not line.strip())
        out.append(line)
    return out


def process(
    app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    """Change the lines of one docstring in place, before napoleon reads them."""
    lines[:] = with_code_blocks(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Join in before napoleon, whose priority is 500."""
    app.connect("autodoc-process-docstring", process, priority=400)
    return {"parallel_read_safe": True}
