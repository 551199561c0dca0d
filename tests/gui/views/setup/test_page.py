"""The set-up page with scripted children: from nothing to a start."""

import json
from dataclasses import replace

import pytest
from feed_messages import link, received
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication, QComboBox, QLineEdit, QPushButton, QWidget
from scripted_jobs import ScriptedJobs

from rtbold.gui.controllers.setup import SetupController
from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.state.setup import Run, SetupChoice, as_choices
from rtbold.gui.views.setup.checks import OverrideDialog, channel_words
from rtbold.gui.views.setup.page import SetupPage
from rtbold.messages import Check
from rtbold.run_names import RunGroup

CHOICE = SetupChoice(stream="cap", model="demo", trigger_stream="m", record="/data")
STREAMS = [
    {"name": "cap", "type": "EEG", "host": "amp", "n_channels": 32, "rate_hz": 500.0},
    {"name": "m", "type": "Markers", "host": "amp", "n_channels": 1, "rate_hz": 0.0},
]
GREEN = {"name": "disk", "state": "ok", "found": "212 GB free", "must": True}
RED = {"name": "verdict", "state": "fail", "found": "undecided", "must": True,
       "advice": "scan longer", "override": "--allow-unvalidated"}  # fmt: skip


class Rig:
    """A page, its controller and a clock."""

    def __init__(self, qtbot, choice=CHOICE, plan=None):
        self.jobs, self.state, self.now_s = ScriptedJobs(), DashboardState(), 0.0
        self.controller = SetupController(
            self.jobs, pid=7, now_unix_s=lambda: 1.8e9 + self.now_s
        )
        self.page = SetupPage(DARK, self.controller, as_choices(choice), plan=plan)
        qtbot.addWidget(self.page)
        self.page.resize(1254, 728)
        self.step()

    def step(self, by_s=0.1):
        self.now_s += by_s
        self.controller.tick(self.now_s)
        self.page.refresh(self.state, self.now_s)

    def check(self, *lines, ready):
        self.page.checks.check.click()
        job = self.jobs.named("preflight")
        job.say(*(json.dumps({"check": line}) for line in lines))
        self.step()
        job.say(json.dumps({"ready": ready})).end(0 if ready else 1)
        self.step()


@pytest.fixture
def rig(qtbot):
    rig = Rig(qtbot)
    yield rig
    rig.controller.close()


def test_lists_are_asked_for_when_the_page_is_first_seen(rig):
    rig.step()
    asked = [job.arguments[:2] for job in rig.jobs.started]
    assert asked == [("subjects", "list"), ("models", "list"), ("streams", "--json")]
    rig.jobs.named("streams").say(json.dumps(STREAMS)).end()
    rig.step()
    rig.step()
    assert rig.page.form.stream.currentText() == "cap: 32 ch., 500 Hz"


def test_nothing_chosen_is_said_and_nothing_starts(qtbot):
    rig = Rig(qtbot, SetupChoice())
    assert "an EEG stream" in rig.page.why_not.text()
    assert not rig.page.start.isEnabled()
    rig.page.checks.check.click()
    assert "Nothing to check yet" in rig.page.failure.text()
    rig.page.rehearse.click()
    assert "Nothing to rehearse" in rig.page.failure.text()
    assert not any(job.arguments[0] == "preflight" for job in rig.jobs.started)
    rig.controller.close()


def test_a_green_check_lets_start_emit_words_and_run(rig, qtbot):
    assert "Press Check" in rig.page.why_not.text()
    rig.check(GREEN, ready=True)
    assert rig.page.start.isEnabled()
    assert rig.page.start.text() == "&Start run 01, training"
    with qtbot.waitSignal(rig.page.startRequested) as told:
        rig.page.start.click()
    words, run = told.args
    assert words[0] == "run"
    assert words[words.index("--run") + 1] == "1"
    assert run == Run(1, "training")


def recorded(folder, number, subject="anon"):
    RunGroup(subject=subject).run(number).folder(folder).mkdir(parents=True)


def test_the_plan_has_the_numbers_that_the_recordings_will_have(qtbot, tmp_path):
    recorded(tmp_path, 3)
    rig = Rig(qtbot, replace(CHOICE, record=str(tmp_path)))
    assert rig.page.run == Run(1, "training")
    rig.page.runs.add.click()
    rig.page.runs.add.click()
    assert [row.run.number for row in rig.page.runs.plan] == [1, 2, 4]
    rig.controller.close()


def test_a_number_that_was_taken_meanwhile_is_not_started(qtbot, tmp_path):
    rig = Rig(qtbot, replace(CHOICE, record=str(tmp_path)))
    rig.check(GREEN, ready=True)
    recorded(tmp_path, 1)
    with qtbot.waitSignal(rig.page.startRequested) as told:
        rig.page.start.click()
    words, run = told.args
    assert run.number == 2
    assert words[words.index("--run") + 1] == "2"
    rig.controller.close()


def test_plan_and_notes_survive_a_restart_of_the_window(rig, qtbot):
    rig.page.runs.add.click()
    rig.page.notes.impedance.set_value("all below 10")
    rig.page.session_started(Run(1, "training"))
    rig.page.session_ended()
    kept = json.loads(json.dumps(rig.page.plan()))
    again = Rig(qtbot, plan=kept)
    assert again.page.runs.plan == rig.page.runs.plan
    assert again.page.runs.plan.rows[0].state == "done"
    assert again.page.run == Run(2, "training")
    assert again.page.notes.notes().impedance == "all below 10"
    again.controller.close()


def test_notes_of_yesterday_are_none_of_today(rig, qtbot):
    rig.page.notes.impedance.set_value("all below 10")
    kept = rig.page.plan() | {"at": f"{1.8e9 - 86_400:.0f}"}
    again = Rig(qtbot, plan=kept)
    assert again.page.notes.notes().impedance == ""
    again.controller.close()


def test_an_edit_of_plan_or_notes_is_worth_keeping_at_once(rig, qtbot):
    with qtbot.waitSignal(rig.page.edited):
        rig.page.runs.add.click()
    with qtbot.waitSignal(rig.page.edited):
        qtbot.keyClicks(rig.page.notes.free, "x")
    with qtbot.waitSignal(rig.page.edited):
        rig.page.session_started(Run(1, "training"))


def test_each_subject_has_a_plan_of_its_own(rig, qtbot):
    rig.page.session_started(Run(1, "training"))
    rig.page.session_ended()
    qtbot.keyClicks(rig.page.form.names.findChild(QLineEdit, "record_as"), "S2")
    assert rig.page.run == Run(1, "training")
    rig.page.form.names.findChild(QLineEdit, "record_as").clear()
    rig.page.form.names.edited.emit()
    assert rig.page.runs.plan.rows[0].state == "done"


def test_a_label_that_is_none_is_said_and_nothing_starts(rig, qtbot):
    rig.check(GREEN, ready=True)
    qtbot.keyClicks(rig.page.form.names.findChild(QLineEdit, "session"), "day 1")
    rig.step()
    assert not rig.page.start.isEnabled()
    assert "the session is 'day 1', expected a code" in rig.page.why_not.text()


def test_red_blocks_until_it_is_overridden_with_a_reason(rig, qtbot, monkeypatch):
    rig.check(GREEN, RED, ready=False)
    assert not rig.page.start.isEnabled()
    assert "verdict" in rig.page.why_not.text()
    shown = rig.page.checks.list.texts()
    assert "verdict" in shown[0]  # the worst first
    assert "must be mended" in shown[0]
    assert "scan longer" in shown[0]

    def say_yes(dialog):
        dialog.reason.setText("pilot without feedback")
        return True

    monkeypatch.setattr(OverrideDialog, "exec", say_yes)
    with qtbot.waitSignal(rig.page.logged) as told:
        rig.page.checks.override.click()
    assert told.args == ["overridden: verdict. Reason: pilot without feedback"]
    rig.step()
    assert rig.page.start.isEnabled()
    assert "overridden" in rig.page.checks.list.texts()[0]
    assert not rig.page.checks.override.isEnabled()
    with qtbot.waitSignal(rig.page.startRequested) as told:
        rig.page.start.click()
    assert "--allow-unvalidated" in told.args[0]
    assert told.args[0].count("--allow-unvalidated") == 1
    notes = rig.page.notes_for_session(told.args[1])
    assert "overridden: verdict. Reason: pilot without feedback" in notes


def test_a_change_makes_the_check_stale(rig):
    rig.check(GREEN, ready=True)
    rig.page.form.set_choice(replace(CHOICE, stream="other"))
    rig.step()
    age = rig.page.checks.age
    assert not age.isHidden()
    assert "Not checked since you changed the EEG stream." in age.text()
    assert DARK.degraded in age.styleSheet()
    assert "Press Check again" in rig.page.why_not.text()
    rig.page.form.set_choice(CHOICE)
    rig.step()
    assert age.text().startswith("Checked ")
    assert rig.page.start.isEnabled()


def test_a_check_has_an_age_and_an_old_one_does_not_look_fresh(rig):
    age = rig.page.checks.age
    assert age.isHidden()
    rig.check(GREEN, ready=True)
    assert "(less than a minute ago)" in age.text()
    assert DARK.muted in age.styleSheet()
    rig.step(by_s=245.0)
    assert "(4 min ago)" in age.text()
    rig.step(by_s=360.0)
    assert age.text().startswith("▲ Checked ")
    assert "(10 min ago): that is old" in age.text()
    assert DARK.degraded in age.styleSheet()
    rig.page.set_colours(LIGHT)
    assert LIGHT.degraded in age.styleSheet()
    assert rig.page.start.isEnabled()  # it warns; the operator decides
    rig.page.checks.check.click()
    rig.step()
    assert age.isHidden()


def test_another_run_needs_no_other_check(rig):
    rig.check(GREEN, ready=True)
    rig.page.session_started(Run(1))
    rig.step()
    assert "Run 1 is running" in rig.page.why_not.text()
    rig.page.session_ended()
    rig.page.runs.add.click()
    rig.step()
    assert rig.page.start.text() == "&Start run 02, training"
    assert rig.page.start.isEnabled()


def test_a_session_that_dies_leaves_its_words_and_an_aborted_run(rig):
    rig.page.session_started(Run(1))
    rig.page.session_ended("aborted", words="no LSL stream fits 'cap'")
    assert "no LSL stream fits" in rig.page.failure.text()
    assert "✕ aborted" in rig.page.runs.table.item(0, 0).text()


def test_a_start_that_fails_can_be_tried_again(rig):
    rig.page.session_started(Run(1))
    rig.page.start_failed(Run(1), "cannot start: no such file")
    assert "cannot start" in rig.page.failure.text()
    assert rig.page.run == Run(1)


def test_a_session_of_somebody_else_blocks_the_start(rig):
    rig.check(GREEN, ready=True)
    rig.state.take(received("hello"), rig.now_s)
    rig.state.take(link(rig.now_s), rig.now_s)
    rig.step(0.0)
    assert "runs already" in rig.page.why_not.text()
    assert not rig.page.rehearse.isEnabled()


def test_a_dry_run_chooses_the_twin_and_gives_the_choice_back(rig):
    rig.page.twin.button.click()
    rig.step()
    assert rig.page.choice.stream == "rtbold-dryrun-7-1-eeg"
    assert "SIMULATED" in rig.page.twin.banner.text()
    assert not rig.page.twin.banner.isHidden()
    assert rig.page.choices() == as_choices(CHOICE)  # nothing of it is remembered
    rig.page.twin.button.click()
    rig.jobs.named("simulate").end()
    rig.step()
    assert rig.page.choice == CHOICE


def test_a_twin_that_dies_is_told(rig):
    rig.page.twin.button.click()
    rig.jobs.named("simulate").end(1, problem="The twin ended with an error: x")
    rig.step()
    assert "ended with an error" in rig.page.twin.banner.text()
    assert rig.page.choice == CHOICE


def test_rehearse_asks_with_the_marked_run(rig, qtbot):
    with qtbot.waitSignal(rig.page.rehearseRequested) as told:
        rig.page.rehearse.click()
    assert told.args == [CHOICE, Run(1)]


def test_notes_and_the_run_are_told_to_the_session(rig):
    rig.page.notes.impedance.setText("all below 10 kΩ")
    rig.page.notes.eyes.setCurrentText("open")
    assert rig.page.notes_for_session(Run(2, "transfer", note="left")) == (
        "run 02, transfer: left",
        "impedance: all below 10 kΩ",
        "eyes: open",
    )


def test_everything_works_by_keyboard(rig, qtbot):
    with qtbot.waitActive(rig.page):
        rig.page.show()
        rig.page.activateWindow()
    control = Qt.KeyboardModifier.ControlModifier
    rig.page.form.record.setFocus()
    qtbot.keyClick(rig.page.form.record, Qt.Key.Key_F4)
    rig.jobs.named("preflight").say(
        json.dumps({"check": GREEN}), '{"ready": true}'
    ).end()
    rig.step()
    with qtbot.waitSignal(rig.page.startRequested):
        qtbot.keyClick(rig.page.form.record, Qt.Key.Key_Return, control)
    with qtbot.waitSignal(rig.page.startRequested):
        qtbot.keyClick(rig.page.form.record, Qt.Key.Key_F5)
    with qtbot.waitSignal(rig.page.rehearseRequested):
        qtbot.keyClick(rig.page.form.record, Qt.Key.Key_R, control)


def test_each_button_and_field_has_a_name_and_a_tooltip(rig):
    for button in rig.page.findChildren(QPushButton):
        assert button.objectName(), button.text()
        assert button.toolTip(), button.objectName()


@pytest.mark.parametrize("colours", [DARK, LIGHT])
def test_it_fits_and_nothing_is_cut(rig, qtbot, colours):
    rig.page.set_colours(colours)
    rig.check(GREEN, RED, ready=False)
    rig.page.show()
    hint = rig.page.minimumSizeHint()
    assert hint.width() <= 1254
    assert hint.height() <= 690
    start = rig.page.start
    assert rig.page.rect().contains(start.geometry())
    assert all(w.isVisible() for w in (start, rig.page.checks.check))
    assert isinstance(rig.page, QWidget)


def test_channels_are_named_where_they_need_it(rig):
    said = {
        "channels": [
            {"label": "CZ", "state": "good", "found": "Cz", "match": "same"},
            {"label": "T7", "state": "missing", "found": None, "match": "missing"},
            {"label": "P7", "state": "good", "found": "T5", "match": "alias"},
        ],
        "extra": ["ECG"],
    }
    rig.page.checks.check.click()
    rig.jobs.named("preflight").say(json.dumps(said))
    rig.step()
    words = rig.page.checks.channels.text()
    assert "✕ Missing: T7." in words
    assert "P7 is T5" in words
    assert "Not used by the model: ECG." in words
    assert ("missing", "not in the stream: T7") in rig.page.checks.head.lines()
    assert channel_words((), [f"C{n}" for n in range(20)]).endswith("and 8 more.")


def test_the_override_dialog_takes_reason_and_word_and_no_accident(qtbot):
    lines = [
        Check("verdict", "fail", "undecided", "", True, "--allow-unvalidated"),
        Check("stream", "fail", "none", "", True),
    ]
    dialog = OverrideDialog(lines)
    qtbot.addWidget(dialog)
    dialog.show()
    text = dialog.findChild(QWidget, "override_names").text()
    assert "says in every message that the model is not validated" in text
    assert "Nothing lets a session start with this" in text
    assert "--" not in text
    assert not dialog.go.isEnabled()
    dialog.reason.setText("pilot session")
    dialog.word.setText("override")
    assert not dialog.go.isEnabled()
    dialog.word.setText("OVERRIDE")
    assert dialog.go.isEnabled()
    dialog.reason.setText("x ")
    assert not dialog.go.isEnabled()
    dialog.reason.setText("pilot  session")
    qtbot.keyClick(dialog.word, Qt.Key.Key_Return)
    assert dialog.result() == 0  # Enter cancels: it is never the way through
    dialog.show()
    dialog.go.click()
    assert dialog.result() == 1
    assert dialog.reason_text == "pilot session"


def test_nothing_is_rehearsed_beside_a_session(rig, qtbot):
    rig.state.take(link(rig.now_s), rig.now_s)
    rig.step(0.0)
    asked = []
    rig.page.rehearseRequested.connect(lambda *what: asked.append(what))
    rig.page._rehearse()
    assert asked == []
    assert "after it" in rig.page.failure.text()


def test_a_trigger_stream_that_is_none_closes_check_and_start(rig):
    rig.check(GREEN, ready=True)
    assert rig.page.start.isEnabled()
    bold = {"name": "m", "type": "BOLD", "n_channels": 65, "rate_hz": 0.0}
    rig.jobs.named("streams").say(json.dumps([STREAMS[0], bold])).end()
    rig.step()
    rig.step()
    assert not rig.page.start.isEnabled()
    assert rig.page.why_not.text().startswith("✕ m is measured BOLD, not markers.")
    n = len(rig.jobs.started)
    rig.page.checks.check.click()
    assert len(rig.jobs.started) == n
    assert "m is measured BOLD" in rig.page.failure.text()


def test_a_source_of_bold_without_a_place_is_missing(rig):
    rig.page.form.set_choice(replace(CHOICE, truth="lsl:"))
    rig.step()
    assert "the stream of measured BOLD" in rig.page.why_not.text()


def test_it_says_how_far_the_twin_is(rig):
    rig.page.twin.button.click()
    rig.jobs.named("simulate").last_words = "making the session: 45 %"
    rig.step()
    assert "45 % done" in rig.page.twin.banner.text()


def test_it_says_what_was_rehearsed(rig):
    assert rig.page.rehearsed.text() == "Not rehearsed yet."
    rig.controller.rehearse(CHOICE, Run(1), duration_s=60.0)
    rig.jobs.named("rehearse").say('{"verdict": "go", "why": []}').end()
    rig.step()
    assert rig.page.rehearsed.text().startswith("● rehearsed GO ")


def places(page):
    """Return where each button and field is."""
    kinds = (QPushButton, QLineEdit, QComboBox)
    found = [w for kind in kinds for w in page.findChildren(kind) if w.isVisible()]
    found = [w for w in found if not isinstance(w.parent(), QComboBox)]
    named = [w for w in found if not w.objectName().startswith("qt_")]
    return {w.objectName(): w.mapTo(page, w.rect().topLeft()) for w in named}


def test_nothing_moves_under_the_pointer(rig, qtbot):
    rig.page.show()
    rig.step()
    QApplication.processEvents()  # tables are laid out when the loop is reached
    before = places(rig.page)
    assert len(before) > 25
    rig.jobs.named("streams").say(json.dumps(STREAMS[:1])).end()
    for kind in ("subjects", "models"):
        rig.jobs.named(kind).say("[]").end()
    rig.step()
    rig.step()
    assert "Not on the network now: m" in rig.page.form.gone.text()
    assert places(rig.page) == before
    rig.page.start_failed(Run(1), "cannot start: no such file")
    rig.check(GREEN, ready=True)
    rig.page.twin.button.click()
    rig.step()
    assert rig.page.twin.banner.isVisible()
    QApplication.processEvents()
    after = places(rig.page)
    assert {k: v for k, v in after.items() if k in before} == before


LISTED = {
    "study": "study", "sha256": "0", "next": 1, "break_left_s": 0.0,
    "runs": [
        {"run": 1, "kind": "baseline", "name": "base", "duration_s": 168.0},
        {"run": 2, "kind": "training", "name": "train", "duration_s": 450.0},
    ],
}  # fmt: skip


def listing(rig):
    return [j for j in rig.jobs.started if j.arguments[:2] == ("protocol", "runs")]


def test_a_chosen_protocol_plans_its_runs_and_the_next_one_starts(qtbot):
    rig = Rig(qtbot, replace(CHOICE, protocol="/p/study.toml"))
    (job,) = listing(rig)
    job.say(json.dumps(LISTED, indent=2)).end()
    rig.step()
    plan = rig.page.runs.plan
    assert [(r.run.protocol_run, r.run.kind) for r in plan] == [
        (1, "baseline"), (2, "training"),
    ]  # fmt: skip
    assert not rig.page.runs.table.cellWidget(0, 1).isEnabled()  # it says the kind
    rig.jobs.named("streams").say(json.dumps(STREAMS)).end()
    rig.check(GREEN, ready=True)
    with qtbot.waitSignal(rig.page.startRequested) as started:
        rig.page.start.click()
    words, run = started.args
    assert "--protocol /p/study.toml --run 1" in " ".join(words)
    rig.page.session_started(run)
    rig.page.session_ended("done")
    rig.step()
    again = listing(rig)[-1]
    assert again is not job
    done = json.loads(json.dumps(LISTED))
    done["runs"][0] |= {"done": True, "attempts": [{"attempt": 1, "state": "complete"}]}
    again.say(json.dumps(done)).end()
    rig.step()
    assert [(r.run.protocol_run, r.state) for r in rig.page.runs.plan] == [
        (1, "done"), (2, "planned"),
    ]  # fmt: skip
    assert rig.page.run.protocol_run == 2
    rig.controller.close()


def test_a_protocol_that_is_wrong_says_why_below_the_runs(qtbot):
    rig = Rig(qtbot, replace(CHOICE, protocol="/p/study.toml"))
    (job,) = listing(rig)
    job.end(2, problem="study.toml, line 7: unknown key 'kid'")
    rig.step()
    assert "line 7: unknown key 'kid'" in rig.page.runs.words.text()
    assert len(rig.page.runs.plan.rows) == 1
    rig.page.form.protocol.set_value("")
    rig.page.form.protocol.edited.emit()
    rig.step()
    assert rig.page.runs.words.text() == ""
    rig.controller.close()
