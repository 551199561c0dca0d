"""Build the documentation as a site; every warning is an error.

    python scripts/docs.py          # build/docs/index.html
    python scripts/docs.py --open   # and show it in the browser

It uses the environment of scripts/test.py, and makes it where it is missing.
"""

import argparse
import subprocess
import sys
import webbrowser
from pathlib import Path

from environment import ROOT, prepare, require_python

SITE = ROOT / "build" / "docs"


def build_command(python: Path) -> list[str]:
    """Return the command that builds the site anew; each warning is an error."""
    options = ["-b", "html", "-q", "-E", "-W", "--keep-going"]
    options += ["-d", str(SITE.with_name("doctrees"))]
    return [str(python), "-m", "sphinx", *options, str(ROOT / "docs"), str(SITE)]


def main() -> int:
    """Prepare, build, say where; 0 when no page had a fault."""
    require_python()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--open", action="store_true", help="show it in the browser")
    options = parser.parse_args()
    from test import EXTRAS  # scripts/test.py, beside this file

    python = prepare("test", EXTRAS)
    code = subprocess.run(build_command(python), cwd=ROOT, check=False).returncode
    page = SITE / "index.html"
    print(f"The site FAILED (exit {code})." if code else f"The site: {page}")
    if options.open and not code:
        webbrowser.open(page.as_uri())
    return code


if __name__ == "__main__":
    sys.exit(main())
