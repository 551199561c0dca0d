"""The pylsl example against `rtbold fake --lsl`, each a process of its own."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration
PATIENCE_S = 60.0
SCRIPT = Path(__file__).resolve().parents[2] / "examples/lsl/read_predictions.py"
FAKE = "fake --lsl --rois 3 --speed 4 --port 0 --control-port 0".split()


def test_it_prints_each_volume():
    fake = subprocess.Popen(
        [sys.executable, "-m", "rtbold", *FAKE], stderr=subprocess.PIPE, text=True
    )
    said = next(line for line in fake.stderr if line.startswith("feed on "))
    port = re.search(r":(\d+),", said).group(1)
    reader = subprocess.Popen(
        [sys.executable, SCRIPT, port], stdout=subprocess.PIPE, text=True
    )
    lines, end_s = [], time.monotonic() + PATIENCE_S
    try:
        while not any("ok: " in line for line in lines) and time.monotonic() < end_s:
            lines.append(reader.stdout.readline())
    finally:
        for process in (reader, fake):
            process.kill()
            process.wait(PATIENCE_S)
        reader.stdout.close()
        fake.stderr.close()
    assert lines[0].startswith("channels: ")
    assert "status, volume_index" in lines[0]
    assert any(re.search(r"volume \d+ ok: -?\d", line) for line in lines), lines
