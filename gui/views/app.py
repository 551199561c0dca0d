"""Start the dashboard: one application, one window, its controllers."""

import gc
import logging
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import FrameType

from PyQt6.QtCore import (
    QCoreApplication,
    QMessageLogContext,
    QTimer,
    QtMsgType,
    qInstallMessageHandler,
)
from PyQt6.QtWidgets import QApplication

from rtbold.client import CurveKeys
from rtbold.gui.controllers.children import SessionChild, Starter, give_way
from rtbold.gui.controllers.dashboard import DashboardController
from rtbold.gui.controllers.jobs import ChildJobs
from rtbold.gui.controllers.left_over import LeftOverRecordings
from rtbold.gui.controllers.link import FeedLink
from rtbold.gui.controllers.session import SessionController
from rtbold.gui.controllers.setup import SetupController
from rtbold.gui.state.address import Address
from rtbold.gui.state.preferences import Preferences, as_dict, colours, from_dict
from rtbold.gui.state.setup import from_choices
from rtbold.gui.views import theme
from rtbold.gui.views.main_window import MainWindow, Parts
from rtbold.gui.views.notices import LeftOverView
from rtbold.gui.views.rehearsal_page import RehearsalPage
from rtbold.gui.views.session import page as session_page
from rtbold.gui.views.session.page import SessionPage
from rtbold.gui.views.setup import page as setup_page
from rtbold.gui.views.setup.page import SetupPage
from rtbold.gui.views.setup.run_starter import RunStarter
from rtbold.gui.views.summary_page import SummaryPage
from rtbold.gui.views.theme import Remembered
from rtbold.owner_only import create, make_folder

LOG = logging.getLogger("rtbold.gui")
LOG_BYTES = 500_000
SYSTEM_POINTS = "system_points"
USUAL_POINTS = 10.0  # where the system's font has a size in pixels only


@dataclass(frozen=True, slots=True, kw_only=True)
class AppOptions:
    """What the command line said; None: as last time.

    Parameters
    ----------
    address : session to join; None: the set-up page.
    close_quietly : whoever started the window ends the session; closing asks nothing.
    settings_file : ini file; None: the operator's own.
    offer : listen whether a session runs on this machine already.
    """

    address: Address | None = None
    theme: str | None = None
    text_scale: float | None = None
    participant: str | None = None
    close_quietly: bool = False
    settings_file: str | None = None
    offer: bool = True


def run(options: AppOptions) -> int:
    """Show the dashboard until it is closed; return the exit code.

    It lowers the priority of this process, and it cannot be given back.
    """
    with Starter() as starter:
        give_way()  # before Qt makes its threads, after the starter has made its own
        return _run(options, ChildJobs(starting=starter))


def _run(options: AppOptions, jobs: ChildJobs) -> int:
    app = application()
    window = build(app, options, jobs=jobs)
    _keep_log(Path(window.remembered.file).with_name("dashboard.log"))
    undo = window.failures.install()
    _close_on_signals(window)
    window.begin()
    if options.address is not None:
        window.join(options.address)
    if options.participant is not None:
        window.participant.open()
    gc.collect()
    gc.freeze()  # what is there now stays: looking through it takes a whole frame
    try:
        return app.exec()
    finally:
        gc.unfreeze()
        undo()


def application() -> QApplication:
    """Return the one application of this process."""
    found = QApplication.instance()
    if isinstance(found, QApplication):
        return found
    app = QApplication(sys.argv[:1])
    app.setApplicationName("rtbold")
    app.setStyle("Fusion")
    return app


def build(
    app: QApplication,
    options: AppOptions,
    *,
    jobs: ChildJobs | None = None,
    now_s: Callable[[], float] = time.monotonic,
) -> MainWindow:
    """Make the window, its pages and its controllers; nothing is shown yet."""
    remembered = Remembered(options.settings_file)
    preferences = overridden(remembered.preferences(), options)
    base_points = _points(app)
    theme.apply(  # before any widget: one that is there keeps its size until it is seen
        app,
        colours(preferences.theme),
        text_scale=preferences.text_scale,
        base_points=base_points,
    )
    jobs = jobs or ChildJobs()
    commands, setup = SessionController(None), SetupController(jobs)
    shown = colours(preferences.theme)
    first = SetupPage(shown, setup, preferences.choices, plan=preferences.plan)
    pages = (
        first,
        RehearsalPage(shown, setup, lambda: first.choice),
        SessionPage(shown, commands),
        SummaryPage(shown),
    )
    _restore(pages[2], preferences)
    controller = DashboardController(
        open_feed=_open_feed,
        start_session=lambda words: start_session(jobs, words),
        commands=commands,
        offer_at=_offer_at(options, preferences),
    )
    left_over = LeftOverRecordings(jobs, lambda: controller.state)
    window = MainWindow(
        Parts(
            controller=controller,
            pages=pages,
            workers=(setup, left_over),
            remembered=remembered,
            preferences=preferences,
            base_points=base_points,
            now_s=now_s,
            keys=(*setup_page.KEYS, *session_page.KEY_LINES),
            gathered=lambda kept: gathered(kept, pages[0], pages[2]),
        )
    )
    RunStarter(
        window, setup=pages[0], rehearsal=pages[1], session=pages[2], now_s=now_s
    )
    window.left_over = LeftOverView(window.notices, left_over)
    window.told.connect(window.left_over.take)
    first.edited.connect(window.keep_preferences)
    if options.close_quietly:
        window.closing.without_asking()
    return window


def overridden(preferences: Preferences, options: AppOptions) -> Preferences:
    """Return the preferences with what the command line said instead."""
    said = {
        "theme": options.theme,
        "text_scale": options.text_scale,
        "participant": options.participant,
    }
    given = {name: value for name, value in said.items() if value is not None}
    return from_dict({**as_dict(preferences), **given})


def gathered(
    preferences: Preferences, setup: SetupPage, session: SessionPage
) -> Preferences:
    """Return the preferences with the pages' last choices and sizes."""
    layout = {"session": session.save_layout().hex()}
    choices, plan = setup.choices(), setup.plan()
    return replace(preferences, choices=choices, plan=plan, layout=layout)


def start_session(jobs: ChildJobs, arguments: Sequence[str]) -> SessionChild:
    """Start a session; its output goes beside its recording, or to a temporary one."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return jobs.start_session(arguments, log_file(arguments, stamp))


def log_file(arguments: Sequence[str], stamp: str) -> Path:
    """Return where the output of a session with these arguments goes."""
    words = list(arguments)
    if "--record" in words[:-1]:
        folder = Path(words[words.index("--record") + 1])
    else:
        folder = Path(tempfile.gettempdir())
    return folder / f"rtbold-run-{stamp}.log"


def _open_feed(
    address: str, topics: tuple[str, ...], keys: CurveKeys | None
) -> FeedLink:
    return FeedLink(address, topics=topics, keys=keys)


def _offer_at(options: AppOptions, preferences: Preferences) -> Address | None:
    """Return where a session of this machine would run: on the port of last time."""
    if not options.offer or options.address is not None:
        return None
    return Address(from_choices(preferences.choices).feed_address)


def _restore(page: SessionPage, preferences: Preferences) -> None:
    try:
        page.restore_layout(bytes.fromhex(preferences.layout.get("session", "")))
    except ValueError:
        LOG.warning("the kept sizes of the session page cannot be read")


def _points(app: QApplication) -> float:
    """Return the size of the system's text, also where a window has scaled it since."""
    kept = app.property(SYSTEM_POINTS)
    if isinstance(kept, float):
        return kept
    found = app.font().pointSizeF()
    points = found if found > 0 else USUAL_POINTS
    app.setProperty(SYSTEM_POINTS, points)
    return points


def _close_on_signals(window: MainWindow) -> None:
    """Let Ctrl+C and a polite kill close the view; the session goes on."""

    def close(number: int, frame: FrameType | None) -> None:
        window.closing.without_asking()
        window.close()
        # the loop may not have begun, and would wait for a window that is gone
        QTimer.singleShot(0, QCoreApplication.quit)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, close)


def _keep_log(path: Path) -> None:
    """Write the dashboard's own faults and Qt's complaints to a small file."""
    try:
        make_folder(path.parent)
        create(path).close()
        to_file = RotatingFileHandler(
            path, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8"
        )
    except OSError as error:
        LOG.warning("no log of the dashboard: %s", error)
        return
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.captureWarnings(True)
    for logger in (LOG, logging.getLogger("py.warnings")):
        logger.addHandler(to_file)
        logger.propagate = False
    qInstallMessageHandler(_log_qt)


def _log_qt(kind: QtMsgType, context: QMessageLogContext, text: str | None) -> None:
    LOG.log(logging.INFO if kind == QtMsgType.QtInfoMsg else logging.WARNING, text)
