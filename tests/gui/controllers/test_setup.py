"""The set-up controller with scripted children."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from scripted_jobs import ScriptedJobs

from rtbold import bundle
from rtbold.gui.controllers.setup import (
    SEARCH_EVERY_S,
    BundleSearch,
    SetupController,
    default_root,
    folder_marks,
    wanted,
)
from rtbold.gui.state.checks import may_start
from rtbold.gui.state.found import on_the_twin
from rtbold.gui.state.setup import Run, SetupChoice

EEG = {"name": "cap", "type": "EEG", "host": "amp", "n_channels": 32, "rate_hz": 500.0}
CHOICE = SetupChoice(stream="cap", model="demo", trigger_stream="m", record="/data")
RUN = Run(1)
RED = {"name": "gate", "state": "fail", "found": "undecided", "must": True,
       "override": "--allow-unvalidated"}  # fmt: skip


@pytest.fixture
def jobs():
    return ScriptedJobs()


@pytest.fixture
def setup(jobs):
    setup = SetupController(jobs, pid=7)
    yield setup
    setup.close()


def test_streams_are_searched_while_somebody_looks(setup, jobs):
    setup.tick(0.0)
    assert not jobs.started
    setup.watch(0.0)
    setup.tick(0.1)
    assert setup.streams.searching
    jobs.last.say(json.dumps([EEG], indent=2)).end()
    setup.tick(2.0)
    assert setup.streams.named("cap").rate_hz == 500
    assert not setup.streams.searching
    for now_s in (2.1, 2.0 + SEARCH_EVERY_S - 0.1):
        setup.watch(now_s)
        setup.tick(now_s)
    assert len(jobs.started) == 1
    setup.watch(2.1 + SEARCH_EVERY_S)
    setup.tick(2.1 + SEARCH_EVERY_S)
    assert len(jobs.started) == 2
    jobs.last.end()
    setup.tick(30.0)
    setup.tick(60.0)  # nobody has looked for a while
    assert len(jobs.started) == 2


def test_a_search_that_fails_keeps_what_was_found_and_says_why(setup, jobs):
    setup.find_streams()
    jobs.last.say(json.dumps([EEG])).end()
    setup.tick(1.0)
    setup.find_streams()
    setup.find_streams()
    assert len(jobs.started) == 2
    jobs.last.end(1, problem="no answer within 20 s and was ended")
    setup.tick(2.0)
    assert setup.streams.named("cap")
    assert "no answer" in setup.streams.problem
    assert setup.streams.searched_s == 1.0


def test_the_newest_calibration_of_each_subject_can_be_chosen(setup, jobs):
    setup.find_bundles("/subjects")
    subjects, models = jobs.started
    assert subjects.arguments == ("subjects", "list", "--json", "--root", "/subjects")
    rows = [{"name": n, "code": "S01"} for n in ("2025", "2026")]
    subjects.say(json.dumps(rows)).end()
    setup.tick(0.0)
    assert setup.bundles.searching
    models.say(json.dumps([{"name": "demo", "path": "/m/demo.rtbold"}])).end()
    setup.tick(0.1)
    assert not setup.bundles.searching
    assert setup.bundles.chosen("S01", "").name == "2026"
    assert setup.bundles.chosen("", "demo").path == "/m/demo.rtbold"
    assert setup.bundles.chosen("", "/m/demo.rtbold").name == "demo"
    assert setup.bundles.chosen("S09", "") is None
    assert setup.bundles.chosen("", "") is None


def test_lists_that_cannot_be_read_say_so(setup, jobs):
    setup.find_bundles()
    for job in jobs.started:
        job.say("no json").end()
    setup.tick(0.0)
    assert "subjects" in setup.bundles.problem
    assert "models" in setup.bundles.problem


def test_lines_of_a_check_appear_as_they_come(setup, jobs):
    setup.check(CHOICE, RUN)
    assert setup.checking
    jobs.last.say(json.dumps({"check": RED | {"state": "ok"}}))
    setup.tick(0.0)
    assert len(setup.checks.lines) == 1
    assert setup.checks.ready is None
    jobs.last.say(json.dumps({"ready": True})).end()
    setup.tick(0.1)
    assert not setup.checking
    assert may_start(setup.checks, wanted(CHOICE)) == ""
    assert may_start(setup.checks, wanted(replace(CHOICE, stream="other")))


def test_a_check_is_good_for_every_run_of_the_session(setup, jobs):
    setup.check(CHOICE, RUN)
    jobs.last.say(json.dumps({"check": RED | {"state": "ok"}}), '{"ready": true}').end()
    setup.tick(0.0)
    assert may_start(setup.checks, wanted(CHOICE)) == ""
    words = setup.start_arguments(CHOICE, Run(2, "transfer", dummy_volumes=3))
    assert words[words.index("--record") + 1] == "/data"
    assert words[words.index("--run") + 1] == "2"


def test_overrides_go_into_the_start_but_not_into_the_next_check(setup, jobs):
    setup.check(CHOICE, RUN)
    jobs.last.say(json.dumps({"check": RED}), '{"ready": false}').end(1)
    setup.tick(0.0)
    assert "gate" in may_start(setup.checks, wanted(CHOICE))
    with pytest.raises(ValueError, match="why"):
        setup.override(" ")
    setup.override("pilot without feedback")
    assert may_start(setup.checks, wanted(CHOICE)) == ""
    assert "--allow-unvalidated" in setup.start_arguments(CHOICE, RUN)
    setup.check(CHOICE, RUN)
    assert "--allow-unvalidated" not in jobs.last.arguments
    assert not setup.checks.overrides


def test_a_check_that_dies_says_its_last_words(setup, jobs):
    setup.check(CHOICE, RUN)
    jobs.last.say(json.dumps({"check": RED | {"state": "ok"}}))
    jobs.last.end(2, last_words="--tr is 2100, expected 0.1 to 10.")
    setup.tick(0.0)
    assert setup.checks.problem == "--tr is 2100, expected 0.1 to 10."
    assert "2100" in may_start(setup.checks, wanted(CHOICE))


def test_a_rehearsal_from_start_to_verdict(setup, jobs):
    setup.rehearse(CHOICE, RUN, duration_s=300)
    setup.rehearse(CHOICE, RUN, duration_s=300)
    assert len(jobs.started) == 1
    words = jobs.last.arguments
    page = Path(words[words.index("--page") + 1])
    assert page.parent.is_dir()
    assert setup.rehearsal.running
    jobs.last.say('{"stage": "session", "elapsed_s": 30, "remaining_s": 270}')
    setup.tick(0.0)
    assert setup.rehearsal.share == pytest.approx(0.1)
    setup.stop_rehearsal()
    assert jobs.last.asked_to_stop
    jobs.last.say('{"verdict": "no-go", "why": ["interrupted"]}').end(1)
    setup.tick(1.0)
    assert setup.rehearsal.verdict == "no-go"
    assert not setup.rehearsal.running
    assert not setup.rehearsal.problem
    setup.close()
    assert not page.parent.exists()


def test_a_rehearsal_without_a_verdict_is_no_go(setup, jobs):
    setup.rehearse(CHOICE, RUN, duration_s=300)
    jobs.last.end(1, last_words="no LSL stream fits")
    setup.tick(0.0)
    assert setup.rehearsal.verdict is None
    assert setup.rehearsal.problem == "no LSL stream fits"


def test_a_dry_run_plays_the_twin_under_a_name_of_its_own(setup, jobs):
    twin = setup.start_dry_run()
    assert setup.start_dry_run() == twin
    assert len(jobs.started) == 1
    assert twin.name == "rtbold-dryrun-7-1"
    assert twin.name in jobs.last.arguments
    assert "SIMULATED" in setup.dry_run.words()
    choice = on_the_twin(CHOICE, twin.name)
    assert choice.stream == "rtbold-dryrun-7-1-eeg"
    assert choice.record == "/data/dry-run"
    assert on_the_twin(replace(CHOICE, record=""), twin.name).record == ""
    assert choice.simulated
    player = jobs.last
    setup.find_streams()
    jobs.last.say(json.dumps([EEG | {"name": choice.stream}])).end()
    setup.tick(0.0)
    setup.tick(0.1)
    assert setup.dry_run.state == "playing"
    setup.stop_dry_run()
    player.end()
    setup.tick(0.2)
    assert setup.dry_run.state == "ended"
    assert "real streams" in setup.dry_run.words()
    assert setup.start_dry_run().name == "rtbold-dryrun-7-2"


def test_closing_ends_the_jobs(setup, jobs):
    setup.start_dry_run()
    setup.close()
    assert jobs.closed


def test_what_was_overridden_for_other_settings_is_not_rehearsed(setup, jobs):
    setup.check(CHOICE, RUN)
    jobs.last.say(json.dumps({"check": RED}), json.dumps({"ready": False})).end(1)
    setup.tick(0.0)
    setup.override("a pilot")
    other = replace(CHOICE, model="another")
    setup.rehearse(other, RUN, duration_s=60)
    assert "--allow-unvalidated" not in jobs.last.arguments
    assert "--allow-unvalidated" not in setup.start_arguments(other, RUN)
    assert "--allow-unvalidated" in setup.start_arguments(CHOICE, RUN)


def test_an_override_may_be_any_option(setup, jobs):
    setup.check(CHOICE, RUN)
    red = {**RED, "name": "channels", "override": "--interpolate"}
    jobs.last.say(json.dumps({"check": red}), json.dumps({"ready": False})).end(1)
    setup.tick(0.0)
    setup.override("one is broken")
    assert may_start(setup.checks, wanted(CHOICE)) == ""
    assert setup.start_arguments(CHOICE, RUN)[-1] == "--interpolate"


def test_a_new_subject_is_listed_without_being_asked_for(jobs):
    marks = [("S01", 1)]
    search = BundleSearch(jobs, marks=lambda root: tuple(marks))
    search.begin("/subjects")
    for job in jobs.started:
        job.say("[]").end()
    search.watch(0.0)
    search.tick(0.0)
    assert len(jobs.started) == 2
    for now_s in (1.0, 2.5, 5.0):  # nothing has changed
        search.watch(now_s)
        search.tick(now_s)
    assert len(jobs.started) == 2
    marks.append(("S02", 2))
    search.tick(9.0)  # nobody looks
    assert len(jobs.started) == 2
    search.watch(9.0)
    search.tick(9.0)
    assert [job.arguments[:2] for job in jobs.started[2:]] == [
        ("subjects", "list"), ("models", "list"),
    ]  # fmt: skip
    assert jobs.started[2].arguments[-1] == "/subjects"


def test_the_folder_that_is_watched_is_the_one_that_is_listed(tmp_path):
    assert default_root() == str(bundle.default_root())
    before = folder_marks(str(tmp_path))
    (tmp_path / "S01").mkdir()
    assert folder_marks(str(tmp_path)) != before
    assert folder_marks(str(tmp_path / "none")) == ()
