import re
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, strategies as st

import rtbold
from rtbold.errors import ConfigError
from rtbold.messages import STATUS_RANK, Reason, Status
from rtbold.predict.status import (
    LaterFact,
    NoWindow,
    Pause,
    QualitySettings,
    StatusReasons,
    WindowFacts,
    in_order,
    status_of,
    with_facts,
)

GOOD = WindowFacts(
    full=True,
    settled=True,
    warmed_up=True,
    had_usable=True,
    gap=False,
    restarted=False,
    begins_s=4.0,
    bridged_share=0.0,
    stamp_step=False,
    drift_s=0.0,
    effective_rate_error=0.0,
    wander_s=0.0,
    newest_off_s=0.0,
    short_gap=False,
    repeated=False,
    stream_age_s=0.1,
    stream_lead_s=0.0,
    lag_change_s=0.0,
    tr_s=2.1,
    trigger_age_s=None,
    without_triggers=False,
    n_model_channels=19,
    bad={},
    missing=frozenset(),
    spatial_usable=True,
    amplitude="plausible",
    standing=(),
)
FLAT = frozenset({"channel_flat"})


def verdict(**changed):
    return status_of(replace(GOOD, **changed))


def test_a_good_window_is_ok():
    assert status_of(GOOD) == ("ok", ())
    assert status_of(GOOD).usable


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
        ({"wander_s": 0.019, "newest_off_s": 0.011}, "ok", ()),
        ({"wander_s": 0.021}, "degraded", ("rate",)),
        ({"newest_off_s": 0.013}, "degraded", ("rate",)),
        ({"effective_rate_error": -0.5}, "invalid", ("rate",)),
        ({"stamp_step": True}, "degraded", ("stamp_step",)),
        ({"stream_age_s": 5.0}, "invalid", ("no_data",)),
        ({"short_gap": True}, "degraded", ("bridged",)),
        ({"repeated": True}, "invalid", ("no_data",)),
        ({"lag_change_s": 0.09}, "ok", ()),
        ({"lag_change_s": 0.11}, "degraded", ("lag",)),
        ({"lag_change_s": -0.11}, "degraded", ("lag",)),
        ({"lag_change_s": 0.99}, "degraded", ("lag",)),
        ({"lag_change_s": 1.01}, "invalid", ("lag",)),
        ({"lag_change_s": -1.01}, "invalid", ("lag",)),
        ({"lag_change_s": 0.45, "tr_s": 0.8}, "invalid", ("lag",)),
        ({"stream_lead_s": 0.04}, "ok", ()),
        ({"stream_lead_s": 0.06}, "degraded", ("lag",)),
        ({"stream_lead_s": 0.11}, "invalid", ("lag",)),
        ({"stream_lead_s": -3.0}, "ok", ()),
        ({"trigger_age_s": 5.0}, "invalid", ("late",)),
        ({"trigger_age_s": 0.05}, "ok", ()),
        ({"trigger_age_s": 0.4, "without_triggers": True}, "degraded", ("late",)),
        ({"trigger_age_s": 1.4, "without_triggers": True}, "invalid", ("late",)),
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
        # the session
        ({"standing": ("upstream_delay_unknown",)}, "ok", ("upstream_delay_unknown",)),
        ({"standing": ("simulated_model",)}, "degraded", ("simulated_model",)),
    ],
)  # fmt: skip
def test_each_fact_has_its_verdict(changed, status, reasons):
    assert verdict(**changed) == (status, reasons)


def test_nothing_else_is_looked_at_in_a_pause():
    both = status_of(Pause(("operator_pause", "triggers_lost")))
    assert both == ("paused", ("triggers_lost", "operator_pause"))


@pytest.mark.parametrize(
    ("misfit", "reason"),
    [(None, "no_data"), ("channels", "channel_missing"), ("rate", "rate")],
)
def test_without_samples_the_reason_is_the_misfit_if_there_is_one(misfit, reason):
    facts = NoWindow(misfit=misfit, warmed_up=True, standing=("simulated_model",))
    assert status_of(facts) == ("invalid", (reason, "simulated_model"))
    assert status_of(replace(facts, warmed_up=False)).status == "warmup"


@pytest.mark.parametrize(
    ("fact", "status", "reason"),
    [
        ("engine_failed", "invalid", "nonfinite"),
        ("unlike", "degraded", "unlike_calibration"),
        ("long_unlike", "invalid", "unlike_calibration"),
        ("late", "degraded", "late"),
        ("no_values", "invalid", "no_data"),
        ("not_finite", "invalid", "nonfinite"),
        ("simulated_fed_back", "invalid", "simulated_model"),
        ("baseline_short", "degraded", "short_baseline"),
        ("baseline_missing", "warmup", "short_baseline"),
    ],
)
def test_each_later_fact_has_its_status_and_reason(fact, status, reason):
    assert with_facts(StatusReasons("ok", ()), fact) == (status, (reason,))


@given(
    st.sampled_from(get_args(Status)),
    st.sets(st.sampled_from(get_args(Reason))),
    st.sampled_from(get_args(LaterFact)),
)
def test_a_later_fact_makes_nothing_better_and_keeps_the_order(status, reasons, fact):
    before = StatusReasons(status, in_order(reasons))
    after = with_facts(before, fact)
    assert STATUS_RANK[after.status] >= STATUS_RANK[status]
    assert reasons <= set(after.reasons)
    assert after.reasons == in_order(after.reasons)


def test_no_fact_of_a_window_may_be_left_out():
    # A fact with a default was one that nobody fed.
    for field in fields(WindowFacts):
        assert (field.default, field.default_factory) == (MISSING, MISSING), field.name


def test_bad_and_missing_channels_count_together():
    bad = {f"c{i}": FLAT for i in range(3)}
    status, _ = verdict(bad=bad, missing=frozenset({"POZ", "OZ"}))
    assert status == "invalid"


def test_bounds_can_be_set():
    strict = QualitySettings(max_interpolated_share=0.0)
    assert status_of(replace(GOOD, bad={"O1": FLAT}), strict).status == "invalid"


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"max_interpolated_share": 25.0}, "a share"),
        ({"max_drift_s": 0.0}, "seconds above 0"),
        ({"max_stream_age_s": -1.0}, "seconds above 0"),
        ({"lag_tolerance_s": 0.0}, "seconds above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changed, text):
    with pytest.raises(ConfigError, match=text):
        QualitySettings(**changed)


def test_what_filters_make_of_their_start_is_told():
    settings = QualitySettings(filters_begin_s=0.75)
    for restarted, reason in ((False, "warmup"), (True, "gap")):
        early = replace(GOOD, begins_s=0.5, restarted=restarted)
        assert status_of(early, settings) == ("degraded", (reason,))
        assert status_of(replace(early, begins_s=0.8), settings) == ("ok", ())
        assert status_of(early) == ("ok", ())  # as recorded sessions were judged


flag_sets = st.frozensets(
    st.sampled_from(
        ["channel_flat", "channel_railed", "line_noise", "amplitude", "nonfinite"]
    ),
    min_size=1,
)
facts = st.builds(
    WindowFacts,
    full=st.booleans(),
    settled=st.booleans(),
    warmed_up=st.booleans(),
    had_usable=st.booleans(),
    gap=st.booleans(),
    restarted=st.booleans(),
    begins_s=st.floats(0, 10),
    bridged_share=st.floats(0, 0.1),
    stamp_step=st.booleans(),
    drift_s=st.floats(-0.3, 0.3),
    effective_rate_error=st.floats(-0.01, 0.01),
    wander_s=st.floats(0, 0.1),
    newest_off_s=st.floats(0, 0.1),
    short_gap=st.booleans(),
    repeated=st.booleans(),
    stream_age_s=st.none() | st.floats(0, 10),
    stream_lead_s=st.floats(-0.5, 0.5),
    lag_change_s=st.floats(-2, 2),
    tr_s=st.floats(0.5, 3),
    trigger_age_s=st.none() | st.floats(0, 10),
    without_triggers=st.booleans(),
    n_model_channels=st.just(19),
    bad=st.dictionaries(st.sampled_from("abcdefghij"), flag_sets, max_size=8),
    missing=st.frozensets(st.sampled_from("xyz")),
    spatial_usable=st.booleans(),
    amplitude=st.sampled_from(["unknown", "plausible", "too_small", "too_large"]),
    standing=st.sampled_from([(), ("simulated_model",), ("upstream_delay_unknown",)]),
)


@given(facts)
def test_no_window_with_a_hole_is_usable_and_each_reason_stands_once_in_order(fact):
    judged = status_of(fact)
    if fact.gap or not (fact.full and fact.settled):
        assert not judged.usable
    if judged.status != "ok":
        assert judged.reasons
    order = get_args(Reason)
    assert list(judged.reasons) == sorted(set(judged.reasons), key=order.index)


@given(facts, st.sampled_from(["gap", "stamp_step"]))
def test_a_further_fault_never_makes_it_better(fact, name):
    # Warm-up counts as worse than invalid, but a gap may turn one into the other.
    worse = status_of(replace(fact, **{name: True}))
    assert STATUS_RANK[worse.status] >= STATUS_RANK[status_of(fact).status]


def test_reasons_are_put_in_the_order_of_the_list():
    assert in_order({"late", "gap", "warmup"}) == ("warmup", "gap", "late")


def test_no_other_module_ranks_a_status_or_orders_reasons():
    package = Path(rtbold.__file__).parent
    here = {package / name for name in ("predict/status.py", "messages.py")}
    for path in sorted({*package.rglob("*.py")} - here):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\b(worst|in_order)\(", text), path
