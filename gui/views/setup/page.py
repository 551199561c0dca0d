"""The set-up page: choose, check, note, start a run, or a dry run on the twin."""

from collections.abc import Mapping

from PyQt6.QtCore import QObject, Qt, pyqtSignal
from PyQt6.QtGui import QKeySequence, QShortcut
from PyQt6.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QVBoxLayout, QWidget

from rtbold.gui.controllers.setup import SetupController, wanted
from rtbold.gui.state.checks import EYES, LIGHT, SessionNotes, hindrance, notes_of_start
from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.found import on_the_twin
from rtbold.gui.state.preferences import Colours
from rtbold.gui.state.protocol import RunsSeen, plan_of, without_protocol
from rtbold.gui.state.rehearsal import rehearsed_words
from rtbold.gui.state.setup import (
    Run,
    RunPlan,
    RunState,
    SetupChoice,
    as_choices,
    from_choices,
    lacking,
    numbers_taken,
    plan_text,
    planned_for,
    read_plan,
)
from rtbold.gui.state.words import window_words
from rtbold.gui.views.forms import (
    GAP,
    HeldLabel,
    TextField,
    boxed,
    named_button,
    scrolled,
)
from rtbold.gui.views.setup.checks import CheckPanel, OverrideDialog
from rtbold.gui.views.setup.form import SetupForm
from rtbold.gui.views.setup.runs import RunList

# The banner and the button of a dry run on the twin.


class DryRunBar(QObject):
    """Chooses the twin's streams, and later again what was chosen before."""

    def __init__(self, controller: SetupController, form: SetupForm) -> None:
        super().__init__()
        self._controller, self._form = controller, form
        self._real: SetupChoice | None = None
        self.banner = HeldLabel("dry_run_banner", margin_px=12)
        self.banner.hide()
        self.button = named_button(
            "&Dry run",
            name="dry_run",
            tip="Let a simulated brain play on this machine and choose its streams",
        )
        self.button.clicked.connect(self._toggle)

    @property
    def real_choice(self) -> SetupChoice:
        """What is chosen for real streams, also during a dry run."""
        return self._form.choice if self._real is None else self._real

    def refresh(self) -> None:
        """Show how the dry run is."""
        dry_run = self._controller.dry_run
        if dry_run.state == "ended":
            self._put_back()
        coming = dry_run.name if dry_run.state == "starting" else ""
        self._form.await_streams(coming)
        words = dry_run.words()
        if words != self.banner.text():
            self.banner.setText(words)
        self.banner.setVisible(bool(words))
        self.button.setText("End &dry run" if dry_run.active else "&Dry run")

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self.banner.setStyleSheet(
            f"background: {colours.degraded}; color: {colours.on_fill};"
            "font-weight: bold; padding: 0px 5px;"
        )

    def _toggle(self) -> None:
        if self._controller.dry_run.active:
            self._controller.stop_dry_run()
            self._put_back()
            return
        twin = self._controller.start_dry_run()
        self._real = self._form.choice
        self._form.set_choice(on_the_twin(self._form.choice, twin.name))
        self._form.edited.emit()
        self._controller.find_streams()

    def _put_back(self) -> None:
        if self._real is not None:
            real, self._real = self._real, None
            self._form.set_choice(real)
            self._form.edited.emit()


# Impedance, light, eyes and a remark, before a run.


class NotesBox(QWidget):
    """Quick fields; what stands in them is noted in each run at its start."""

    edited = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.impedance = TextField(
            "note_impedance",
            "Of the electrodes, as the amplifier's software shows it",
            hint="such as all below 10 kΩ, T8 20",
        )
        self.light = _list("note_light", "Light in the scanner room", LIGHT)
        self.eyes = _list("note_eyes", "What the participant is asked to do", EYES)
        self.free = TextField("note_free", "Anything else", hint="anything else")
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Impedance", self.impedance)
        form.addRow("Light", self.light)
        form.addRow("Eyes", self.eyes)
        form.addRow("&Note", self.free)
        for field in (self.impedance, self.free):
            field.edited.connect(self.edited)
        for box in (self.light, self.eyes):
            box.currentTextChanged.connect(lambda _: self.edited.emit())

    def notes(self) -> SessionNotes:
        """Return what was written down."""
        return SessionNotes(
            impedance=self.impedance.value(),
            light=self.light.currentText().strip(),
            eyes=self.eyes.currentText().strip(),
            free=self.free.value(),
        )

    def set_notes(self, notes: SessionNotes) -> None:
        """Show what was written down before."""
        self.impedance.set_value(notes.impedance)
        self.free.set_value(notes.free)
        self.light.setCurrentText(notes.light)
        self.eyes.setCurrentText(notes.eyes)


def _list(name: str, tip: str, usual: tuple[str, ...]) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    box.setToolTip(tip)
    box.setEditable(True)
    box.addItems(["", *usual])
    return box


KEYS: tuple[tuple[str, str], ...] = (
    ("F3", "set-up: look for streams again"),
    ("F4", "set-up: check"),
    ("Ctrl+Return", "set-up: start the next run, as F5 does"),
    ("Ctrl+R", "set-up: rehearse"),
)


class SetupPage(QWidget):
    """Everything before a run.

    Parameters
    ----------
    choices : texts of the last time, as `choices` returned them.
    plan : runs and notes of the last time, as `plan` returned them.
    """

    startRequested = pyqtSignal(tuple, object)  # noqa: N815 - words after rtbold, Run
    rehearseRequested = pyqtSignal(object, object)  # noqa: N815 - SetupChoice, Run
    logged = pyqtSignal(str)  # what belongs into the dashboard's log
    edited = pyqtSignal()  # the plan or a note; worth keeping at once

    def __init__(
        self,
        colours: Colours,
        controller: SetupController,
        choices: Mapping[str, str] | None = None,
        parent: QWidget | None = None,
        *,
        plan: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("setup_page")
        self._controller = controller
        self._colours = colours
        self._heard = False  # a session lives, whoever started it
        self._begun = False
        self.form, self.checks = SetupForm(colours), CheckPanel(colours)
        self.runs, self.notes = RunList(), NotesBox()
        self.twin = DryRunBar(controller, self.form)
        self.why_not = HeldLabel("why_not_start", lines=2)
        self.rehearsed = HeldLabel("rehearsed")
        self.failure = HeldLabel("start_failure", lines=2)
        self._make_buttons()
        self._lay_out()
        self.form.set_choice(from_choices(choices or {}))
        self._plans: dict[tuple[str, ...], RunPlan] = {}  # of other subjects, sessions
        self._planned_for = planned_for(self.choice)
        self._runs_seen = RunsSeen()
        self._restore(plan or {})
        self._connect()
        self.set_colours(colours)

    @property
    def choice(self) -> SetupChoice:
        """What is chosen now."""
        return self.form.choice

    @property
    def run(self) -> Run | None:
        """The run that would be started."""
        return self.runs.selected

    def choices(self) -> dict[str, str]:
        """Return what to remember for the next time; nothing of a dry run."""
        return as_choices(self.twin.real_choice)

    def plan(self) -> dict[str, str]:
        """Return runs and notes for the next time; no runs of a dry run."""
        real = planned_for(self.twin.real_choice)
        plan = self._plans.get(real, RunPlan())
        if real == self._planned_for:
            plan = self.runs.plan
        notes = self.notes.notes().remembered(self._controller.now_unix_s())
        return {"runs": plan_text(plan), **notes}

    def notes_for_session(self, run: Run) -> tuple[str, ...]:
        """Return what the session is to be told once it is heard, a NOTE each."""
        return notes_of_start(
            run, self.notes.notes(), self._controller.checks.overrides
        )

    def arguments_again(self, choice: SetupChoice, run: Run) -> tuple[str, ...]:
        """Return the words that start a run with the settings of one before."""
        return self._controller.start_arguments(choice, run)

    def session_started(self, run: Run) -> None:
        """Show that this run is under way."""
        self._say_failure("")
        self.runs.show_plan(self.runs.plan.marked(run.number, "running"))
        self.edited.emit()

    def session_ended(self, state: RunState = "done", words: str = "") -> None:
        """Show what became of the run that was under way.

        Parameters
        ----------
        state : ``aborted`` where it did not end in order, ``left`` where nobody looks.
        words : its last ones, where it was aborted.
        """
        run = self.runs.plan.running
        if run is not None:
            self.runs.show_plan(self.runs.plan.marked(run.number, state))
            self._number()
            self._controller.find_runs(self.choice, anew=True)
        self._say_failure(words if state == "aborted" else "")
        self.edited.emit()

    def refuse(self, words: str) -> None:
        """Say why what was asked for is not done."""
        self._say_failure(words)

    def start_failed(self, run: Run, words: str) -> None:
        """Show why a run could not be started; it may be started again."""
        self.runs.show_plan(self.runs.plan.marked(run.number, "planned"))
        self._say_failure(words)
        self.edited.emit()

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Show the newest; called 30 times a second while the page is seen."""
        controller = self._controller
        if not self._begun:
            self._begun = True
            controller.find_bundles(self.choice.root)
            controller.find_runs(self.choice)
        controller.watch(now_s)
        self._show_protocol()
        link = state.link
        self._heard = link is not None and link.alive and state.bye is None
        self.form.show_streams(controller.streams)
        self.form.show_bundles(controller.bundles)
        self.twin.refresh()
        self.checks.show_checks(
            controller.checks,
            checking=controller.checking,
            age=controller.check_age(self.choice),
        )
        self._validate()

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours = colours
        for part in (self.form, self.checks, self.twin):
            part.set_colours(colours)
        self.start.setStyleSheet(
            "QPushButton:enabled {"
            f"background: {colours.accent}; color: {colours.on_fill}; }}"
        )
        self.failure.setStyleSheet(f"color: {colours.invalid}; font-weight: bold")
        for label in (self.why_not, self.rehearsed):
            label.setStyleSheet(f"color: {colours.muted}")

    def _check(self) -> None:
        if why := self._incomplete():
            self._say_failure(f"Nothing to check yet. {why}")
            return
        self._say_failure("")
        self._controller.check(self.choice, self.run or Run(1))

    def _override(self) -> None:
        blocking = self._controller.checks.blocking
        if not blocking:
            return
        dialog = OverrideDialog(blocking, self)
        if dialog.exec():
            for override in self._controller.override(dialog.reason_text).overrides:
                self.logged.emit(str(override))
        dialog.deleteLater()

    def _start(self) -> None:
        self._number()  # somebody else may have recorded meanwhile
        run = self.run
        if run is None or self._hindrance():
            return
        self._say_failure("")
        words = self._controller.start_arguments(self.choice, run)
        self.startRequested.emit(words, run)

    def _rehearse(self) -> None:
        if self._heard:  # a rehearsal would take the time of the session
            self._say_failure("A session is running. Rehearse after it.")
            return
        if why := self._incomplete():
            self._say_failure(f"Nothing to rehearse. {why}")
            return
        self._say_failure("")
        self.rehearseRequested.emit(self.choice, self.run or Run(1))

    def _incomplete(self) -> str:
        """Return what is wrong with the choice, or missing; empty: it is whole."""
        missing = lacking(self.choice)
        said = f"Missing: {', '.join(missing)}." if missing else ""
        return " ".join((*self.form.problems, said)).strip()

    def _restore(self, kept: Mapping[str, str]) -> None:
        """Show the runs and notes of the last time."""
        self.runs.show_plan(read_plan(kept.get("runs", "")))
        self._number()
        now_s = self._controller.now_unix_s()
        self.notes.set_notes(SessionNotes.from_remembered(kept, now_s))

    def _take_choice(self) -> None:
        """Show the plan of the subject and session that are chosen now."""
        self._controller.find_runs(self.choice)
        before, self._planned_for = self._planned_for, planned_for(self.choice)
        if before == self._planned_for or self.runs.plan.running is not None:
            return
        self._plans[before] = self.runs.plan
        plan = self._plans.get(self._planned_for, self.runs.plan.anew())
        self.runs.show_plan(plan.numbered(numbers_taken(self.choice)))

    def _show_protocol(self) -> None:
        """Plan the runs of the protocol when they were listed anew."""
        seen = self._controller.protocol_runs
        if seen is self._runs_seen:
            return
        before, self._runs_seen = self._runs_seen, seen
        if seen.runs:
            self.runs.show_plan(plan_of(seen, self.runs.plan))
        elif before.runs:
            self.runs.show_plan(without_protocol(self.runs.plan))
        self.runs.say(seen.words, wrong=bool(seen.problem))
        self._number()
        self.edited.emit()

    def _number(self) -> None:
        """Give the runs to come numbers that no recording has."""
        plan = self.runs.plan.numbered(numbers_taken(self.choice))
        if plan is not self.runs.plan:
            place = self.runs.table.currentRow()
            self.runs.show_plan(plan, place if place >= 0 else None)

    def _hindrance(self) -> str:
        return hindrance(
            self.run,
            self._controller.checks,
            wanted=wanted(self.choice),
            missing=lacking(self.choice),
            wrong=self.form.problems,
            running=self.runs.plan.running,
            heard=self._heard,
            rehearsing=self._controller.rehearsal.running,
        )

    def _validate(self) -> None:
        why = self._hindrance()
        run = self.run
        words = f"&Start run {run.number:02d}, {run.kind}" if run else "&Start"
        if words != self.start.text():
            self.start.setText(words)
        if why != self.why_not.text():
            self.why_not.setText(why)
            self.start.setToolTip(why or "Start this run (F5)")
        self.start.setEnabled(not why)
        self.rehearsed.setText(
            rehearsed_words(self._controller.rehearsal, wanted(self.choice))
        )
        self.rehearse.setEnabled(not self._heard)

    def _say_failure(self, words: str) -> None:
        self.failure.setText(f"✕ {window_words(words)}" if words else "")
        self.failure.setVisible(bool(words))

    def _make_buttons(self) -> None:
        self.start = named_button("&Start", name="start")
        self.rehearse = named_button(
            "&Rehearse…",
            name="rehearse",
            tip="Five minutes of the real path, then go or no-go (Ctrl+R)",
        )
        font = self.start.font()
        font.setBold(True)
        self.start.setFont(font)
        self.start.setMinimumHeight(40)

    def _lay_out(self) -> None:
        left = boxed("What to run on", scrolled(self.form))
        middle = boxed("Before the start", self.checks)
        right = QVBoxLayout()
        right.addWidget(boxed("Runs of this session", self.runs), stretch=1)
        right.addWidget(boxed("Notes, told to each run", self.notes))
        right.addWidget(self.failure)
        right.addWidget(self.why_not)
        buttons = QHBoxLayout()
        buttons.addWidget(self.twin.button)
        buttons.addWidget(self.rehearse)
        right.addLayout(buttons)
        right.addWidget(self.rehearsed)
        right.addWidget(self.start)
        columns = QHBoxLayout()
        columns.setSpacing(GAP)
        columns.addWidget(left, stretch=12)
        columns.addWidget(middle, stretch=11)
        columns.addLayout(right, stretch=10)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(GAP, GAP // 2, GAP, GAP)
        whole.addWidget(self.twin.banner)
        whole.addLayout(columns, stretch=1)
        self.failure.hide()

    def _connect(self) -> None:
        self.form.edited.connect(self._take_choice)
        self.form.edited.connect(self.edited)
        self.runs.changed.connect(self.edited)
        self.notes.edited.connect(self.edited)
        self.form.refresh_asked.connect(self._look_again)
        self.checks.check.clicked.connect(self._check)
        self.checks.override.clicked.connect(self._override)
        self.start.clicked.connect(self._start)
        self.rehearse.clicked.connect(self._rehearse)
        for keys, action in (
            ("F3", self._look_again),
            ("F4", self._check),
            ("F5", self._start),  # as on the session page
            ("Ctrl+Return", self._start),
            ("Ctrl+R", self._rehearse),
        ):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(action)

    def _look_again(self) -> None:
        self.form.table.look_again()
        self._controller.find_streams()
        self._controller.find_bundles(self.choice.root)
        self._controller.find_runs(self.choice, anew=True)
