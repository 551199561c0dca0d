"""Pictures of the set-up and rehearsal pages, with the simulated brain on LSL."""

import threading
from dataclasses import replace

import numpy as np
import pylsl
from screenshots_stage import Stage

from rtbold.bundle import load
from rtbold.gui.state.runs import PlannedRun, Run, RunPlan
from rtbold.gui.state.setup import SetupChoice
from rtbold.gui.views.main_window import MainWindow
from rtbold.gui.views.override_dialog import OverrideDialog
from rtbold.gui.views.setup_page import SetupPage
from rtbold.gui.views.window_parts import REHEARSE, SETUP
from rtbold.messages import Channel
from rtbold.sim.outlets import EegOutletSettings, open_eeg_outlet

TWIN = "scanner"
AMPLIFIER = "amplifier"
UNPLUGGED = ("O2", "TP9")
AMPLIFIER_HZ = 500
CHUNK_S = 0.02
NOISE_UV = 12.0
MINUTES = 1
PORTS = {"port": 5780, "control_port": 5781}
PATIENCE_S = 90.0
REASON = "pilot of the set-up without a person in the scanner"


class Amplifier:
    """EEG-sized noise as a stream that lacks two channels of the model."""

    def __init__(self) -> None:
        card = load("demo").card
        named = [n for n in card.channels if n.upper() not in UNPLUGGED]
        self._n = len(named)
        self._outlet = open_eeg_outlet(
            EegOutletSettings(
                name=AMPLIFIER,
                channels=tuple(Channel(name, "uV") for name in named),
                rate_hz=float(AMPLIFIER_HZ),
                reference="FCz",
            )
        )
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self) -> None:
        random = np.random.default_rng(0)
        shape = (round(AMPLIFIER_HZ * CHUNK_S), self._n)
        due_s = pylsl.local_clock()
        while not self._ends.wait(max(0.0, due_s - pylsl.local_clock())):
            block = (NOISE_UV * random.standard_normal(shape)).astype(np.float32)
            self._outlet.push_block(block, due_s)
            due_s += CHUNK_S

    def close(self) -> None:
        """Fall silent."""
        self._ends.set()
        self._thread.join()


def usual() -> SetupChoice:
    """Return a session on the twin."""
    return SetupChoice(
        stream=f"{TWIN}-eeg",
        model="demo",
        trigger_stream=f"{TWIN}-markers",
        truth=f"lsl:{TWIN}-bold",
        record="recordings/S01",
        **PORTS,
    )


def _twin(stage: Stage) -> object:
    return stage.rtbold("simulate", "--name", TWIN, "--duration", "1500")


def setup(stage: Stage, history_s: float) -> None:
    """Draw it before a check, green, red, overridden, and while a run goes on."""
    _twin(stage)
    amplifier = Amplifier()
    window = stage.window()
    window.go_to(SETUP)
    page = window.stack.widget(SETUP)
    there = page._controller  # noqa: SLF001 - what it knows of the network
    stage.live(
        window, PATIENCE_S, until=lambda: there.streams.named(f"{TWIN}-eeg") is not None
    )
    stage.live(window, 4)
    stage.shoot("setup-before", window)
    page.form.set_choice(usual())
    _plan(page)
    _check(stage, window)
    stage.shoot("setup-green", window)
    page.form.set_choice(replace(usual(), stream=AMPLIFIER))
    _check(stage, window)
    stage.shoot("setup-red", window)
    dialog = OverrideDialog(there.checks.blocking, window)
    dialog.reason.setText(REASON)
    dialog.show()
    stage.shoot("setup-override", window, dialog=lambda: dialog)
    dialog.close()
    amplifier.close()
    page.form.set_choice(usual())
    _check(stage, window)
    page.start.click()
    stage.live(window, PATIENCE_S, until=lambda: window.state.fb is not None)
    stage.live(window, 30)
    stage.shoot("session-twin", window, themes=("dark",))
    window.go_to(SETUP)
    stage.shoot("setup-running", window, themes=("dark",))
    window.controller.commands.stop()
    stage.live(window, 30, until=lambda: not window.controller.child_runs)


def _plan(page: SetupPage) -> None:
    """Write four runs and what is known before them."""
    plan = RunPlan((PlannedRun(Run(1, "localiser", duration_s=300)),))
    for kind in ("baseline", "training", "transfer"):
        plan = plan.added(kind, like=Run(0, kind, dummy_volumes=5, duration_s=510))
    page.runs.show_plan(plan)
    page.notes.impedance.set_value("all below 10 kΩ, T8 20")
    page.notes.light.setCurrentIndex(1)
    page.notes.eyes.setCurrentIndex(1)


def _check(stage: Stage, window: MainWindow) -> None:
    page = window.stack.widget(SETUP)
    stage.live(window, 1)
    page.checks.check.click()
    there = page._controller  # noqa: SLF001 - whether it is done
    stage.live(window, PATIENCE_S, until=lambda: not there.checking)
    stage.live(window, 1)


def rehearsal(stage: Stage, history_s: float) -> None:
    """Draw it running, GO, and NO-GO because the EEG stops half-way."""
    twin = _twin(stage)
    window = stage.window()
    page = window.stack.widget(SETUP)
    results = window.stack.widget(REHEARSE)
    results.minutes.set_value(MINUTES)
    # the twin's scan runs already, so its BOLD would be of other volumes
    page.form.set_choice(replace(usual(), truth=""))
    there = page._controller  # noqa: SLF001 - how far it is
    stage.live(
        window, PATIENCE_S, until=lambda: there.streams.named(f"{TWIN}-eeg") is not None
    )
    page.rehearse.click()
    stage.live(window, 35)
    stage.shoot("rehearsal-running", window)
    stage.live(window, PATIENCE_S, until=lambda: not there.rehearsal.running)
    stage.live(window, 1)
    stage.shoot("rehearsal-go", window)
    page.form.set_choice(replace(usual(), truth="", tr_s=2.1))
    stage.live(window, 1)
    stage.shoot("rehearsal-changed", window)
    page.form.set_choice(replace(usual(), truth=""))
    stage.live(window, 1)
    results.again.click()
    stage.live(window, 40)
    stage.end(twin)
    stage.live(window, 2 * PATIENCE_S, until=lambda: not there.rehearsal.running)
    stage.live(window, 1)
    stage.shoot("rehearsal-no-go", window)
