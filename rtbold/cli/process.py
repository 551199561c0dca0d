"""Whether a window can open here; asked before Qt is, which aborts where it cannot."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Mapping

PROBE = "from PyQt6.QtWidgets import QApplication; QApplication([])"
PROBE_S = 30.0
INSTALL = 'pip install "rtbold[gui]"'
WAY_OUT = "QT_QPA_PLATFORM=offscreen draws without a display (for tests and pictures)"


def unseen(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether windows open but nobody sees them."""
    return environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal")


def installed() -> bool:
    """Return whether the packages of the dashboard are there."""
    needed = ("PyQt6", "pyqtgraph")
    return all(importlib.util.find_spec(name) is not None for name in needed)


def probe() -> str | None:
    """Open and close an application in a child; return its complaint, None if none."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROBE],
            capture_output=True,
            text=True,
            timeout=PROBE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it did not answer within {PROBE_S:g} s"
    if done.returncode == 0:
        return None
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return said[0] if said else f"it ended with exit code {done.returncode}"


def why_no_window(
    environ: Mapping[str, str] = os.environ,
    platform: str = sys.platform,
    *,
    installed: Callable[[], bool] = installed,
    probe: Callable[[], str | None] = probe,
) -> str | None:
    """Return in words why no window can open; None: one can.

    Only Linux is probed by a child process: there Qt ends the whole process if the
    display or one of its system libraries is missing.
    """
    if not installed():
        return f"the dashboard needs PyQt6 and pyqtgraph. Install them: {INSTALL}"
    if unseen(environ) or platform in ("win32", "darwin"):
        return None
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if not any(environ.get(name) for name in names):
        return (
            "there is no display: neither DISPLAY nor WAYLAND_DISPLAY is set. Log in "
            f"at the screen, or use ssh -X, or rtbold monitor in a terminal. {WAY_OUT}."
        )
    complaint = probe()
    if complaint is None:
        return None
    return (
        f"Qt cannot open a window here: {complaint} On Debian and Ubuntu: apt install "
        f"libxcb-cursor0 libegl1 libxkbcommon-x11-0. {WAY_OUT}."
    )
