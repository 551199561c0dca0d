import io

import pytest

pytest.importorskip("torch")

from rtbold.calibration.fit.protocol import Progress
from rtbold.cli.calibrate import ProgressLines


class Terminal(io.StringIO):
    def isatty(self):
        return True


def told(out, times_s):
    clock = iter(times_s)
    lines = ProgressLines(lambda: next(clock), out)
    lines.say("reading")
    for done in range(1, 4):
        lines.tell(Progress("folds", done, 4, 100.0 / done))
    lines.end()
    return out.getvalue()


def test_a_terminal_has_one_line_that_moves():
    said = told(Terminal(), [0.0, 1.0])
    assert said.startswith("    1 s  reading\n\r")
    assert said.count("\r") == 3
    assert "folds 50%, 50 s left" in said
    assert "folds 25%, 2 min left" in said
    assert said.count("\n") == 2


def test_a_file_has_a_line_every_ten_seconds():
    said = told(io.StringIO(), [0.0, 1.0, 2.0, 2.0, 11.9, 12.1, 12.1])
    shown = [line.split(",")[0].strip() for line in said.splitlines()[1:]]
    assert shown == ["folds 25%", "folds 75%"]
    assert "\r" not in said


def test_no_time_left_is_told_before_it_is_known():
    out = io.StringIO()
    ProgressLines(lambda: 0.0, out).tell(Progress("features", 0, 4, None))
    assert out.getvalue().strip() == "features 0%"
