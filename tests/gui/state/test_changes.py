"""Names of what changed between two command lines."""

from dataclasses import fields, replace

import pytest

from rtbold.gui.controllers.setup import wanted
from rtbold.gui.state.checks import NAMES, changed_words
from rtbold.gui.state.setup import NEVER_REMEMBERED, SetupChoice

CHOICE = SetupChoice(
    stream="cap", model="demo", trigger_stream="m", record="/data", truth="lsl:b"
)
OTHERS = {
    "trigger_source": "fixed", "tr_s": 2.0, "trigger_every": 3, "truth_first": 2,
    "truth_by_onset": True, "interpolate": True, "upstream_delay_ms": 12.5,
    "port": 6000, "control_port": 6001,
}  # fmt: skip
SETTINGS = [f.name for f in fields(SetupChoice) if f.name not in NEVER_REMEMBERED]


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_of_the_page_has_a_name(setting):
    if setting == "trigger_channel":
        begin = replace(CHOICE, trigger_source="channel", trigger_channel="A")
    else:
        begin = replace(CHOICE, protocol="p" if setting == "confirmed_by" else "")
    other = replace(begin, **{setting: OTHERS.get(setting, "other")})
    words = changed_words(wanted(begin), wanted(other))
    assert words in set(NAMES.values()) or setting == "trigger_source"
    assert "a setting" not in words


def test_many_changes_are_counted_and_one_name_is_said_once():
    before = wanted(CHOICE)
    subject = wanted(replace(CHOICE, model="", subject="S01"))
    assert changed_words(before, subject) == "the subject or model"
    two = wanted(replace(CHOICE, stream="x", host="h", tr_s=2.0))
    assert changed_words(before, two) == "the EEG stream and the TR"
    many = wanted(
        replace(CHOICE, stream="x", tr_s=2.0, unit="V", engine="torch", port=1)
    )
    assert changed_words(before, many) == "the EEG stream, the TR, the unit and 2 more"


def test_what_is_no_command_line_is_a_setting():
    assert changed_words("now", ("run",)) == "a setting"
    assert changed_words(("run", "--new", "1"), ("run",)) == "a setting"
