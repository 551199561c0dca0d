import pytest
from hypothesis import given, strategies as st

from rtbold.bridge.judge import Ack, Judge, report
from rtbold.bridge.news import Shown

DEAD = Shown(reasons=("no_heartbeat",))
REST = Shown(reasons=("no_feedback_run",))
GAP = Shown(reasons=("gap",), status="invalid")


def value(number, volume=0):
    return Shown(show="value", value=number, z=2 * number, volume_index=volume)


def hold(number):
    return Shown(show="hold", value=number, z=2 * number, reasons=("gap",))


def judged(expected, acks, end_s=60.0):
    """Findings' rules, with what may be shown and what was shown by time."""
    judge = Judge(0.5)
    for t_s, shown in expected:
        judge.expect(shown, t_s)
    judge.expect(expected[-1][1], end_s)
    for t_s, show, number in acks:
        judge.acknowledge(Ack(show, number), t_s)
    return [each.rule for each in judge.findings()]


SESSION = [
    (0, DEAD), (10, value(0.1)), (12, value(0.2, 1)), (14, hold(0.2)), (16, GAP),
    (20, value(0.3, 2)), (25, DEAD), (30, value(0.4, 3)), (35, REST),
]  # fmt: skip
RIGHT = [
    (1, "neutral", None), (10.1, "value", 0.1), (12.1, "value", 0.4),
    (14.1, "hold", 0.2),
    (16.2, "neutral", None), (20, "value", 0.3), (25.3, "neutral", None),
    (30.2, "value", None), (35.1, "neutral", None),
]  # fmt: skip


def test_a_client_that_follows_the_rules_has_no_findings():
    assert judged(SESSION, RIGHT) == []
    keeps = [ack for ack in RIGHT if ack[1] != "hold"]  # it holds what it shows
    assert judged(SESSION, keeps) == []


@pytest.mark.parametrize(
    ("left_out", "rule"),
    [
        (25.3, "missed heartbeats"),
        (16.2, "showed a stale value"),
        (35.1, "showed a value in a run that shows no feedback"),
        (20, "showed neutral though there was a value"),
        (12.1, "showed a stale value"),
    ],
)
def test_a_change_that_a_client_misses_has_a_name(left_out, rule):
    (found, *more) = judged(SESSION, [a for a in RIGHT if a[0] != left_out])
    assert found.startswith(rule)
    assert set(more) <= {found}


@pytest.mark.parametrize(
    ("ack", "rule"),
    [
        ((18, "value", 0.0), "read `value` when status"),
        ((18, "value", None), "read `value` when status"),
        ((18, "value", 0.1), "showed a stale value"),
        ((22, "value", 0.77), "showed a number that was neither"),
        ((28, "hold", 0.3), "missed heartbeats"),
        ((40, "value", 0.4), "showed a value in a run"),
    ],
)
def test_what_is_shown_wrongly_has_a_name(ack, rule):
    acks = sorted([*RIGHT, ack, (ack[0] + 0.6, *back_to(ack[0]))])
    (found,) = judged(SESSION, acks)
    assert found.startswith(rule)


def back_to(t_s):
    return next(ack[1:] for ack in reversed(RIGHT) if ack[0] < t_s)


def test_silence_is_a_finding():
    assert judged(SESSION, []) == ["says nothing"]


def test_what_was_before_a_client_came_is_not_its_fault():
    assert judged(SESSION, [ack for ack in RIGHT if ack[0] > 24]) == []


def test_a_report_names_each_rule_once():
    judge = Judge(0.5)
    judge.expect(GAP, 100.0)
    for t_s in (101.0, 102.0):
        judge.acknowledge(Ack("value", 0.0), t_s)
    (line,) = report(judge.findings(), n_acks=2, begun_s=100.0)
    assert "(2 times; first at 1.0 s: showed value 0 where neutral (gap)" in line
    assert report([], n_acks=3, begun_s=0.0) == ["3 acknowledgements, nothing wrong"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "1", '{"show": "on"}', '{"show": "value", "value": "1"}',
             '{"show": ["value"]}', "[" * 9000],
)  # fmt: skip
def test_what_is_no_acknowledgement_is_said(text):
    with pytest.raises(ValueError, match="expected"):
        Ack.parse(text)


def test_not_a_number_is_none():
    assert Ack.parse('{"show": "value", "value": NaN}') == Ack("value", None)


@given(st.text(max_size=100))
def test_any_text_is_an_acknowledgement_or_a_value_error(text):
    try:
        Ack.parse(text)
    except ValueError:
        pass
