"""Drive the real window with mouse and keys, as an operator does, and take pictures.

    python scripts/pictures/drive_window.py                  # all screens, 8 minutes
    python scripts/pictures/drive_window.py 1366x768         # one

Set-up, dry run, check, start, session, stop, summary. Each screen is an Xvfb of its
own, in which nothing is drawn but this window; mouse and keys come from xdotool, so
they go the way of a person's (apt install xvfb xdotool libxcb-cursor0). Whatever does
not come to pass within its time, is off the screen, or moves under the pointer ends the
script with an error.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from PyQt6 import sip
from PyQt6.QtCore import QPoint, QRect
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QPushButton, QWidget
from screenshots_stage import PALETTE, Stage

from rtbold.gui.state.setup import SetupChoice
from rtbold.gui.views.app import AppOptions, build
from rtbold.gui.views.main_window import SESSION, SUMMARY, MainWindow
from rtbold.gui.views.setup.page import SetupPage

OUT = Path(__file__).resolve().parents[2] / "docs" / "img" / "dashboard"
SCREENS = ("1366x768", "1920x1080", "1920x1080@1.5")
PATIENCE_S = 120.0
SOON_S = 10.0
SHORT_S = 0.6  # for what follows a click at once
LIVE_S = 25.0  # of a session that is shown
NOTE = "eyes shut"


@dataclass(frozen=True, slots=True)
class Screen:
    """One screen: pixels, and how much larger everything is drawn on it."""

    width: int
    height: int
    scale: float

    @classmethod
    def named(cls, name: str) -> "Screen":
        """Read ``1920x1080@1.5``."""
        size, _, scale = name.partition("@")
        width, height = map(int, size.split("x"))
        return cls(width, height, float(scale or 1))

    @property
    def slug(self) -> str:
        """Its name in a picture's."""
        scaled = "" if self.scale == 1 else f"-at-{100 * self.scale:.0f}"
        return f"{self.width}x{self.height}{scaled}"


class Operator:
    """Hand and eye: xdotool for the one, the window's own state for the other."""

    def __init__(self, stage: Stage, screen: Screen) -> None:
        self._stage, self._screen = stage, screen
        options = AppOptions(
            theme="dark",
            text_scale=1.0,
            settings_file=str(stage.folder / "driven.ini"),
            offer=False,
        )
        self.window: MainWindow = build(stage.app, options)
        self.window.begin()
        self._focus()

    @property
    def setup(self) -> SetupPage:
        """The set-up page."""
        page = self.window.stack.widget(0)
        assert isinstance(page, SetupPage)
        return page

    def wait(
        self, seconds: float, until: Callable[[], bool] = lambda: False, what: str = ""
    ) -> None:
        """Let the window live; where `what` is said, it must come to pass in time."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s and not until():
            self._stage.app.processEvents()
            time.sleep(0.01)
        if what and not until():
            self.shoot("failed")
            raise SystemExit(f"{self._screen.slug}: {what} did not come to pass")

    def click(self, widget: QWidget) -> None:
        """Move the pointer onto a widget and click; it must be there to be seen."""
        place = QRect(widget.mapToGlobal(QPoint(0, 0)), widget.size())
        room = QGuiApplication.primaryScreen().geometry()
        if not widget.isVisible() or not room.contains(place):
            self.shoot("failed")
            name = widget.objectName()
            raise SystemExit(f"{self._screen.slug}: {name} is not on the screen")
        middle = (
            self._screen.scale * place.center().x(),
            (self._screen.scale * place.center().y()),
        )
        self._tool("mousemove", *(f"{value:.0f}" for value in middle), "click", "1")
        self.wait(SHORT_S)
        there = not sip.isdeleted(widget) and widget.isVisible()
        if there and widget.mapToGlobal(QPoint(0, 0)) != place.topLeft():
            self.shoot("failed")
            name = widget.objectName()
            raise SystemExit(f"{self._screen.slug}: {name} moved under the pointer")

    def fill_the_screen(self) -> None:
        """Make the window as large as the screen, as a desktop would."""
        window, screen = str(int(self.window.winId())), self._screen
        self._tool("windowmove", window, "0", "0")
        self._tool("windowsize", window, str(screen.width), str(screen.height))
        self.wait(SHORT_S)

    def press(self, keys: str) -> None:
        """Press a key, such as ``shift+F5``."""
        if self._stage.app.activeWindow() is None:
            self._focus()
        self._tool("key", keys)
        self.wait(SHORT_S)

    def type(self, text: str) -> None:
        """Type a text."""
        self._tool("type", "--delay", "20", text)
        self.wait(SHORT_S)

    def shoot(self, name: str) -> None:
        """Save what is on the whole screen, once it is drawn."""
        self.wait(SHORT_S)
        shown = QGuiApplication.primaryScreen().grabWindow(0)
        self._stage.save(shown, f"driven-{name}-{self._screen.slug}", PALETTE)

    def headline(self) -> str:
        """Return the word that an operator reads."""
        return self.window.state.headline(time.monotonic()).word

    def _focus(self) -> None:
        """Give the window the keys; here is no window manager that does."""
        self._tool("windowfocus", str(int(self.window.winId())))
        self.wait(SHORT_S)

    def _tool(self, *words: str) -> None:
        subprocess.run(("xdotool", *words), check=True, timeout=SOON_S)


def drive(operator: Operator) -> None:
    """Go the operator's way once."""
    setup = operator.setup
    controller = setup._controller  # noqa: SLF001 - what it knows
    feed, control = free_port(), free_port()
    setup.form.set_choice(
        replace(SetupChoice(), record="recordings", port=feed, control_port=control)
    )
    operator.wait(
        PATIENCE_S, lambda: controller.bundles.searched, "the list of the models"
    )
    operator.shoot("setup")  # as it opens
    operator.fill_the_screen()
    operator.click(setup.twin.button)
    operator.wait(
        PATIENCE_S, lambda: controller.dry_run.state == "playing", "the dry run"
    )
    operator.press("F4")
    operator.wait(SOON_S, lambda: controller.checks.made_for is not None, "a check")
    operator.wait(PATIENCE_S, lambda: not controller.checking, "the check's end")
    operator.wait(SOON_S, setup.start.isEnabled, "an open Start")
    operator.shoot("check")
    operator.click(setup.start)
    operator.wait(
        SOON_S, lambda: operator.window.stack.currentIndex() == SESSION, "its page"
    )
    if operator.headline() != "STARTING":
        raise SystemExit(f"after Start it says {operator.headline()}, not STARTING")
    operator.shoot("starting")
    run_session(operator)


def run_session(operator: Operator) -> None:
    """Watch a session, note something, stop it, read what it came to."""
    operator.wait(
        PATIENCE_S,
        lambda: operator.headline() in ("OK", "DEGRADED"),
        "a session that predicts",
    )
    page = operator.window.stack.widget(SESSION)
    operator.click(page.commands.text)
    operator.type(NOTE)
    operator.press("F7")
    operator.wait(
        SOON_S,
        lambda: any(NOTE in entry.text for entry in operator.window.state.log.entries),
        "the mark",
    )
    operator.wait(LIVE_S)
    operator.shoot("session")
    operator.press("shift+F5")
    stop = next(
        button
        for button in page.findChildren(QPushButton)
        if button.text() == "Stop the session"
    )
    operator.shoot("stop")
    operator.click(stop)
    operator.wait(
        PATIENCE_S,
        lambda: operator.window.stack.currentIndex() == SUMMARY,
        "the summary",
    )
    operator.wait(SHORT_S)
    operator.shoot("summary")
    operator.press("ctrl+q")
    operator.wait(SOON_S, lambda: not operator.window.isVisible(), "the end")


def free_port() -> int:
    """Return a port where nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def on_a_screen(name: str, out: Path) -> int:
    """Run this script inside of an X server of this size; return its exit code."""
    screen = Screen.named(name)
    size = f"{screen.width}x{screen.height}x24"
    read, write = os.pipe()
    server = subprocess.Popen(
        ("Xvfb", "-displayfd", str(write), "-screen", "0", size, "-nolisten", "tcp"),
        pass_fds=(write,),
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as told:
        display = told.readline().strip()
    home = {"DISPLAY": f":{display}", "QT_SCALE_FACTOR": f"{screen.scale:g}"}
    words = (sys.executable, __file__, name, "--out", str(out), "--inside")
    try:
        return subprocess.run(words, env={**os.environ, **home}, check=False).returncode
    finally:
        server.terminate()
        server.wait(SOON_S)


def main() -> int:
    """Go the way on the screens that were named, or on all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("screens", nargs="*", help=", ".join(SCREENS))
    parser.add_argument("--out", type=Path, default=OUT, help="Folder of the pictures.")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    out = options.out.resolve()
    if options.inside:
        with Stage(out, platform="xcb") as stage:
            drive(Operator(stage, Screen.named(options.screens[0])))
        return 0
    if missing := [tool for tool in ("Xvfb", "xdotool") if not shutil.which(tool)]:
        parser.error(f"{' and '.join(missing)} missing: apt install xvfb xdotool")
    codes = [on_a_screen(name, out) for name in options.screens or SCREENS]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
