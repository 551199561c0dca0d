"""Pictures of the session page, its dialogs, the summary and the participant."""

import threading
import time
from dataclasses import replace

import zmq
from screenshots_stage import MAP_PALETTE, PALETTE, Stage

from rtbold.gui.state.address import Address, on_this_machine
from rtbold.gui.views.close_dialog import CloseDialog
from rtbold.gui.views.connect_dialog import ConnectDialog
from rtbold.gui.views.help_dialog import HelpDialog
from rtbold.gui.views.main_window import MainWindow
from rtbold.gui.views.participant_window import ParticipantWindow
from rtbold.gui.views.session_page import KEY_LINES
from rtbold.gui.views.setup_page import KEYS as SETUP_KEYS
from rtbold.gui.views.window_parts import KEYS, SESSION, SUMMARY

CAP = ("--channels", "26", "--target", "Putamen")
OTHER_ROIS = ("Insula antero-superior", "Calcarine cortex posterior")
DOUBLE_COLOURS = 12  # four times the points of the others
HELD = {  # scene of the fake session -> level of the headline
    "silent": "silent",
    "stalled": "silent",
    "invalid": "invalid",
    "degraded": "degraded",
    "paused": "paused",
}
FRESH = {"warmup": "warmup", "waiting": "paused"}
PATIENCE_S = 60.0
SETTLED_S = 3.0
FRESH_S = 9.0  # warm-up, waiting: they are over soon
LIVE_S = 13.0  # the scope's sweep is full
EEG, ELECTRODES, BRAIN = range(3)
EEG_TEXT = 1.3


def page_of(window: MainWindow):  # noqa: ANN201 - the page's own type
    """Return the window's session page."""
    return window.stack.widget(SESSION)


def good(stage: Stage, history_s: float) -> None:
    """Draw a session that runs well, its tabs, dialogs and summary."""
    window = stage.window(stage.fake("--scene", "ok", *CAP))
    stage.pass_time(history_s)
    page = page_of(window)
    stage.live(window, LIVE_S)
    stage.shoot("session-ok", window)
    page.plot.choose(OTHER_ROIS)
    page.tabs.setCurrentIndex(ELECTRODES)
    stage.shoot("session-electrodes", window, settle_s=1.0, n_colours=MAP_PALETTE)
    page.tabs.setCurrentIndex(BRAIN)
    stage.shoot("session-brain", window, n_colours=MAP_PALETTE)
    page.plot.choose(())
    page.tabs.setCurrentIndex(EEG)
    _dialogs(stage, window)
    window.set_preferences(window.preferences.with_text_scale(EEG_TEXT))
    stage.live(window, 2)
    stage.shoot("session-large-text", window, themes=("dark",))
    window.set_preferences(window.preferences.with_text_scale(1 / EEG_TEXT))
    window.go_to(SUMMARY)
    stage.live(window, 3)
    stage.shoot("summary", window, settle_s=2.5)
    window.controller.commands.stop()
    stage.live(window, 6, until=lambda: window.state.bye is not None)
    window.go_to(SESSION)
    stage.shoot("session-ended", window, settle_s=1.0, themes=("dark",))


def _dialogs(stage: Stage, window: MainWindow) -> None:
    page = page_of(window)
    page.commands.text.setText("participant moved, told to lie still")
    page.commands.buttons["note"].click()
    stage.live(window, 3)
    page.commands.text.setText("eyes closed by himself")
    stage.shoot("session-note", window, themes=("dark",))
    page.commands.text.clear()
    page.commands.buttons["alpha"].click()
    page.alpha.begin.click()
    stage.live(window, 12)
    stage.shoot("alpha-check", window, dialog=lambda: page.alpha)
    stage.live(window, 60, until=lambda: not page.alpha.running)
    stage.live(window, 1)
    stage.shoot("alpha-result", window, dialog=lambda: page.alpha)
    page.alpha.close()
    close = CloseDialog(window, own=True, here=True)
    keys = HelpDialog((*KEYS, *SETUP_KEYS, *KEY_LINES), window)
    wrong = ConnectDialog(Address(), window)
    wrong.feed.setText("tcp://scanner-pc:55800000")
    for name, dialog in (("close", close), ("keys", keys), ("connect", wrong)):
        dialog.show()
        stage.shoot(name, window, dialog=lambda dialog=dialog: dialog)
        dialog.close()


def _await(stage: Stage, window: MainWindow, level: str) -> None:
    """Wait until the window says so; no picture may show another state."""

    def said() -> bool:
        return window.state.headline(time.monotonic()).level == level

    if not stage.live(window, PATIENCE_S, until=said):
        raise SystemExit(f"no headline {level!r} within {PATIENCE_S:g} s")
    stage.live(window, SETTLED_S)


def states(stage: Stage, history_s: float) -> None:
    """Draw every state that is not well."""
    after = ("--scene-after", f"{history_s:.0f}")
    held = (*HELD, "drowsy")
    begun_s = time.monotonic()
    windows = {s: stage.window(stage.fake("--scene", s, *after, *CAP)) for s in held}
    windows["script"] = stage.window(stage.fake(*CAP))
    page_of(windows["degraded"]).tabs.setCurrentIndex(ELECTRODES)
    stage.pass_time(history_s + FRESH_S - (time.monotonic() - begun_s))
    for name, level in HELD.items():
        _await(stage, windows[name], level)
        n_colours = MAP_PALETTE if name == "degraded" else PALETTE
        stage.shoot(f"session-{name}", windows[name], n_colours=n_colours)
    for scene in FRESH:
        fresh = stage.window(stage.fake("--scene", scene, *CAP))
        stage.live(fresh, FRESH_S)
        _await(stage, fresh, FRESH[scene])
        stage.shoot(f"session-{scene}", fresh)
    stage.live(windows["drowsy"], LIVE_S)
    stage.shoot("session-drowsy", windows["drowsy"], themes=("dark",))
    stage.live(windows["script"], LIVE_S)
    stage.shoot("session-measured", windows["script"])
    _nothing(stage)


def _nothing(stage: Stage) -> None:
    """Nobody there, and somebody who speaks another version."""
    alone = stage.window(on_this_machine(9, 10))
    alone.go_to(SESSION)
    stage.live(alone, 3)
    stage.shoot("session-none", alone)
    other = OtherVersion()
    window = stage.window(on_this_machine(other.port, 10))
    stage.live(window, 4)
    stage.shoot("session-other-version", window, themes=("dark",))
    other.close()


class OtherVersion:
    """A feed whose heartbeats are of a schema that does not exist yet."""

    def __init__(self) -> None:
        self._ends = threading.Event()
        self._socket = zmq.Context.instance().socket(zmq.PUB)
        self.port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self._thread = threading.Thread(target=self._talk)
        self._thread.start()

    def _talk(self) -> None:
        message = b'{"schema": "rtbold.hb/9", "session": "next", "seq": 0}'
        while not self._ends.wait(0.5):
            self._socket.send_multipart([b"hb", message])

    def close(self) -> None:
        """Fall silent."""
        self._ends.set()
        self._thread.join()
        self._socket.close(0)


def participant(stage: Stage, history_s: float) -> None:
    """Draw the participant's window: three forms, and neutral."""
    window = stage.window(stage.fake("--scene", "ok", "--scene-after", "0", *CAP))
    shown: dict[str, ParticipantWindow] = {}
    for form in ("thermometer", "circle", "trace"):
        shown[form] = ParticipantWindow(replace(window.preferences, participant=form))
        shown[form].resize(640, 400)
        shown[form].show()

    def refresh() -> bool:
        for each in shown.values():
            each.refresh(window.state, time.monotonic())
        return False

    stage.live(window, 45, until=refresh)
    for form, each in shown.items():
        stage.save(each.grab(), f"participant-{form}")
    window.controller.commands.pause()
    stage.live(window, 8, until=refresh)
    stage.save(shown["thermometer"].grab(), "participant-neutral")
    window.participant.toggle()
    stage.live(window, 1)
    stage.shoot(
        "participant-settings", window, dialog=lambda: window.participant.dialog
    )
    for each in shown.values():
        each.close()


def double(stage: Stage, history_s: float) -> None:
    """Draw the session page on a screen with two points to a pixel."""
    window = stage.window(stage.fake("--scene", "ok", "--channels", "64"))
    stage.pass_time(min(history_s, 90))
    stage.live(window, LIVE_S)
    stage.shoot("session-double", window, themes=("dark",), n_colours=DOUBLE_COLOURS)
