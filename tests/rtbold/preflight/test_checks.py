import pytest

from rtbold.errors import DomainRefused
from rtbold.messages import Check
from rtbold.preflight.checks import decided, gate_finding, tried, verdict_of, why_of


def test_the_first_rule_that_holds_decides():
    def judged(mb):
        rules = (mb > 30, "fail", "report it"), (mb > 10, "warn", "look")
        return decided("memory", f"{mb} MB", *rules, must=True)

    assert judged(40) == Check("memory", "fail", "40 MB", "report it", must=True)
    assert judged(20) == Check("memory", "warn", "20 MB", "look", must=True)
    assert judged(5) == Check("memory", "ok", "5 MB", must=True)
    assert not decided("memory", "5 MB").must


@pytest.mark.parametrize(
    ("state", "must", "blocks"),
    [
        ("fail", True, True), ("fail", False, False),
        ("warn", True, False), ("ok", True, False),
    ],
)  # fmt: skip
def test_only_a_failed_must_blocks(state, must, blocks):
    assert Check("x", state, "", must=must).blocks == blocks


def test_an_attempt_is_its_words_or_its_error():
    def refuse():
        raise DomainRefused("no such ROI, expected one of: Cuneus")

    assert tried("target", lambda: "Cuneus") == Check(
        "target", "ok", "Cuneus", "", True
    )
    refused = tried("target", refuse)
    assert (refused.state, refused.must) == ("fail", True)
    assert "expected one of: Cuneus" in refused.found


def test_warnings_are_no_reason_against_a_go():
    well, look = Check("a", "ok", "fine"), Check("b", "warn", "hm")
    bad = Check("c", "fail", "gone")
    assert (verdict_of([well, look]), why_of([well, look])) == ("go", [])
    assert (verdict_of([look, bad]), why_of([look, bad])) == ("no-go", ["c: gone"])


def test_a_gate_refuses_lets_pass_or_lets_pass_with_a_reason():
    def refuse():
        raise DomainRefused("not on this stream")

    options = {"found": "fine", "override": "--allow-x"}
    refused = gate_finding("gate", refuse, **options)
    assert (refused.state, refused.found) == ("fail", "not on this stream")
    assert (refused.must, refused.override) == (True, "--allow-x")
    assert gate_finding("gate", lambda: (), **options).found == "fine"
    allowed = gate_finding("gate", lambda: ("unvalidated",), **options)
    assert allowed.state == "warn"
    assert "--allow-x" in allowed.found
    assert "'unvalidated'" in allowed.found
