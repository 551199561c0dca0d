from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbold.errors import ConfigError
from rtbold.messages import STATUS_RANK, Reason
from rtbold.quality import QualitySettings, WindowFacts, in_order, judge

GOOD = WindowFacts(
    full=True,
    settled=True,
    warmed_up=True,
    had_usable=True,
    stream_age_s=0.1,
    n_model_channels=19,
    amplitude="plausible",
)
FLAT = frozenset({"channel_flat"})


def verdict(**changed):
    judged = judge(replace(GOOD, **changed))
    return judged.status, judged.reasons


def test_a_good_window_is_ok():
    judged = judge(GOOD)
    assert (judged.status, judged.reasons, judged.bad) == ("ok", (), frozenset())
    assert judged.usable


START = {"warmed_up": False, "had_usable": False}


@pytest.mark.parametrize(
    ("changed", "status", "reasons"),
    [
        # completeness
        ({"full": False, **START}, "warmup", ("warmup",)),
        ({"settled": False, **START}, "warmup", ("warmup",)),
        ({"full": False, **START, "stream_age_s": None}, "warmup",
         ("warmup", "no_data")),
        ({"full": False}, "invalid", ("no_data",)),
        ({"full": False, "gap": True}, "invalid", ("gap",)),
        ({"settled": False, "gap": True}, "invalid", ("gap",)),
        ({"gap": True}, "invalid", ("gap",)),
        # time
        ({"bridged_share": 0.01}, "degraded", ("bridged",)),
        ({"bridged_share": 0.021}, "invalid", ("gap", "bridged")),
        ({"drift_s": 0.16}, "invalid", ("gap",)),
        ({"drift_s": 0.008, "effective_rate_error": 0.0005}, "ok", ()),
        ({"effective_rate_error": -0.004}, "degraded", ("rate",)),
        ({"rate_mismatch": True}, "invalid", ("rate",)),
        ({"stamp_step": True}, "degraded", ("stamp_step",)),
        ({"stream_age_s": 5.0}, "invalid", ("no_data",)),
        ({"trigger_age_s": 5.0}, "invalid", ("late",)),
        ({"trigger_age_s": 0.05}, "ok", ()),
        # channels
        ({"bad": {"O1": FLAT}}, "degraded", ("channel_flat", "interpolated")),
        ({"missing": frozenset({"POZ"})}, "degraded",
         ("channel_missing", "interpolated")),
        ({"bad": {f"c{i}": FLAT for i in range(4)}}, "degraded",
         ("channel_flat", "interpolated")),
        ({"bad": {f"c{i}": FLAT for i in range(5)}}, "invalid",
         ("channel_flat", "interpolated")),
        ({"spatial_usable": False}, "invalid", ("interpolated",)),
        # amplitude
        ({"amplitude": "too_large"}, "invalid", ("amplitude",)),
        ({"amplitude": "too_large", "had_usable": False}, "warmup", ("amplitude",)),
        ({"amplitude": "too_small", "had_usable": False}, "invalid", ("amplitude",)),
        ({"upstream_warming": True}, "warmup", ("warmup",)),
        # the session
        ({"standing": ("upstream_delay_unknown",)}, "ok", ("upstream_delay_unknown",)),
        ({"standing": ("simulated_model",)}, "degraded", ("simulated_model",)),
        ({"paused": ("triggers_lost",), "full": False}, "paused",
         ("no_data", "triggers_lost")),
    ],
)  # fmt: skip
def test_each_fact_has_its_verdict(changed, status, reasons):
    assert verdict(**changed) == (status, reasons)


def test_bad_and_missing_channels_are_both_to_be_interpolated():
    judged = judge(replace(GOOD, bad={"O1": FLAT}, missing=frozenset({"POZ"})))
    assert judged.bad == {"O1", "POZ"}


def test_bad_and_missing_channels_count_together():
    bad = {f"c{i}": FLAT for i in range(3)}
    status, _ = verdict(bad=bad, missing=frozenset({"POZ", "OZ"}))
    assert status == "invalid"


def test_bounds_can_be_set():
    strict = QualitySettings(max_interpolated_share=0.0)
    assert judge(replace(GOOD, bad={"O1": FLAT}), strict).status == "invalid"


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"max_interpolated_share": 25.0}, "a share"),
        ({"max_drift_s": 0.0}, "seconds above 0"),
        ({"max_stream_age_s": -1.0}, "seconds above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changed, text):
    with pytest.raises(ConfigError, match=text):
        QualitySettings(**changed)


flag_sets = st.frozensets(
    st.sampled_from(
        ["channel_flat", "channel_railed", "line_noise", "amplitude", "nonfinite"]
    ),
    min_size=1,
)
facts = st.builds(
    WindowFacts,
    paused=st.sampled_from([(), ("triggers_lost",), ("operator_pause",)]),
    full=st.booleans(),
    settled=st.booleans(),
    warmed_up=st.booleans(),
    had_usable=st.booleans(),
    gap=st.booleans(),
    bridged_share=st.floats(0, 0.1),
    stamp_step=st.booleans(),
    drift_s=st.floats(-0.3, 0.3),
    effective_rate_error=st.floats(-0.01, 0.01),
    rate_mismatch=st.booleans(),
    stream_age_s=st.none() | st.floats(0, 10),
    trigger_age_s=st.none() | st.floats(0, 10),
    n_model_channels=st.just(19),
    bad=st.dictionaries(st.sampled_from("abcdefghij"), flag_sets, max_size=8),
    missing=st.frozensets(st.sampled_from("xyz")),
    spatial_usable=st.booleans(),
    amplitude=st.sampled_from(["unknown", "plausible", "too_small", "too_large"]),
    upstream_warming=st.booleans(),
    standing=st.sampled_from([(), ("simulated_model",), ("upstream_delay_unknown",)]),
)


@given(facts)
def test_no_window_with_a_hole_is_usable_and_each_reason_stands_once_in_order(fact):
    judged = judge(fact)
    if fact.paused or fact.gap or not (fact.full and fact.settled):
        assert not judged.usable
    if judged.status != "ok":
        assert judged.reasons
    order = get_args(Reason)
    assert list(judged.reasons) == sorted(set(judged.reasons), key=order.index)


@given(facts)
def test_a_pause_outranks_everything(fact):
    assert judge(replace(fact, paused=("operator_pause",))).status == "paused"


@given(facts, st.sampled_from(["gap", "stamp_step", "rate_mismatch"]))
def test_a_further_fault_never_makes_it_better(fact, name):
    # Warm-up counts as worse than invalid, but a gap may turn one into the other.
    worse = judge(replace(fact, **{name: True}))
    assert STATUS_RANK[worse.status] >= STATUS_RANK[judge(fact).status]


def test_reasons_are_put_in_the_order_of_the_list():
    assert in_order({"late", "gap", "warmup"}) == ("warmup", "gap", "late")
