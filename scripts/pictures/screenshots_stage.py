"""What a picture of the dashboard needs: children, windows, time that passes, PNG."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import astuple, replace
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from PyQt6.QtCore import QBuffer, QRect, Qt
from PyQt6.QtGui import QColor, QPainter, QPixmap
from PyQt6.QtWidgets import QWidget

from rtbold.gui.state.address import Address, on_this_machine
from rtbold.gui.state.preferences import ThemeName, colours
from rtbold.gui.views.app import AppOptions, application, build
from rtbold.gui.views.main_window import MainWindow

SIZE = (1366, 768)
FRAME_S = 0.033
THEMES: tuple[ThemeName, ...] = ("dark", "light")
PALETTE = 24  # beside the themes' own
MAP_PALETTE = 80  # where a topography or see-through dots are in the picture
TITLE_PX = 26
FEED_LINE = re.compile(r"feed on tcp://[^:]+:(\d+), control on port (\d+)")


class Stage:
    """Children, windows and their clock; a context manager that ends them all.

    Parameters
    ----------
    out : folder of the pictures.
    platform : of Qt; ``xcb`` draws on the screen of an X server.
    """

    def __init__(self, out: Path, *, platform: str = "offscreen") -> None:
        self.out = out
        self.folder = Path(tempfile.mkdtemp(prefix="rtbold-screenshots-"))
        os.chdir(self.folder)  # recordings go there, and no private path is shown
        file = self.folder / "lsl_api.cfg"  # no streams but its own are seen
        session = f"SessionID = screenshots-{os.getpid()}"
        file.write_text(f"[lab]\n{session}\n[log]\nlevel = -3\n", encoding="utf-8")
        os.environ |= {"LSLAPICFG": str(file), "QT_QPA_PLATFORM": platform}
        self.app = application()
        self._children: list[subprocess.Popen[str]] = []
        self._windows: list[MainWindow] = []
        self._seen: dict[int, object] = {}

    def __enter__(self) -> "Stage":
        """Return the stage."""
        return self

    def __exit__(self, *_: object) -> None:
        """End windows and children."""
        for window in self._windows:
            window.closing.without_asking()
            window.close()
        for child in self._children:
            self.end(child)

    def rtbold(self, *words: str) -> subprocess.Popen[str]:
        """Start a child of the command line."""
        child = subprocess.Popen(
            [sys.executable, "-m", "rtbold", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
        )
        self._children.append(child)
        return child

    def end(self, child: subprocess.Popen[str]) -> None:
        """End one child."""
        child.kill()
        child.wait(10)
        if child.stderr is not None:
            child.stderr.close()

    def fake(self, *words: str) -> Address:
        """Start a fake session; return where it publishes."""
        child = self.rtbold("fake", "--port", "0", "--control-port", "0", *words)
        assert child.stderr is not None
        line = child.stderr.readline()
        found = FEED_LINE.search(line)
        if found is None:
            raise SystemExit(f"rtbold fake {' '.join(words)} said {line!r}")
        return on_this_machine(int(found[1]), int(found[2]))

    def window(self, address: Address | None = None) -> MainWindow:
        """Open a window on a session, or on none."""
        file = self.folder / f"dashboard-{len(self._windows)}.ini"
        options = AppOptions(
            theme="dark", text_scale=1.0, settings_file=str(file), offer=False
        )
        window = build(self.app, options)
        window.resize(*SIZE)
        window.show()
        if address is not None:
            window.join(address)
        self._windows.append(window)
        return window

    def pass_time(self, seconds: float) -> None:
        """Let time pass; each window is drawn when it has news, as many are open."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            for window in self._windows:
                window.controller.tick(time.monotonic())
                news = window.state.fb
                if self._seen.get(id(window)) is not news:
                    self._seen[id(window)] = news
                    window.tick()
            self.app.processEvents()
            time.sleep(FRAME_S)

    def live(
        self,
        window: MainWindow,
        seconds: float,
        *,
        until: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Let time pass with one window drawn as often as on a screen."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s and not until():
            begun_s = time.monotonic()
            window.tick()
            self.app.processEvents()
            time.sleep(max(0.002, FRAME_S - (time.monotonic() - begun_s)))
        return until()

    def shoot(
        self,
        name: str,
        window: MainWindow,
        *,
        dialog: Callable[[], QWidget] | None = None,
        theme: ThemeName = "dark",
        settle_s: float = 0.4,
        n_colours: int = PALETTE,
    ) -> None:
        """Save the window, or what `dialog` returns."""
        window.set_preferences(replace(window.preferences, theme=theme))
        self.live(window, settle_s)
        shown = window.grab() if dialog is None else _framed(dialog(), theme)
        self.save(shown, f"{name}-{theme}", n_colours)
        window.set_preferences(replace(window.preferences, theme="dark"))

    def save(self, shown: QPixmap, name: str, n_colours: int = PALETTE) -> None:
        """Write a small PNG."""
        buffer = QBuffer()
        buffer.open(QBuffer.OpenModeFlag.WriteOnly)
        shown.save(buffer, "PNG")
        picture = Image.open(BytesIO(bytes(buffer.data()))).convert("RGB")
        small = few_colours(picture, n_colours)
        file = self.out / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        small.save(file, optimize=True)
        print(f"{file.name}: {file.stat().st_size / 1024:.0f} KB", flush=True)


def few_colours(picture: Image.Image, n_colours: int) -> Image.Image:
    """Return `picture` with a palette that has all colours of the themes.

    Rare ones, such as that of a warning, would else be taken for their neighbours; the
    square root of how often a colour is seen is what it counts.
    """
    pixels = np.asarray(picture.convert("RGB"))
    seen, place, n = np.unique(
        pixels.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True
    )
    often = np.repeat(seen, np.ceil(np.sqrt(n)).astype(int), axis=0)
    chosen = Image.fromarray(often[None]).quantize(n_colours, kmeans=1).getpalette()
    usual = np.array(chosen or [0, 0, 0], dtype=int).reshape(-1, 3)
    known = [field for theme in THEMES for field in astuple(colours(theme))]
    exact = [QColor(name).getRgb()[:3] for name in known if name.startswith("#")]
    palette = np.concatenate((np.array(exact, dtype=int), usual))
    off = seen.astype(int)[:, None] - palette[None]  # (seen, palette, RGB)
    nearest = np.argmin((off**2).sum(axis=2), axis=1).astype(np.uint8)
    small = Image.fromarray(nearest[place].reshape(pixels.shape[:2]), mode="P")
    small.putpalette(palette.astype(np.uint8).tobytes())
    return small


def _framed(dialog: QWidget, theme: ThemeName) -> QPixmap:
    """Return a dialog with a plain title bar, as a desktop would give it."""
    palette = colours(theme)
    whole = QPixmap(dialog.width(), TITLE_PX + dialog.height())
    whole.fill(QColor(palette.border))
    painter = QPainter(whole)
    painter.setPen(QColor(palette.text))
    title = QRect(0, 0, dialog.width(), TITLE_PX)
    painter.drawText(title, Qt.AlignmentFlag.AlignCenter, dialog.windowTitle())
    painter.drawPixmap(0, TITLE_PX, dialog.grab())
    painter.end()
    return whole
