"""From the list of a protocol's runs to the plan of a session."""

import json
from dataclasses import replace

import msgspec
import pytest

from rtbold.gui.state.protocol import (
    RunsSeen,
    listed_for,
    plan_of,
    read_runs,
    runs_arguments,
    without_protocol,
)
from rtbold.gui.state.setup import (
    PlannedRun,
    Run,
    RunPlan,
    SetupChoice,
    plan_text,
    preflight_arguments,
    read_plan,
    rehearse_arguments,
    run_arguments,
)
from rtbold.protocol import all_runs, example, parse_protocol

CHOICE = SetupChoice(
    stream="cap", model="demo", trigger_stream="m", record="/data", record_as="S01",
    protocol="/p/study.toml",
)  # fmt: skip


def row(run, kind="training", done=False, states=()):
    attempts = [{"attempt": k, "state": s} for k, s in enumerate(states, 1)]
    return {"run": run, "kind": kind, "name": kind, "n_blocks": 2, "n_volumes": 100,
            "duration_s": 210.0, "done": done, "attempts": attempts}  # fmt: skip


def seen(*rows, **more):
    text = json.dumps({"study": "s", "sha256": "0", "next": 1, "runs": rows, **more})
    return read_runs(text, ("/p/study.toml",))


def test_the_plan_has_the_runs_that_are_not_done_with_their_attempts():
    found = seen(
        row(1, "baseline", done=True, states=["complete"]),
        row(2, states=["interrupted", "stopped_by_participant"]),
        row(3, "transfer"),
    )
    plan = plan_of(found, RunPlan().numbered(frozenset({1, 2, 3})))
    assert [(r.run.number, r.run.protocol_run, r.run.kind) for r in plan] == [
        (4, 2, "training"), (5, 3, "transfer"),
    ]  # fmt: skip
    assert plan.rows[0].run.note == (
        "protocol 2, training, attempt 3, was stopped by participant"
    )
    assert plan.rows[0].run.duration_s == 210.0


def test_what_was_started_stays_and_what_runs_is_not_planned_twice():
    started = RunPlan((
        PlannedRun(Run(1, "baseline", protocol_run=1), "done"),
        PlannedRun(Run(2, protocol_run=2), "running"),
    ))  # fmt: skip
    plan = plan_of(seen(row(1, done=True), row(2), row(3)), started)
    assert [(r.run.number, r.run.protocol_run, r.state) for r in plan] == [
        (1, 1, "done"), (2, 2, "running"), (3, 3, "planned"),
    ]  # fmt: skip


def test_without_a_protocol_its_planned_runs_go():
    plan = plan_of(seen(row(1), row(2)), RunPlan())
    assert len(plan.rows) == 2
    assert without_protocol(plan).rows == RunPlan().rows
    assert without_protocol(RunPlan()) == RunPlan()


def test_a_remembered_plan_knows_its_protocols_runs():
    plan = plan_of(seen(row(1), row(2)), RunPlan())
    assert read_plan(plan_text(plan)) == plan
    wrong = plan_text(plan).replace('"protocol_run": 2', '"protocol_run": -2')
    assert read_plan(wrong) == RunPlan()
    old = [{k: v for k, v in each.items() if k != "protocol_run"}
           for each in json.loads(plan_text(RunPlan()))]  # fmt: skip
    assert read_plan(json.dumps(old)) == RunPlan()


def test_a_run_of_a_protocol_starts_with_its_number_there():
    words = run_arguments(replace(CHOICE, confirmed_by="P2"), Run(7, protocol_run=3))
    line = " ".join(words)
    assert "--protocol /p/study.toml --run 3 --confirmed-by P2" in line
    assert "--kind" not in words
    assert "--run 7" in " ".join(run_arguments(replace(CHOICE, protocol=""), Run(7)))
    assert "--protocol" in preflight_arguments(CHOICE, Run(1, protocol_run=1))
    rehearsal = rehearse_arguments(CHOICE, Run(1), duration_s=300.0, page="p.html")
    assert "--protocol" not in rehearsal


def test_the_list_is_asked_for_with_the_recordings_names():
    assert runs_arguments(CHOICE) == (
        "protocol", "runs", "/p/study.toml", "--json", "--record", "/data",
        "--record-as", "S01", "--session", "01", "--task", "nf",
    )  # fmt: skip
    assert runs_arguments(replace(CHOICE, record=""))[-1] == "--json"
    assert listed_for(replace(CHOICE, protocol="")) == ()
    assert listed_for(CHOICE) != listed_for(replace(CHOICE, record_as="S02"))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"runs": 3}', "[" * 9999])
def test_what_is_no_list_is_none(text):
    assert read_runs(text, ()) is None or read_runs(text, ()).runs == ()


def test_what_the_operator_must_know_of_the_list():
    assert seen(row(1)).words == ""
    assert seen(row(1, done=True)).words == "Every run of the protocol is done."
    assert "1.5 min are left" in seen(row(1), break_left_s=90.0).words
    assert RunsSeen(problem="no such file").words == "no such file"


def test_what_the_command_prints_is_what_the_window_reads():
    plans = all_runs(parse_protocol(example(), where="e").study)
    rows = [
        {"run": p.run, "kind": p.run_type, "duration_s": p.duration_s, "name": p.name}
        for p in plans
    ]
    text = msgspec.json.encode({"study": "example", "runs": rows}).decode()
    assert len(read_runs(text, ()).runs) == 6
