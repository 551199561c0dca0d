"""Keep what `rtbold evaluate` found on several kinds of scans, and fill the page.

    python scripts/keep_comparisons.py --measured "2026-11-30 ..." hard=DIR field=DIR

Each folder is an ``--out`` of the command. Writes docs/data/recipes_compared.json and
the section of docs/data/recipes.md; nothing is measured or left out here.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pages

SECTION = "recipes_compared"
ESTIMATES = ("r", "r_gsr", "mse", "r_of_mean")
PLAIN = ("name", "kind", "first_share", "own_first", "own_rank", "p")


def main() -> None:
    """Read the results, keep the figures, draw the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measured", required=True, help="day, machine and commit")
    parser.add_argument("found", nargs="+", help="LEVEL=DIR")
    options = parser.parse_args()
    levels = {}
    for word in options.found:
        level, _, folder = word.partition("=")
        results = json.loads((Path(folder) / "results.json").read_text("utf-8"))
        levels[level] = short(results)
    pages.keep(SECTION, {"measured": options.measured, "levels": levels})
    pages.build(SECTION)


def short(results: dict) -> dict:
    """Return the figures of the tables, without those of every ROI."""
    return {
        "data": results["data"],
        "subjects": len(results["subjects"]),
        "scans": list(results["scans"]),
        "split": Path(results["split"]).name,  # a sheet may lie anywhere
        "models": [line(model) for model in results["models"]],
        "differences": results["differences"],
        "notes": results["notes"],
    }


def line(model: dict) -> dict:
    """Return one model's line."""
    kept = {name: model[name] for name in (*PLAIN, *ESTIMATES)}
    return kept | {"controls": model.get("controls", {})}


if __name__ == "__main__":
    main()
