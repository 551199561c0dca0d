"""The LSL examples against `rtbold fake --lsl`, each a process of its own."""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pylsl.lib
import pytest

pytestmark = pytest.mark.integration
PATIENCE_S = 60.0
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples/lsl"
HEADERS = ROOT / "tests/support/liblsl"
FAKE = "fake --lsl --rois 3 --speed 4 --port 0 --control-port 0".split()


def lines_until_a_value(reader):
    """Start a fake session and a reader of its port; return what the reader prints."""
    fake = subprocess.Popen(
        [sys.executable, "-m", "rtbold", *FAKE], stderr=subprocess.PIPE, text=True
    )
    said = next(line for line in fake.stderr if line.startswith("feed on "))
    port = re.search(r":(\d+),", said).group(1)
    reading = subprocess.Popen([*reader, port], stdout=subprocess.PIPE, text=True)
    lines, end_s = [], time.monotonic() + PATIENCE_S
    try:
        while not any("ok: " in line for line in lines) and time.monotonic() < end_s:
            lines.append(reading.stdout.readline())
    finally:
        for process in (reading, fake):
            process.kill()
            process.wait(PATIENCE_S)
        reading.stdout.close()
        fake.stderr.close()
    assert any(re.search(r"volume \d+ ok: -?\d", line) for line in lines), lines
    return lines


def test_the_python_example_prints_each_volume():
    lines = lines_until_a_value([sys.executable, EXAMPLES / "read_predictions.py"])
    assert lines[0].startswith("channels: ")
    assert "status, volume_index" in lines[0]


def test_the_c_example_prints_each_volume(tmp_path):
    compiler = shutil.which("cc")
    if compiler is None or sys.platform == "win32":
        pytest.skip("no C compiler named cc: the C example is not run")
    library = Path(pylsl.lib.lib._name)
    if not library.is_file():
        pytest.skip("liblsl is the system's: its path is not known")
    program = tmp_path / "read_predictions"
    source = EXAMPLES / "read_predictions.c"
    strict = ["-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{HEADERS}"]
    linked = [library, f"-Wl,-rpath,{library.parent}"]
    subprocess.run([compiler, *strict, source, *linked, "-o", program], check=True)
    lines_until_a_value([program])
