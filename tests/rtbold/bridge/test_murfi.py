import re

import pytest
from feed_messages import ROIS, body
from hypothesis import given, strategies as st

from rtbold.bridge.murfi import NOT_YET, Query, Volumes, answer, read_query
from rtbold.bridge.news import Shown
from rtbold.bridge.numbers import NumberChoice

SHOWING = Shown(show="value")
USUAL = NumberChoice()


def query(tr, roi="dmn"):
    return (
        '<?xml version="1.0" encoding="UTF-8"?><info><get dataid="'
        f':*:*:*:{tr}:*:*:roi-weightedave:{roi}:"></get></info>\n'
    )


def stripped(text):
    """What a task does with the answer: all tags out, then a float, or not yet."""
    try:
        return float(re.sub("<.*?>", "", text))
    except ValueError:
        return None


def volumes(*messages, shown=SHOWING, choice=USUAL, names=None):
    made = Volumes(choice, names)
    made.take((("hello", body("hello")),), shown)
    for topic, changes in messages:
        made.take(((topic, body(topic, **changes)),), shown)
    return made


def test_the_query_of_a_task_is_read():
    assert read_query(query(12, "cen")) == Query(12, "cen")
    assert read_query(query(3, "A &amp; B")) == Query(3, "A & B")
    assert read_query("<info><get dataid=':*:*:*:1:*:*:roi-weightedave:x:'/>") == (
        Query(1, "x")
    )


@pytest.mark.parametrize(
    "text",
    ["", "<info>", query("*"), query("-1"), query("1.5"), query(1, ""), query("9" * 99),
     query(1).replace("weightedave", "mean"), query(1).replace(":*:*:*", ":*"),
     "GET / HTTP/1.1\r\n\r\n"],
)  # fmt: skip
def test_what_is_no_query_gets_no_number(text):
    assert read_query(text) is None


@given(st.text(max_size=200))
def test_any_text_is_borne(text):
    read_query(text)
    read_query(f'<info><get dataid="{text}"></get></info>')


def test_an_answer_is_one_number_inside_of_tags():
    assert stripped(answer(Query(1, "a<b>c"), -0.5)) == -0.5
    assert stripped(answer(Query(1, "dmn"), 1e-12)) == 1e-12
    assert stripped(answer(Query(1, "dmn"), None)) is None
    assert stripped(NOT_YET) is None


def test_a_volume_is_answered_once_it_is_there_and_stays():
    made = volumes(("pred.fb", {"volume": 0, "value": 0.25}))
    assert made.number(Query(1, "DMN")) == 0.25
    assert made.number(Query(2, "dmn")) is None
    assert made.number(Query(0, "dmn")) is None
    made.take((("pred.fb", body("pred.fb", volume=1, value=-1.0)),), SHOWING)
    assert (made.number(Query(1, "dmn")), made.number(Query(2, "dmn"))) == (0.25, -1)


def test_rois_come_from_pred_roi_and_the_target_from_pred_fb_alone():
    made = volumes(("pred.roi", {"volume": 0, "values": (9.0, 1.5, -2.0)}))
    assert made.number(Query(1, "V1")) == 1.5
    assert made.number(Query(1, "dmn")) is None
    made.take((("pred.fb", body("pred.fb", volume=0, value=0.5)),), SHOWING)
    made.take((("pred.roi", body("pred.roi", volume=0)),), SHOWING)
    assert made.number(Query(1, "dmn")) == 0.5


def test_a_task_may_have_a_name_of_its_own():
    made = volumes(
        ("pred.fb", {"volume": 0, "value": 0.5}), names={"CEN": ROIS[0]}
    )  # fmt: skip
    assert made.number(Query(1, "cen")) == 0.5
    assert made.knows("cen")
    assert not made.knows("nose")
    assert made.number(Query(1, "nose")) is None


@pytest.mark.parametrize(("neutral", "told"), [(0.0, 0.0), (None, None)])
def test_an_invalid_volume_is_neutral_or_never_answered(neutral, told):
    bad = {"volume": 0, "status": "invalid", "reasons": ("gap",)}
    choice = NumberChoice(neutral=neutral)
    made = volumes(("pred.fb", bad), ("pred.roi", bad), choice=choice)
    assert made.number(Query(1, "dmn")) == told
    assert made.number(Query(1, "V1")) == told


@pytest.mark.parametrize("why", ["no_phase", "no_feedback_run", "no_heartbeat"])
def test_a_run_without_feedback_is_neutral(why):
    shown = Shown(reasons=(why,))
    made = volumes(("pred.fb", {"volume": 0, "value": 0.5}), shown=shown)
    assert made.number(Query(1, "dmn")) == 0.0


def test_another_session_forgets_all_and_another_run_counts_anew():
    made = volumes(
        ("phase", {"run": 1}), ("pred.fb", {"volume": 0}), ("pred.fb", {"volume": 1}),
        ("phase", {"run": 2}),
    )  # fmt: skip
    assert made.number(Query(1, "dmn")) is None
    made.take((("pred.fb", body("pred.fb", volume=2, value=0.75)),), SHOWING)
    assert made.number(Query(1, "dmn")) == 0.75
    made.take((("hb", body("hb", session="b")),), SHOWING)
    assert made.number(Query(1, "dmn")) is None


def test_a_run_that_counts_its_own_volumes_is_understood():
    made = volumes(
        ("phase", {"run": 1}), ("pred.fb", {"volume": 0}), ("phase", {"run": 2}),
        ("pred.fb", {"volume": 0, "value": -0.5}),
    )  # fmt: skip
    assert made.number(Query(1, "dmn")) == -0.5


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
KEYS = st.sampled_from(
    [
        "rois",
        "target",
        "run",
        "volume_index",
        "value",
        "z",
        "values",
        "values_z",
        "status",
    ]
)


@given(
    st.sampled_from(["hello", "phase", "pred.fb", "pred.roi", "hb"]),
    st.dictionaries(KEYS, JSON),
)
def test_a_feed_that_talks_nonsense_ends_no_bridge(topic, changes):
    made = volumes(("pred.fb", {"volume": 0, "value": 0.5}))
    made.take(((topic, {**body(topic), **changes}),), SHOWING)
    number = made.number(Query(1, "dmn"))
    assert number is None or isinstance(number, float)
