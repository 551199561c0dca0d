from dataclasses import replace
from types import SimpleNamespace

import pytest
from dashboard_window import ScriptedChild, WindowRig
from feed_messages import link, received
from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtWidgets import QPushButton

from rtbold.gui.state.address import Address
from rtbold.gui.state.setup import PlannedRun, Run, RunPlan, SetupChoice
from rtbold.gui.views.main_window import REHEARSE, SESSION, SETUP
from rtbold.gui.views.setup.run_starter import RunStarter

RUN = Run(2, "training")


class Setup(QObject):
    """The part of the set-up page that starts runs."""

    startRequested = pyqtSignal(tuple, object)  # noqa: N815
    rehearseRequested = pyqtSignal(object, object)  # noqa: N815
    logged = pyqtSignal(str)

    def __init__(self):
        super().__init__()
        self.run, self.told, self.refreshed = Run(3, "transfer"), [], 0
        rows = (PlannedRun(Run(1), "done"), PlannedRun(RUN, "aborted"))
        plan = RunPlan((*rows, PlannedRun(Run(3, "transfer"))))
        self.runs = SimpleNamespace(plan=plan, show_plan=self.show_plan)
        self.start = QPushButton()
        self.start.clicked.connect(lambda: self.startRequested.emit(("run",), self.run))

    def notes_for_session(self, run):
        return (f"note of run {run.number}", "override: units")

    def session_started(self, run):
        self.told.append(("started", run.number))
        self.show_plan(self.runs.plan.marked(run.number, "running"))

    choice = SetupChoice(subject="S01", stream="cap")

    def show_plan(self, plan):
        self.runs.plan = plan

    def arguments_again(self, choice, run):
        return ("run", choice, f"run {run.number}")

    def session_ended(self, state="done", words=""):
        self.told.append((state, words))

    def refuse(self, words):
        self.told.append(("refused", words))

    def start_failed(self, run, words):
        self.told.append(("failed", words))

    def refresh(self, state, now_s):
        self.refreshed += 1


class Rehearsal(QObject):
    """The part of the rehearsal page that the set-up page opens."""

    begun = pyqtSignal()

    def __init__(self):
        super().__init__()
        self.prepared = []

    def prepare(self, choice, run):
        self.prepared.append((choice, run))


class Session(QObject):
    """The part of the session page that asks for runs."""

    start_requested = pyqtSignal()
    participant_requested = pyqtSignal()

    def __init__(self):
        super().__init__()
        self.next_run = None

    def set_next_run(self, words):
        self.next_run = words


@pytest.fixture
def rig(qtbot, tmp_path):
    made = WindowRig(tmp_path)
    qtbot.addWidget(made.window)
    made.setup, made.session, made.rehearsal = Setup(), Session(), Rehearsal()
    RunStarter(
        made.window,
        setup=made.setup,
        rehearsal=made.rehearsal,
        session=made.session,
        now_s=lambda: made.now_s,
    )
    return made


def test_start_starts_and_the_notes_follow_once_it_is_heard(qtbot, rig):
    rig.setup.startRequested.emit(("run", "--model", "demo"), RUN)
    assert rig.setup.told == [("started", 2)]
    assert rig.window.stack.currentIndex() == SESSION
    assert rig.session.next_run == "run 03, transfer"
    rig.hear()
    assert rig.asked == []
    rig.hear(link(rig.now_s), received("hello"))
    rig.hear(link(rig.now_s), received("hello"))
    qtbot.waitUntil(lambda: rig.asked == ["NOTE", "NOTE"])


def test_the_end_of_the_run_is_told(rig):
    rig.setup.startRequested.emit(("run",), RUN)
    rig.hear(link(rig.now_s), received("hello"), received("bye"))
    assert rig.setup.told[-1][0] == "done"


def test_a_run_that_died_is_aborted_with_its_words_where_it_was_set_up(rig):
    rig.setup.startRequested.emit(("run",), RUN)
    rig.child.code, rig.child.words = 2, "no stream 'X'"
    rig.hear()
    state, words = rig.setup.told[-1]
    assert state == "aborted"
    assert "no stream 'X'" in words
    assert rig.window.stack.currentIndex() == SETUP


def test_a_run_that_cannot_start_can_be_started_again(rig):
    rig.child.problem = "the folder is read-only"
    rig.setup.startRequested.emit(("run",), RUN)
    assert rig.setup.told == [("failed", "the folder is read-only")]
    rig.window.tick()
    assert [state for state, _ in rig.setup.told] == ["failed"]


def test_a_run_that_is_left_for_another_session_is_neither_running_nor_done(rig):
    rig.setup.startRequested.emit(("run",), RUN)
    rig.hear(link(rig.now_s), received("hello"))
    rig.window.join(Address("tcp://elsewhere:5580"))
    rig.hear()
    assert [state for state, _ in rig.setup.told] == ["started", "left"]


def test_start_on_the_session_page_starts_the_next_run(rig):
    rig.session.start_requested.emit()
    assert rig.setup.refreshed == 1
    assert rig.setup.told == [("started", 3)]


def test_rehearse_opens_its_page_and_begins_nothing(rig):
    rig.setup.rehearseRequested.emit("choice", RUN)
    assert rig.rehearsal.prepared == [("choice", RUN)]
    assert rig.window.stack.currentIndex() == REHEARSE


def test_the_session_of_a_rehearsal_is_not_offered(qtbot, tmp_path):
    made = WindowRig(tmp_path, offer_at=Address("tcp://127.0.0.1:6100"))
    qtbot.addWidget(made.window)
    rehearsal = Rehearsal()
    RunStarter(
        made.window,
        setup=Setup(),
        rehearsal=rehearsal,
        session=Session(),
        now_s=lambda: made.now_s,
    )
    rehearsal.begun.emit()
    assert made.feeds[-1].closed


def test_what_was_overridden_is_in_the_log(rig):
    rig.setup.logged.emit("override: units (checked by hand)")
    assert "checked by hand" in rig.window.state.log.entries[-1].text


def test_a_joined_session_that_ends_is_no_run_of_ours(rig):
    rig.window.join(Address())
    rig.hear(link(rig.now_s), received("hello"), received("bye"))
    assert rig.setup.told == []


def test_the_participants_window_opens_from_the_session_page(rig):
    rig.session.participant_requested.emit()
    assert rig.window.participant.window is not None
    rig.session.participant_requested.emit()
    assert rig.window.participant.window is None


def again_button(rig):
    notice = rig.window.notices._notices.get("died")
    return notice and notice.action


def test_after_a_crash_one_click_starts_the_same_again_under_the_next_number(rig):
    rig.setup.startRequested.emit(("run",), RUN)
    rig.child.code = -9
    rig.hear()
    assert again_button(rig).text() == "Start again as run 03, same settings"
    assert not again_button(rig).isHidden()
    rig.child = ScriptedChild()
    chosen = rig.setup.choice
    rig.setup.choice = replace(chosen, stream="changed meanwhile")
    again_button(rig).click()
    assert rig.started[-1] == ("run", chosen, "run 3")
    assert rig.setup.told[-1] == ("started", 3)
    kinds = [(row.run.number, row.run.kind) for row in rig.setup.runs.plan]
    assert kinds == [(1, "training"), (2, "training"), (3, "training"), (4, "transfer")]
    assert rig.window.stack.currentIndex() == SESSION
    assert again_button(rig) is None  # it is done
    rig.child.code = -9
    rig.hear()
    assert again_button(rig).text() == "Start again as run 04, same settings"


@pytest.mark.parametrize("other", [{"subject": "S02"}, {"session": "02"}])
def test_the_plan_of_another_subject_starts_nothing_again(rig, other):
    """Its run 02 is another one; the click says what to choose, and starts nothing."""
    rig.setup.startRequested.emit(("run",), RUN)
    rig.child.code = -9
    rig.hear()
    n_started = len(rig.started)
    rig.setup.choice = replace(rig.setup.choice, **other)
    plan = rig.setup.runs.plan
    again_button(rig).click()
    assert len(rig.started) == n_started
    assert rig.setup.runs.plan is plan
    refused, words = rig.setup.told[-1]
    assert refused == "refused"
    assert "run 02 was of subject S01, session 01" in words
    assert rig.window.stack.currentIndex() == SETUP


def test_a_run_that_ended_in_order_is_not_offered_again(rig):
    rig.setup.startRequested.emit(("run",), RUN)
    rig.hear(link(rig.now_s), received("hello"), received("bye"))
    assert again_button(rig) is None
