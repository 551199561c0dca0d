"""OpenVINO and NNCF do not find what would report to their makers."""

import subprocess
import sys

import pytest

from rtbold.engine import keep_telemetry_out

# A child: whatever was imported here before would not be imported again. `openvino` is
# imported with its converter, which is what sends an event where telemetry is found.
CODE = """
import json, os, sys
asked = []
def seen(event, given):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        asked.append(repr(given))
sys.addaudithook(seen)
{first}
import openvino.tools.ovc
loaded = [name for name in sys.modules if name.startswith("openvino_telemetry.")]
print(json.dumps([asked, loaded, sorted(os.listdir(os.environ["HOME"]))]))
"""
OURS = "from rtbold.engine.openvino import open_core; open_core()"


def child(first, home):
    import json
    import os

    keep = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE")
    environment = {name: os.environ[name] for name in keep if name in os.environ}
    environment |= {"HOME": str(home), "USERPROFILE": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(first=first)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def test_nothing_is_asked_and_nothing_is_written(tmp_path):
    assert child(OURS, tmp_path) == [[], [], []]


def test_nncf_does_not_find_it_either(tmp_path):
    pytest.importorskip("nncf")
    ours = "from rtbold.engine.openvino_compile import _nncf; _nncf()"
    asked, loaded, left = child(ours, tmp_path)
    assert (asked, loaded) == ([], [])
    assert "intel" not in left


def test_what_was_loaded_before_is_not_said_to_be_out(monkeypatch):
    monkeypatch.delitem(sys.modules, "openvino_telemetry", raising=False)
    assert keep_telemetry_out()
    monkeypatch.setitem(sys.modules, "openvino_telemetry", sys)
    assert not keep_telemetry_out()
