"""How far a measured TR may be off stood in five places; everybody reads one now."""

import re
from pathlib import Path

import rtbold
import rtbold.calibration
from rtbold.messages import TR_TOLERANCE
from rtbold.window.schedule import ScheduleSettings

ANOTHER = re.compile(
    r"(TR|tr)_?(TOLERANCE|tolerance)\b[^=()]*= *[\d.]"
    r"|WITHIN *= *0\.01|\b0\.01 *\* *(median|every|tr)_s"
)


def test_the_tolerance_of_a_tr_is_written_down_once():
    places = []
    for package in (rtbold, rtbold.calibration):
        for path in sorted(Path(package.__file__).parent.rglob("*.py")):
            lines = path.read_text("utf-8").splitlines()
            places += [path.name for line in lines if ANOTHER.search(line)]
    assert places == ["messages.py"]
    assert ScheduleSettings(tr_s=2.1).tr_tolerance == TR_TOLERANCE
