"""The BIDS validator, as the standard's makers ship it for Python."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

# It brings its own JavaScript runtime, so that neither node nor npm need be there.
COMMAND = "from bids_validator_deno import cli; cli()"
MISSING = [name for name in ("bids_validator_deno", "deno") if find_spec(name) is None]
WHY_NOT = f"{MISSING} not installed; pip install bids-validator-deno brings the checker"


def issues_of(root, cache):
    """Return (severity, code, place, words) of all that it finds in a data set."""
    quiet = {"DENO_DIR": str(cache), "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, str(root), "--format", "json"],
        capture_output=True, text=True, encoding="utf-8", timeout=300, check=False,
        env={**os.environ, **quiet},
    )  # fmt: skip
    assert done.stdout.startswith("{"), done.stderr
    found = json.loads(done.stdout)["issues"]["issues"]
    return [
        (i["severity"], i["code"], i["location"], i.get("issueMessage", ""))
        for i in found
    ]


def errors_of(root, cache):
    """Return what must not be."""
    return [issue for issue in issues_of(root, cache) if issue[0] == "error"]
