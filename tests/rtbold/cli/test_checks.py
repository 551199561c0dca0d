import json

import pytest

from rtbold.cli.checks import print_json, print_table, run_checks
from rtbold.messages import Check
from rtbold.preflight.rehearse import Stage
from rtbold.preflight.stream_checks import ChannelLine, ChannelReport

FAIL = Check("domain", "fail", "not [this] one", "calibrate", True, "--allow-x")


def test_each_step_is_shown_before_the_next_is_done():
    story = []

    def steps():
        for name in "ab":
            story.append(f"done {name}")
            yield name

    done = run_checks(steps(), lambda one: story.append(f"shown {one}"))
    assert done == ["a", "b"]
    assert story == ["done a", "shown a", "done b", "shown b"]


@pytest.mark.parametrize("overrides", [True, False])
def test_the_table_says_what_was_found_and_what_to_do(capsys, overrides):
    print_table([FAIL], "rehearsed", overrides=overrides)
    said = " ".join(capsys.readouterr().out.replace("\u2502", " ").split())
    assert "rehearsed" in said
    assert "not [this] one" in said
    assert "-> calibrate" in said
    assert ("-> --allow-x starts it all the same" in said) == overrides


def test_a_line_of_json_says_what_it_is(capsys):
    line = ChannelLine("CZ", "good", "Cz", 11.5, "same")
    for one in (FAIL, ChannelReport((line,), ("ECG",)), Stage("ending", 1.0, 2.0, "")):
        print_json(one)
    check, channels, stage = map(json.loads, capsys.readouterr().out.splitlines())
    assert check["check"]["override"] == "--allow-x"
    assert (channels["channels"][0]["label"], channels["extra"]) == ("CZ", ["ECG"])
    assert stage == {
        "stage": "ending",
        "elapsed_s": 1.0,
        "remaining_s": 2.0,
        "text": "",
    }
