"""Pictures of the dashboard for README and docs, from the running program.

    python scripts/pictures/make_screenshots.py                 # all, some 12 minutes
    python scripts/pictures/make_screenshots.py session setup   # some

Fake sessions and the simulated brain feed a real window that is drawn on no screen.
Pictures go to docs/img/dashboard; those that no page shows are not taken.
"""

import argparse
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pylsl
import zmq
from screenshots_stage import MAP_PALETTE, PALETTE, Stage

from rtbold.bundle.store import load
from rtbold.gui.state.address import Address, on_this_machine
from rtbold.gui.state.setup import PlannedRun, Run, RunPlan, SetupChoice
from rtbold.gui.views.closing import CloseDialog
from rtbold.gui.views.dialogs import ConnectDialog
from rtbold.gui.views.main_window import REHEARSE, SESSION, SETUP, MainWindow
from rtbold.gui.views.participant import ParticipantWindow
from rtbold.gui.views.setup.checks import OverrideDialog
from rtbold.gui.views.setup.page import SetupPage
from rtbold.messages import Channel
from rtbold.sim.outlets import EegOutletSettings, open_eeg_outlet

OUT = Path(__file__).resolve().parents[2] / "docs" / "img" / "dashboard"
CAP = ("--channels", "26", "--target", "Putamen")
OTHER_ROIS = ("Insula antero-superior", "Calcarine cortex posterior")
HELD = ("silent", "invalid", "degraded")  # scenes that are levels of the headline
PATIENCE_S = 90.0
SETTLED_S = 3.0
FRESH_S = 9.0  # waiting for the scanner is over soon
LIVE_S = 13.0  # the scope's sweep is full
EEG, ELECTRODES, BRAIN = range(3)
EEG_TEXT = 1.3
TWIN = "scanner"
AMPLIFIER, AMPLIFIER_HZ, CHUNK_S, NOISE_UV = "amplifier", 500, 0.02, 12.0
UNPLUGGED = ("O2", "TP9")
REASON = "pilot of the set-up without a person in the scanner"


def session(stage: Stage, history_s: float) -> None:
    """Draw a session that runs well, its tabs and dialogs."""
    window = stage.window(stage.fake("--scene", "ok", *CAP))
    stage.pass_time(history_s)
    page = window.stack.widget(SESSION)
    stage.live(window, LIVE_S)
    stage.shoot("session-ok", window, theme="light")
    page.plot.choose(OTHER_ROIS)
    page.tabs.setCurrentIndex(ELECTRODES)
    stage.shoot("session-electrodes", window, settle_s=1.0, n_colours=MAP_PALETTE)
    page.tabs.setCurrentIndex(BRAIN)
    stage.shoot("session-brain", window, n_colours=MAP_PALETTE)
    page.plot.choose(())
    page.tabs.setCurrentIndex(EEG)
    page.commands.buttons["alpha"].click()
    page.alpha.begin.click()
    stage.live(window, 12)
    stage.shoot("alpha-check", window, dialog=lambda: page.alpha)
    stage.live(window, 60, until=lambda: not page.alpha.running)
    page.alpha.close()
    close = CloseDialog(window, own=True, here=True)
    wrong = ConnectDialog(Address(), window)
    wrong.feed.setText("tcp://scanner-pc:55800000")
    for name, dialog in (("close", close), ("connect", wrong)):
        dialog.show()
        stage.shoot(name, window, dialog=lambda dialog=dialog: dialog)
        dialog.close()
    window.set_preferences(window.preferences.with_text_scale(EEG_TEXT))
    stage.live(window, 2)
    stage.shoot("session-large-text", window)


def states(stage: Stage, history_s: float) -> None:
    """Draw states that are not well, each once the window says so."""
    after = ("--scene-after", f"{history_s:.0f}")
    begun_s = time.monotonic()
    windows = {s: stage.window(stage.fake("--scene", s, *after, *CAP)) for s in HELD}
    scripted = stage.window(stage.fake(*CAP))
    windows["degraded"].stack.widget(SESSION).tabs.setCurrentIndex(ELECTRODES)
    stage.pass_time(history_s + FRESH_S - (time.monotonic() - begun_s))
    for name in HELD:
        n_colours = MAP_PALETTE if name == "degraded" else PALETTE
        _shoot_once(stage, windows[name], f"session-{name}", name, n_colours)
    fresh = stage.window(stage.fake("--scene", "waiting", *CAP))
    stage.live(fresh, FRESH_S)
    _shoot_once(stage, fresh, "session-waiting", "paused", PALETTE)
    stage.live(scripted, LIVE_S)
    stage.shoot("session-measured", scripted, theme="light")
    _other_version(stage)


def _shoot_once(
    stage: Stage, window: MainWindow, name: str, level: str, n_colours: int
) -> None:
    """Wait until the window says so; no picture may show another state."""

    def is_shown() -> bool:
        return window.state.headline(time.monotonic()).level == level

    if not stage.live(window, PATIENCE_S, until=is_shown):
        raise SystemExit(f"{name}: no headline {level!r} within {PATIENCE_S:g} s")
    stage.live(window, SETTLED_S)
    stage.shoot(name, window, n_colours=n_colours)


def _other_version(stage: Stage) -> None:
    """Draw a feed whose heartbeats are of a schema that does not exist yet."""
    message = b'{"schema": "rtbold.hb/9", "session": "next", "seq": 0}'
    socket = zmq.Context.instance().socket(zmq.PUB)
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    window = stage.window(on_this_machine(port, 10))
    for _ in range(8):
        socket.send_multipart([b"hb", message])
        stage.live(window, 0.5)
    stage.shoot("session-other-version", window)
    socket.close(0)


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
    dialog = window.participant.dialog
    stage.shoot("participant-settings", window, dialog=lambda: dialog)
    for each in shown.values():
        each.close()


class Amplifier:
    """EEG-sized noise as a stream that lacks two channels of the model."""

    def __init__(self) -> None:
        labels = [n for n in load("demo").card.channels if n.upper() not in UNPLUGGED]
        self._outlet = open_eeg_outlet(
            EegOutletSettings(
                name=AMPLIFIER,
                channels=tuple(Channel(name, "uV") for name in labels),
                rate_hz=float(AMPLIFIER_HZ),
                reference="FCz",
            )
        )
        self._shape = (round(AMPLIFIER_HZ * CHUNK_S), len(labels))
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self) -> None:
        random = np.random.default_rng(0)
        due_s = pylsl.local_clock()
        while not self._ends.wait(max(0.0, due_s - pylsl.local_clock())):
            block = (NOISE_UV * random.standard_normal(self._shape)).astype(np.float32)
            self._outlet.push_block(block, due_s)
            due_s += CHUNK_S

    def close(self) -> None:
        """Fall silent."""
        self._ends.set()
        self._thread.join()


def _on_the_twin(stage: Stage) -> tuple[object, MainWindow, SetupPage, SetupChoice]:
    """Start a twin; return it, a window that has found it, its page, what to choose."""
    twin = stage.rtbold("simulate", "--name", TWIN, "--duration", "1500")
    window = stage.window()
    window.go_to(SETUP)
    page = window.stack.widget(SETUP)
    streams = page._controller.streams  # noqa: SLF001 - what it knows of the network
    found = f"{TWIN}-eeg"
    stage.live(window, PATIENCE_S, until=lambda: streams.named(found) is not None)
    choice = SetupChoice(
        stream=found,
        model="demo",
        trigger_stream=f"{TWIN}-markers",
        truth=f"lsl:{TWIN}-bold",
        record="recordings/S01",
        port=5780,
        control_port=5781,
    )
    return twin, window, page, choice


def setup(stage: Stage, history_s: float) -> None:
    """Draw it before a check, red, and overridden."""
    amplifier = Amplifier()
    _, window, page, choice = _on_the_twin(stage)
    stage.live(window, 4)
    stage.shoot("setup-before", window)
    page.form.set_choice(choice)
    plan = RunPlan((PlannedRun(Run(1, "localiser", duration_s=300)),))
    for kind in ("baseline", "training", "transfer"):
        plan = plan.added(kind, like=Run(0, kind, dummy_volumes=5, duration_s=510))
    page.runs.show_plan(plan)
    page.notes.impedance.set_value("all below 10 kΩ, T8 20")
    page.notes.light.setCurrentIndex(1)
    page.notes.eyes.setCurrentIndex(1)
    there = page._controller  # noqa: SLF001 - whether it is done
    page.form.set_choice(replace(choice, stream=AMPLIFIER))
    stage.live(window, 1)
    page.checks.check.click()
    stage.live(window, PATIENCE_S, until=lambda: not there.checking)
    stage.live(window, 1)
    stage.shoot("setup-red", window)
    dialog = OverrideDialog(there.checks.blocking, window)
    dialog.reason.setText(REASON)
    dialog.show()
    stage.shoot("setup-override", window, dialog=lambda: dialog)
    dialog.close()
    amplifier.close()


def rehearsal(stage: Stage, history_s: float) -> None:
    """Draw it with GO, after a change, and with NO-GO as the EEG stops half-way."""
    twin, window, page, choice = _on_the_twin(stage)
    results = window.stack.widget(REHEARSE)
    results.minutes.set_value(1)
    # the twin's scan runs already, so its BOLD would be of other volumes
    page.form.set_choice(replace(choice, truth=""))
    there = page._controller  # noqa: SLF001 - how far it is
    page.rehearse.click()  # opens its page
    results.again.click()
    stage.live(window, 35)
    stage.live(window, PATIENCE_S, until=lambda: not there.rehearsal.running)
    stage.live(window, 1)
    stage.shoot("rehearsal-go", window)
    page.form.set_choice(replace(choice, truth="", tr_s=2.1))
    stage.live(window, 1)
    stage.shoot("rehearsal-changed", window)
    page.form.set_choice(replace(choice, truth=""))
    stage.live(window, 1)
    results.again.click()
    stage.live(window, 40)
    stage.end(twin)
    stage.live(window, 2 * PATIENCE_S, until=lambda: not there.rehearsal.running)
    stage.live(window, 1)
    stage.shoot("rehearsal-no-go", window)


def main() -> int:
    """Draw the parts that were named, or all."""
    parts = {f.__name__: f for f in (session, states, participant, setup, rehearsal)}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help=", ".join(parts))
    parser.add_argument("--out", type=Path, default=OUT, help="Folder of the pictures.")
    parser.add_argument(
        "--history", type=float, default=240.0, help="Seconds of a session before."
    )
    options = parser.parse_args()
    for part in options.parts or parts:
        print(f"-- {part}", flush=True)
        with Stage(options.out.resolve()) as stage:
            parts[part](stage, options.history)
    return 0


if __name__ == "__main__":
    sys.exit(main())
