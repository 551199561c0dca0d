import pytest
from hypothesis import given, strategies as st

from rtbold.gui.state.preferences import from_dict
from rtbold.gui.state.setup import (
    MOST_RUNS,
    PlannedRun,
    Run,
    RunPlan,
    duration_of,
    duration_words,
    plan_text,
    read_plan,
)


def three():
    return RunPlan().added("localiser").added("transfer")


def kinds(plan):
    return [(row.run.number, row.run.kind) for row in plan]


def test_a_plan_begins_with_one_training():
    assert kinds(RunPlan()) == [(1, "training")]
    assert RunPlan().next_place() == 0


def test_runs_are_numbered_in_their_order():
    plan = three().moved(1, -1)
    assert kinds(plan) == [(1, "localiser"), (2, "training"), (3, "transfer")]
    assert kinds(plan.removed(0)) == [(1, "training"), (2, "transfer")]


def test_a_run_that_was_started_keeps_number_and_place():
    plan = three().marked(2, "running")
    assert plan.running == Run(2, "localiser")
    for changed in (plan.moved(1, 1), plan.moved(0, 1), plan.removed(1)):
        assert changed == plan
    assert plan.edited(1, Run(0, "transfer")) == plan
    shorter = plan.removed(0)
    assert kinds(shorter) == [(2, "localiser"), (3, "transfer")]
    assert shorter.marked(2, "done").next_place() == 1


def test_the_last_run_stays():
    assert RunPlan().removed(0) == RunPlan()
    assert RunPlan().moved(0, 1) == RunPlan()
    assert RunPlan().removed(7) == RunPlan()


def test_a_run_can_be_repeated_with_its_settings():
    plan = RunPlan().edited(0, Run(0, "training", 5, 480.0, "left hand"))
    plan = plan.marked(1, "aborted").added("training", like=plan.rows[0].run)
    assert plan.rows[1].run == Run(2, "training", 5, 480.0, "left hand")
    assert plan.rows[1].state == "planned"


def test_a_plan_is_bounded():
    plan = RunPlan()
    for _ in range(2 * MOST_RUNS):
        plan = plan.added("training")
    assert len(plan.rows) == MOST_RUNS


def test_numbers_that_recordings_have_are_passed_over():
    plan = three().numbered(frozenset({1, 2, 4}))
    assert kinds(plan) == [(3, "training"), (5, "localiser"), (6, "transfer")]
    assert kinds(plan.removed(0)) == [(3, "localiser"), (5, "transfer")]


def test_a_run_that_was_started_has_its_number_among_those_taken():
    plan = three().marked(2, "done").numbered(frozenset({2}))
    assert kinds(plan) == [(1, "training"), (2, "localiser"), (3, "transfer")]


def test_a_plan_comes_back_after_a_restart_of_the_window():
    plan = three().edited(2, Run(0, "transfer", 5, 510.0, "left hand"))
    plan = plan.marked(1, "done").marked(2, "aborted")
    assert read_plan(plan_text(plan)) == plan


def test_the_longest_plan_is_short_enough_to_be_remembered():
    plan = RunPlan()
    for _ in range(MOST_RUNS):
        plan = plan.added("training")
    for place in range(MOST_RUNS):
        plan = plan.edited(place, Run(0, "training", note="ü" * 200))
    kept = from_dict({"plan": {"runs": plan_text(plan)}}).plan
    assert read_plan(kept["runs"]) == plan


def test_of_a_run_that_was_under_way_nobody_saw_the_end():
    plan = read_plan(plan_text(three().marked(1, "running")))
    assert plan.rows[0].state == "left"
    assert plan.running is None
    assert plan.next_place() == 1


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", "[1]", '[{"kind": "training"}]', "[" * 9999,
     plan_text(RunPlan()).replace('"training"', '"war"'),
     plan_text(RunPlan()).replace('"number": 1', '"number": "x"'),
     plan_text(RunPlan()).replace('"duration_s": null', '"duration_s": -5')],
)  # fmt: skip
def test_a_plan_that_cannot_be_read_is_a_new_one(text):
    assert read_plan(text) == RunPlan()


def test_another_subject_begins_with_the_same_runs():
    plan = three().edited(0, Run(0, "training", 5, 480.0, "asleep"))
    plan = plan.edited(2, Run(0, "transfer", note="left hand")).marked(1, "done")
    anew = plan.numbered(frozenset({1})).anew()
    assert kinds(anew) == kinds(plan)
    assert {row.state for row in anew} == {"planned"}
    assert [row.run.note for row in anew] == ["", "", "left hand"]


STEPS = st.one_of(
    st.tuples(st.just("added"), st.sampled_from(["localiser", "transfer"])),
    st.tuples(st.just("removed"), st.integers(-1, 6)),
    st.tuples(st.just("moved"), st.integers(-1, 6), st.sampled_from([-1, 1])),
    st.tuples(st.just("marked"), st.integers(1, 6), st.just("done")),
)


@given(st.lists(STEPS, max_size=30))
def test_numbers_rise_and_those_of_started_runs_never_change(steps):
    plan = RunPlan()
    for name, *arguments in steps:
        started = {r.run.number: r.run for r in plan if r.fixed}
        plan = getattr(plan, name)(*arguments)
        numbers = [row.run.number for row in plan]
        assert numbers == sorted(set(numbers))
        assert started.items() <= {r.run.number: r.run for r in plan}.items()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("8", 480), ("8:30", 510), ("8 min", 480), ("0.5", 30), ("", None), (" ", None)],
)
def test_durations_are_minutes(text, seconds):
    assert duration_of(text) == seconds


@pytest.mark.parametrize("text", ["soon", "0", "-3", "nan", "8:x", "1e9"])
def test_a_wrong_duration_says_what_is_expected(text):
    with pytest.raises(ValueError, match="give minutes, such as 8"):
        duration_of(text)


def test_durations_for_people():
    assert duration_words(510) == "8:30 min"
    assert duration_words(None) == ""


def test_a_run_that_failed_is_repeated_before_those_that_are_planned():
    plan = RunPlan((PlannedRun(Run(1, "baseline")), PlannedRun(Run(2, "transfer"))))
    plan = plan.marked(1, "aborted")
    longer, again = plan.repeated(1)
    assert again == Run(2, "baseline")
    assert kinds(longer) == [(1, "baseline"), (2, "baseline"), (3, "transfer")]
    assert longer.rows[0].state == "aborted"
    assert plan.repeated(7) == (plan, None)


def test_a_full_plan_repeats_nothing():
    plan = RunPlan(tuple(PlannedRun(Run(k + 1)) for k in range(MOST_RUNS)))
    assert plan.repeated(1) == (plan, None)
