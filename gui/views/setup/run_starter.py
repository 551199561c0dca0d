"""From Start on a page to a session that runs, and back when it has ended."""

from collections.abc import Callable

from PyQt6.QtCore import QObject

from rtbold.gui.controllers.dashboard import SessionNotice
from rtbold.gui.state.setup import Run, RunState, SetupChoice, planned_for
from rtbold.gui.views.main_window import REHEARSE, SESSION, SETUP, MainWindow
from rtbold.gui.views.rehearsal_page import RehearsalPage
from rtbold.gui.views.session.page import SessionPage
from rtbold.gui.views.setup.page import SetupPage


class RunStarter(QObject):
    """Starts the runs of the set-up page and tells it what became of them.

    Notes (impedance, overrides and the like) go to the session once it is heard.
    """

    def __init__(
        self,
        window: MainWindow,
        *,
        setup: SetupPage,
        rehearsal: RehearsalPage,
        session: SessionPage,
        now_s: Callable[[], float],
    ) -> None:
        super().__init__(window)
        self._window, self._setup, self._session = window, setup, session
        self._rehearsal = rehearsal
        self._now_s = now_s
        self._run: Run | None = None  # the one that was started and has not ended
        self._choice: SetupChoice | None = None  # what it was started with
        self._notes: tuple[str, ...] = ()
        setup.startRequested.connect(self.start)
        setup.rehearseRequested.connect(self.rehearse)
        setup.logged.connect(self._log)
        # the session of a rehearsal is not one to join
        rehearsal.begun.connect(window.controller.offer_nothing)
        session.start_requested.connect(self.start_next)
        session.participant_requested.connect(window.participant.toggle)
        window.told.connect(self._take)

    def start(self, arguments: tuple[str, ...], run: Run) -> None:
        """Start a run, and watch it."""
        if self._window.start_session(arguments):
            self._run, self._choice = run, self._setup.choice
            self._notes = self._setup.notes_for_session(run)
            self._setup.session_started(run)
            self.name_next()
        else:
            self._setup.start_failed(run, self._window.controller.trouble)

    def start_next(self) -> None:
        """Start the run that the set-up page has marked, or show there why not."""
        self._window.go_to(SETUP)
        self._setup.refresh(self._window.state, self._now_s())
        self._setup.start.click()

    def rehearse(self, choice: SetupChoice, run: Run) -> None:
        """Open the page where this run can be rehearsed."""
        self._rehearsal.prepare(choice, run)
        self._window.go_to(REHEARSE)

    def name_next(self) -> None:
        """Tell the session page which run Start would start."""
        run = self._setup.run
        self._session.set_next_run(f"run {run.number:02d}, {run.kind}" if run else "")

    def _take(self, notice: SessionNotice) -> None:
        if notice.kind == "greeting" and self._run is not None:
            notes, self._notes = self._notes, ()
            for note in notes:
                self._window.controller.commands.note(note)
        elif notice.kind in ("ended", "died"):
            self._end(notice)
        elif notice.kind == "joined" and not self._window.controller.own:
            self._end(notice)  # it goes on, but another session is looked at

    def _end(self, notice: SessionNotice) -> None:
        run, self._run = self._run, None
        self._notes = ()
        if run is None:
            return
        bad = notice.level == "invalid"
        state: RunState = "aborted" if bad else "done"
        if notice.kind == "joined":
            state = "left"
        self._setup.session_ended(state, notice.text)
        self.name_next()
        if bad and self._choice is not None:
            self._offer_again(notice, run, self._choice)
        if notice.kind == "died" and self._window.stack.currentIndex() == SESSION:
            self._window.go_to(SETUP)

    def _offer_again(
        self, notice: SessionNotice, run: Run, choice: SetupChoice
    ) -> None:
        """Say what happened with a button that starts the same once more."""
        _, again = self._setup.runs.plan.repeated(run.number)
        if again is None:
            return
        words = f"Start again as run {again.number:02d}, same settings"
        self._window.notices.show_notice(
            notice.kind,
            notice.text,
            level=notice.level,
            action=(words, lambda: self._start_again(run, choice)),
        )

    def _start_again(self, run: Run, choice: SetupChoice) -> None:
        """Start a run that has died once more, under the next number."""
        if planned_for(self._setup.choice) != planned_for(choice):
            # its plan is not the one that is shown; the number is another run's there
            self._window.go_to(SETUP)
            self._setup.refuse(other_plan_words(run, choice))
            return
        plan, again = self._setup.runs.plan.repeated(run.number)
        if again is None:
            return
        self._setup.runs.show_plan(plan)
        self.start(self._setup.arguments_again(choice, again), again)
        self._choice = choice  # whatever has been chosen meanwhile

    def _log(self, text: str) -> None:
        self._window.state.log.add(text, self._now_s(), level="warning")


def other_plan_words(run: Run, choice: SetupChoice) -> str:
    """Return why a run is not started again while another plan is shown."""
    subject = choice.record_as or choice.subject or "without a name"
    return (
        f"Not started: run {run.number:02d} was of subject {subject}, session "
        f"{choice.session}, in {choice.record or 'no folder'}. Choose them again, then "
        "Start."
    )
