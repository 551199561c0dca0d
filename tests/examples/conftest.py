"""Where the examples lie, and Node.js with the one package that they need."""

import shutil
import subprocess
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
INSTALL_S = 120


@pytest.fixture(scope="session")
def node_example(tmp_path_factory):
    """A copy of the example with its package; skipped where it cannot be had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node or npm is missing: the Node.js example is not run")
    folder = tmp_path_factory.mktemp("node") / "example"
    shutil.copytree(EXAMPLES / "node", folder)
    if not (folder / "node_modules" / "zeromq").is_dir():
        # its binaries are in the package; its script would only compile them anew
        command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S
            )
        except subprocess.TimeoutExpired:
            pytest.skip("npm gives no answer: the Node.js example is not run")
        if done.returncode:
            pytest.skip(f"npm cannot install zeromq: {done.stderr[-200:]}")
    return folder
