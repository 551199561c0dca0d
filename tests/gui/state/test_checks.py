import json
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from rtbold.gui.state.checks import (
    Checks,
    Override,
    may_start,
    overridden,
    summary_words,
    word_of,
)
from rtbold.messages import Check

WANTED = ("run", "--stream", "X")


def line(name, state, must=True, **more):
    check = {"name": name, "state": state, "found": "f", "must": must, **more}
    return json.dumps({"check": check})


def read(*lines, made_for=WANTED):
    checks = Checks(made_for=made_for)
    for text in lines:
        checks = checks.with_line(text)
    return checks


READY = json.dumps({"ready": True, "n_fail": 0, "n_warn": 0})
NOT_READY = json.dumps({"ready": False, "n_fail": 1, "n_warn": 0})


def test_lines_come_one_after_the_other():
    checks = read(line("stream", "ok"), line("disk", "warn", advice="make room"))
    assert checks.lines == (
        Check("stream", "ok", "f", must=True),
        Check("disk", "warn", "f", "make room", must=True),
    )
    assert summary_words(checks) == "Checking: 1 ready, 1 to look at."
    assert summary_words(checks.with_line(READY)) == "1 ready, 1 to look at."


def test_channels_are_read_with_what_is_too_much():
    said = {
        "channels": [
            {"label": "CZ", "state": "good", "found": "Cz", "rms_uv": 12.5},
            {"label": "T7", "state": "missing", "found": None, "rms_uv": None},
            {"label": "P7", "state": "good", "found": "T5", "match": "alias"},
            "nonsense",
        ],
        "extra": ["ECG"],
    }
    checks = read(json.dumps(said))
    assert [(c.label, c.state, c.found, c.rms_uv) for c in checks.channels] == [
        ("CZ", "good", "Cz", 12.5),
        ("T7", "missing", "", None),
        ("P7", "alias", "T5", None),
    ]
    assert checks.extra == ("ECG",)


def test_only_red_must_haves_block():
    checks = read(
        line("a", "ok"), line("b", "warn"), line("c", "fail", must=False), READY
    )
    assert may_start(checks, WANTED) == ""
    assert [word_of(c) for c in checks.lines] == ["ready", "look", "should be mended"]
    blocked = read(line("a", "ok"), line("channels", "fail"), NOT_READY)
    assert [b.name for b in blocked.blocking] == ["channels"]
    assert "channels" in may_start(blocked, WANTED)


def test_an_override_names_reason_and_flags():
    checks = read(
        line("gate", "fail", override="--allow-unvalidated"),
        line("channels", "fail", override="--interpolate"),
        line("stream", "fail", advice="give it longer (--wait)"),
        NOT_READY,
    )
    let_go = overridden(checks, "  pilot,\n no feedback ")
    assert let_go.overrides == (
        Override("gate", "pilot, no feedback", ("--allow-unvalidated",)),
        Override("channels", "pilot, no feedback", ("--interpolate",)),
        Override("stream", "pilot, no feedback"),
    )
    assert let_go.flags == ("--allow-unvalidated", "--interpolate")
    assert may_start(let_go, WANTED) == ""
    assert "gate" in str(let_go.overrides[0])
    assert "pilot" in str(let_go.overrides[0])
    assert summary_words(let_go) == "0 ready, 3 to mend, 3 overridden."


@pytest.mark.parametrize("reason", ["", "  ", "ok"])
def test_an_override_needs_a_reason(reason):
    with pytest.raises(ValueError, match="in a few words why"):
        overridden(read(line("gate", "fail")), reason)


def test_nothing_starts_unchecked_or_while_checking():
    assert "Press Check" in may_start(Checks(), WANTED)
    assert "not done yet" in may_start(read(line("a", "ok")), WANTED)
    died = replace(read(line("a", "ok")), problem="It was killed.")
    assert may_start(died, WANTED) == "It was killed."


def test_a_change_of_settings_makes_checks_stale():
    checks = read(line("a", "ok"), READY)
    assert not checks.stale(WANTED)
    other = (*WANTED, "--dummy-volumes", "4")
    assert checks.stale(other)
    assert "changed since" in may_start(checks, other)


def test_a_fail_without_must_is_a_must():
    checks = read(json.dumps({"check": {"name": "x", "state": "fail"}}))
    assert checks.lines[0].blocks


@pytest.mark.parametrize(
    "text",
    ["", "note: x", "[]", "[" * 5000, '{"check": 3}', '{"check": {"state": "odd"}}'],
)
def test_what_is_no_check_changes_nothing(text):
    assert read(text) == Checks(made_for=WANTED)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["check", "channels", "extra", "ready", "label", "rms_uv"]),
            inner,
        )
    ),
    max_leaves=10,
)


@given(JSON)
def test_any_json_is_read_without_complaint(said):
    assert isinstance(read(json.dumps(said)), Checks)


def test_a_no_without_a_red_line_starts_nothing():
    checks = read(line("stream", "ok"), line("disk", "sad"), NOT_READY)
    assert "not why" in may_start(checks, WANTED)
