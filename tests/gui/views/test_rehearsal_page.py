import json
from dataclasses import replace

import pytest
from feed_messages import link
from PyQt6.QtPrintSupport import QPrinter
from scripted_jobs import ScriptedJobs

from rtbold.gui.controllers.setup import SetupController
from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.state.setup import Run, SetupChoice
from rtbold.gui.views.rehearsal_page import RehearsalPage

CHOICE = SetupChoice(stream="cap", model="demo", trigger_stream="m", record="/data")


class Rig:
    def __init__(self, qtbot):
        self.jobs = ScriptedJobs()
        self.controller = SetupController(self.jobs, pid=7)
        self.choice = CHOICE
        self.page = RehearsalPage(DARK, self.controller, lambda: self.choice)
        self.page.resize(1254, 728)
        qtbot.addWidget(self.page)

    def step(self, *said, code=None, **more):
        self.jobs.last.say(*(json.dumps(each) for each in said))
        if code is not None:
            self.jobs.last.end(code, **more)
        self.controller.tick(0.0)
        self.page.refresh(DashboardState(), 0.0)


@pytest.fixture
def rig(qtbot):
    rig = Rig(qtbot)
    yield rig
    rig.controller.close()


def go(page=""):
    return {
        "verdict": "go", "why": [], "figures": {"latency_p99_ms": 41.2}, "page": page
    }  # fmt: skip


def test_before_the_first_it_says_where_to_begin(rig):
    assert "Set-up page" in rig.page.why.text()
    assert not rig.page.print.isEnabled()
    assert not rig.page.again.isEnabled()


def test_progress_with_time_left_and_lines_as_they_come(rig):
    rig.page.minutes.setValue(2)
    rig.page.rehearse(CHOICE, Run(1))
    assert "--duration" in rig.jobs.last.arguments
    assert "120" in rig.jobs.last.arguments
    rig.step({"stage": "session", "elapsed_s": 30, "remaining_s": 90, "text": "vol 14"})
    assert rig.page.progress.value() == 250
    assert rig.page.progress.format() == "session: 1:30 min left"
    assert "vol 14" in rig.page.said.toPlainText()
    assert rig.page.stop.isEnabled()
    rig.page.stop.click()
    assert rig.jobs.last.asked_to_stop
    rig.page.rehearse(CHOICE, Run(2))  # one at a time
    assert len(rig.jobs.started) == 1


def test_go_is_huge_and_has_evidence(rig):
    rig.page.rehearse(CHOICE, Run(1))
    check = {"check": {"name": "triggers", "state": "ok", "found": "143 of 143"}}
    rig.step(check, go(), code=0)
    assert rig.page.verdict.text() == "● GO"
    assert DARK.ok in rig.page.verdict.styleSheet()
    assert "143 of 143" in rig.page.checks.texts()[0]
    assert "41.2 ms" in rig.page.figures.toPlainText()
    assert rig.page.print.isEnabled()
    rig.page.set_colours(LIGHT)
    assert LIGHT.ok in rig.page.verdict.styleSheet()
    assert "--without-scanner" not in rig.jobs.last.arguments
    rig.page.without.click()
    rig.page.again.click()
    assert len(rig.jobs.started) == 2
    assert "--without-scanner" in rig.jobs.last.arguments
    assert rig.page.title().startswith("demo, 20")


def test_a_go_is_none_any_more_once_the_settings_changed(rig):
    rig.page.rehearse(CHOICE, Run(1))
    check = {"check": {"name": "triggers", "state": "ok", "found": "143 of 143"}}
    rig.step(check, go(), code=0)
    rig.choice = replace(CHOICE, model="", subject="S02", trigger="S 1")
    rig.page.refresh(DashboardState(), 1.0)
    assert rig.page.verdict.text() == "◌ for other settings"
    assert DARK.ok not in rig.page.verdict.styleSheet()
    words = rig.page.why.text()
    assert "You changed the subject or model and the trigger's label since" in words
    assert "Rehearse again from the Set-up page" in words
    assert "GO" not in words
    assert not any(b.isEnabled() for b in (rig.page.print, rig.page.again))
    assert DARK.ok not in rig.page.checks.texts()[0]
    assert DARK.muted in rig.page.figures.styleSheet()
    rig.page.set_colours(LIGHT)
    assert rig.page.verdict.text() == "◌ for other settings"
    rig.choice = CHOICE
    rig.page.refresh(DashboardState(), 1.1)
    assert rig.page.verdict.text() == "● GO"
    assert rig.page.figures.styleSheet() == ""
    assert rig.page.again.isEnabled()


def test_a_change_in_the_middle_is_said_and_no_verdict_follows(rig):
    rig.page.rehearse(CHOICE, Run(1))
    rig.choice = replace(CHOICE, stream="other")
    rig.page.refresh(DashboardState(), 0.0)
    assert rig.page.verdict.text() == "◌ rehearsing"
    assert "changed the EEG stream since it began" in rig.page.why.text()
    rig.step(go(), code=0)
    assert rig.page.verdict.text() == "◌ for other settings"


def test_no_go_says_why(rig):
    rig.page.rehearse(CHOICE, Run(1))
    rig.step({"verdict": "no-go", "why": ["no trigger came"]}, code=1)
    assert rig.page.verdict.text() == "■ NO-GO"
    assert "no trigger came" in rig.page.why.text()


def test_an_end_without_a_verdict_is_no_go(rig):
    rig.page.rehearse(CHOICE, Run(1))
    rig.step(code=1, last_words="no LSL stream fits")
    assert rig.page.verdict.text() == "■ NO-GO"
    assert "no LSL stream fits" in rig.page.why.text()


def test_the_page_is_saved_and_printed(rig, tmp_path):
    own = tmp_path / "own.html"
    long = "<p>a line of evidence</p>" * 100
    own.write_text(f"<html><body><h1>GO</h1>{long}</body></html>", encoding="utf-8")
    rig.page.rehearse(CHOICE, Run(1))
    rig.step(go(str(own)), code=0)
    saved = tmp_path / "saved.html"
    rig.page.save_to(saved)
    assert saved.read_text(encoding="utf-8") == own.read_text(encoding="utf-8")
    assert "✓ saved" in rig.page.saved.text()
    rig.page.save_to(tmp_path / "not" / "there.html")
    assert "cannot be written" in rig.page.saved.text()
    printer = QPrinter()
    printer.setOutputFormat(QPrinter.OutputFormat.PdfFormat)
    printer.setOutputFileName(str(tmp_path / "page.pdf"))
    rig.page.print_to(printer)
    written = (tmp_path / "page.pdf").read_bytes()
    assert written.count(b"/Type /Page\n") == 1  # one sheet, however long it is


def test_without_a_page_of_its_own_what_is_known_is_printed(rig):
    rig.page.rehearse(CHOICE, Run(1))
    check = {"check": {"name": "<disk>", "state": "fail", "found": "full"}}
    rig.step(check, {"verdict": "no-go", "why": ["disk"], "page": "/gone"}, code=1)
    html = rig.page.html()
    assert "NO-GO" in html
    assert "&lt;disk&gt;" in html
    assert "demo" in html


def test_a_go_does_not_claim_what_was_not_rehearsed(rig):
    rig.page.rehearse(CHOICE, Run(1))
    check = {"name": "volume triggers", "state": "warn", "found": "NOT REHEARSED"}
    rig.step({"check": check}, go(), code=0)
    words = rig.page.why.text()
    assert "Not rehearsed" in words
    assert "volume triggers" in words
    assert "Everything" not in words


def test_it_opens_idle_and_begins_by_its_own_button(rig):
    rig.page.prepare(CHOICE, Run(2, "training"))
    assert rig.jobs.started == []
    assert rig.page.why.text() == (
        "Ready to rehearse demo, run 02, training. Choose how long, then press Begin."
    )
    assert rig.page.again.text() == "&Begin"
    rig.page.minutes.setValue(1)
    begun = []
    rig.page.begun.connect(lambda: begun.append(1))
    rig.page.again.click()
    assert "60" in rig.jobs.last.arguments
    assert begun == [1]


def test_what_is_stopped_by_hand_is_stopped_and_no_no_go(rig):
    rig.page.rehearse(CHOICE, Run(1))
    rig.step({"stage": "session", "elapsed_s": 30, "remaining_s": 90})
    rig.page.stop.click()
    rig.step()
    assert not rig.page.stop.isEnabled()
    assert "being stopped" in rig.page.why.text()
    rig.step(
        {"verdict": "no-go", "why": ["interrupted before its end"], "page": "/p"},
        code=1,
    )
    assert rig.page.verdict.text() == "□ STOPPED"
    assert DARK.invalid not in rig.page.verdict.styleSheet()
    assert "neither GO nor NO-GO" in rig.page.why.text()
    assert "STOPPED" in rig.page.html()
    assert "NO-GO" not in rig.page.html().split("<ul>")[0]
    assert rig.page.again.isEnabled()


def test_a_go_that_came_before_the_stop_is_a_go(rig):
    rig.page.rehearse(CHOICE, Run(1))
    rig.page.stop.click()
    rig.step(go(), code=0)
    assert rig.page.verdict.text() == "● GO"


def test_a_simulated_go_is_under_a_banner(rig):
    rig.choice = replace(CHOICE, simulated=True)
    rig.page.rehearse(rig.choice, Run(1))
    rig.step(go(), code=0)
    assert rig.page.verdict.text() == "● GO (SIMULATED)"
    assert not rig.page.banner.isHidden()
    assert rig.page.banner.text().startswith("SIMULATED")


def test_a_real_go_has_no_banner(rig):
    rig.page.rehearse(CHOICE, Run(1))
    rig.step(go(), code=0)
    assert rig.page.banner.isHidden()
    assert "SIMULATED" not in rig.page.verdict.text()


def test_a_twin_that_was_chosen_by_hand_is_simulated_too(rig):
    rig.controller.find_streams()
    rig.controller.tick(0.0)
    twin = {"name": "cap", "type": "EEG", "rate_hz": 200.0, "simulated": True}
    rig.jobs.named("streams").say(json.dumps([twin])).end()
    rig.controller.tick(0.0)
    rig.page.rehearse(CHOICE, Run(1))
    rig.step(go(), code=0)
    assert rig.page.verdict.text() == "● GO (SIMULATED)"


def test_nothing_begins_while_a_session_runs(rig):
    rig.page.prepare(CHOICE, Run(1))
    state = DashboardState()
    state.take(link(1.0), 1.0)
    rig.page.refresh(state, 1.0)
    assert not rig.page.again.isEnabled()
    assert "Rehearse after it" in rig.page.again.toolTip()
