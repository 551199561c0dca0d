"""Build sections of the pages again: from docs/data; the models' table by counting.

python scripts/pages                    # all; nothing is measured
python scripts/pages bench_gui          # one
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

import jinja2  # noqa: E402 - after the path

import pages  # noqa: E402

known = [p.name.removesuffix(".md.j2") for p in Path(__file__).parent.glob("*.md.j2")]
for section in sys.argv[1:] or sorted(known):
    try:
        if section == "model_table":
            from evaluate import model_table

            page = pages.page_of(section)
            pages.put(pages.mark(section), model_table.table(), page=page)
        else:
            pages.build(section)
    except (FileNotFoundError, jinja2.UndefinedError) as missing:
        print(f"{section}: left as it is, figures are missing: {missing}")
    else:
        print(f"{section}: {pages.page_of(section)}")
