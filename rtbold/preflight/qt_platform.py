"""Can Qt open a window here: its platform plugin, and the libraries that one needs.

PyQt6's wheel brings Qt, but not what a Linux desktop has: libxcb's helpers, EGL,
fontconfig. Qt names at most one of those that are missing, or ends the process. So the
loader is asked what it does not find, and each library's package is named.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rtbold.distribution import pip_install

if TYPE_CHECKING:
    from rtbold.messages import Check

PACKAGES: Final = ("PyQt6", "pyqtgraph")
LIMIT_S: Final = 30.0
WAY_OUT: Final = (
    "QT_QPA_PLATFORM=offscreen draws without a display (for tests and pictures)"
)
NO_DISPLAY: Final = "neither DISPLAY nor WAYLAND_DISPLAY is set"
_DISPLAYS: Final = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
# What it shows, or why it cannot; a child is asked, because Qt ends its process
_PROBE: Final = (
    "from PyQt6.QtWidgets import QApplication; app = QApplication([]); "
    "print('platform', app.platformName())"
)


class _Package(NamedTuple):
    debian: str
    fedora: str


# Of each library that PyQt6's modules and its plugins for X11 and Wayland ask for, and
# that their wheel does not bring. Debian 12's names; later ones provide them too.
_BROUGHT_BY: Final = {
    "libEGL.so.1": _Package("libegl1", "libglvnd-egl"),
    "libGL.so.1": _Package("libgl1", "libglvnd-glx"),
    "libGLX.so.0": _Package("libglx0", "libglvnd-glx"),
    "libOpenGL.so.0": _Package("libopengl0", "libglvnd-opengl"),
    "libICE.so.6": _Package("libice6", "libICE"),
    "libSM.so.6": _Package("libsm6", "libSM"),
    "libX11.so.6": _Package("libx11-6", "libX11"),
    "libX11-xcb.so.1": _Package("libx11-xcb1", "libX11-xcb"),
    "libdbus-1.so.3": _Package("libdbus-1-3", "dbus-libs"),
    "libfontconfig.so.1": _Package("libfontconfig1", "fontconfig"),
    "libfreetype.so.6": _Package("libfreetype6", "freetype"),
    "libglib-2.0.so.0": _Package("libglib2.0-0", "glib2"),
    "libgthread-2.0.so.0": _Package("libglib2.0-0", "glib2"),
    "libstdc++.so.6": _Package("libstdc++6", "libstdc++"),
    "libwayland-client.so.0": _Package("libwayland-client0", "libwayland-client"),
    "libwayland-cursor.so.0": _Package("libwayland-cursor0", "libwayland-cursor"),
    "libwayland-egl.so.1": _Package("libwayland-egl1", "libwayland-egl"),
    "libxcb.so.1": _Package("libxcb1", "libxcb"),
    "libxcb-cursor.so.0": _Package("libxcb-cursor0", "xcb-util-cursor"),
    "libxcb-glx.so.0": _Package("libxcb-glx0", "libxcb"),
    "libxcb-icccm.so.4": _Package("libxcb-icccm4", "xcb-util-wm"),
    "libxcb-image.so.0": _Package("libxcb-image0", "xcb-util-image"),
    "libxcb-keysyms.so.1": _Package("libxcb-keysyms1", "xcb-util-keysyms"),
    "libxcb-randr.so.0": _Package("libxcb-randr0", "libxcb"),
    "libxcb-render.so.0": _Package("libxcb-render0", "libxcb"),
    "libxcb-render-util.so.0": _Package("libxcb-render-util0", "xcb-util-renderutil"),
    "libxcb-shape.so.0": _Package("libxcb-shape0", "libxcb"),
    "libxcb-shm.so.0": _Package("libxcb-shm0", "libxcb"),
    "libxcb-sync.so.1": _Package("libxcb-sync1", "libxcb"),
    "libxcb-util.so.1": _Package("libxcb-util1", "xcb-util"),
    "libxcb-xfixes.so.0": _Package("libxcb-xfixes0", "libxcb"),
    "libxcb-xkb.so.1": _Package("libxcb-xkb1", "libxcb"),
    "libxkbcommon.so.0": _Package("libxkbcommon0", "libxkbcommon"),
    "libxkbcommon-x11.so.0": _Package("libxkbcommon-x11-0", "libxkbcommon-x11"),
    "libz.so.1": _Package("zlib1g", "zlib"),
    "libzstd.so.1": _Package("libzstd1", "libzstd"),
}


def installed() -> bool:
    """Return whether the packages of the dashboard are there."""
    return all(find_spec(name) is not None for name in PACKAGES)


def unseen(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether windows open but nobody sees them."""
    return environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal")


def has_display(environ: Mapping[str, str]) -> bool:
    """Return whether the environment names a display, or a platform without one."""
    return any(environ.get(name) for name in _DISPLAYS)


class Answer(NamedTuple):
    """What the child that opened an application came to."""

    platform: str  # as Qt names it; empty: none
    complaint: str  # empty: none


def probe(command: Sequence[str] = (), limit_s: float = LIMIT_S) -> Answer:
    """Open and close an application in a child, and say what came of it.

    Parameters
    ----------
    command : to run instead, in tests.
    """
    words = command or (sys.executable, "-c", _PROBE)
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        return Answer("", f"it did not answer within {limit_s:g} s")
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    if done.returncode == 0:
        return Answer(done.stdout.partition("platform ")[2].strip(), "")
    # a traceback's last line says it, and of what Qt says the first
    traced = bool(said) and said[0].startswith("Traceback")
    told = said[-1 if traced else 0] if said else ""
    return Answer("", told or f"it ended with exit code {done.returncode}")


def missing_libraries(
    environ: Mapping[str, str] = os.environ,
    *,
    unfound: Callable[[Iterable[Path]], set[str]] | None = None,
) -> list[str]:
    """Return the libraries that the loader does not find for a window; sorted.

    Only on Linux: elsewhere the wheel brings all, or the system has it.
    """
    spec = find_spec("PyQt6")
    if sys.platform != "linux" or spec is None or not spec.submodule_search_locations:
        return []
    folder = Path(next(iter(spec.submodule_search_locations)))
    return sorted((unfound or _unfound)(_loaded_for_a_window(folder, environ)))


def _loaded_for_a_window(folder: Path, environ: Mapping[str, str]) -> list[Path]:
    """Return the modules of PyQt6 that the dashboard imports, and Qt's plugin."""
    modules = [
        path for name in ("QtCore", "QtGui", "QtWidgets", "QtSvg")
        for path in folder.glob(f"{name}.*so")
    ]  # fmt: skip
    chosen = environ.get("QT_QPA_PLATFORM", "").partition(":")[0].partition(";")[0]
    if not chosen:
        alone = environ.get("WAYLAND_DISPLAY") and not environ.get("DISPLAY")
        chosen = "wayland" if alone else "xcb"
    plugins = folder / "Qt6" / "plugins" / "platforms"
    return [*modules, *sorted(plugins.glob(f"libq{chosen}*.so"))]


def _unfound(files: Iterable[Path]) -> set[str]:
    """Ask the loader, by ldd, what it does not find; nothing of it is run."""
    names: set[str] = set()
    ldd = shutil.which("ldd")
    for file in files if ldd else ():
        said = subprocess.run(
            [str(ldd), str(file)], capture_output=True, text=True, timeout=LIMIT_S,
            check=False, env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
        names |= not_found(said.stdout)
    return names


def named_in(complaint: str) -> list[str]:
    """Return the libraries that a complaint of Qt or of the loader names."""
    found = re.findall(r"\blib[\w+-]+(?:\.\d+)*\.so(?:\.\d+)*", complaint)
    cursor = ["libxcb-cursor.so.0"] if "xcb-cursor0" in complaint else []
    return sorted({*found, *cursor})


def not_found(said: str) -> set[str]:
    """Return the libraries that ldd's lines name as not found."""
    lines = (line.split() for line in said.splitlines() if line.endswith("not found"))
    return {words[0] for words in lines if len(words) > 1 and words[1] == "=>"}


def how_to_get(libraries: Sequence[str], system: str | None = None) -> str:
    """Return the command that brings `libraries`, as this system's user would call it.

    Parameters
    ----------
    system : what the system is like, in os-release's words; None: this one.
    """
    like = _system() if system is None else system
    known = [_BROUGHT_BY[name] for name in libraries if name in _BROUGHT_BY]
    unknown = [name for name in libraries if name not in _BROUGHT_BY]
    debian = " ".join(sorted({each.debian for each in known}))
    fedora = " ".join(sorted({each.fedora for each in known}))
    on_debian = f"apt update && apt install {debian}"
    on_fedora = f"dnf install {fedora}"
    if any(name in like for name in ("debian", "ubuntu")):
        command = on_debian
    elif any(name in like for name in ("fedora", "rhel", "centos")):
        command = on_fedora
    else:
        command = f"{on_debian} (Debian, Ubuntu), {on_fedora} (Fedora)"
    rest = f"the packages of your system that hold {', '.join(unknown)}"
    return " and ".join([*([command] if known else []), *([rest] if unknown else [])])


def _system() -> str:
    try:
        told = platform.freedesktop_os_release()
    except OSError:
        return ""
    return f"{told.get('ID', '')} {told.get('ID_LIKE', '')}".lower()


def check_qt(
    environ: Mapping[str, str] = os.environ,
    *,
    missing: Callable[[Mapping[str, str]], list[str]] = missing_libraries,
    probe: Callable[[], Answer] = probe,
) -> "Check":
    """Report Qt's version and platform, and whether its plugin loads."""
    from importlib.metadata import version

    from rtbold.messages import (
        Check,  # brings numpy, which `rtbold --help` goes without
    )

    if not installed():
        found = "not installed (optional): no dashboard"
        return Check("qt", "ok", found, pip_install("gui"))
    qt = f"Qt {version('PyQt6-Qt6')}, PyQt6 {version('PyQt6')}"
    if lacking := missing(environ):
        found = f"{qt}: its plugin cannot be loaded without {', '.join(lacking)}"
        return Check("qt", "warn", found, f"for the dashboard: {how_to_get(lacking)}")
    if sys.platform == "linux" and not has_display(environ):
        found = f"{qt}, platform xcb: its libraries are there; {NO_DISPLAY}"
        return Check("qt", "ok", found)
    answer = probe()
    if answer.complaint:
        found = f"{qt}: no window opens: {answer.complaint}"
        return Check("qt", "warn", found, "for the dashboard: see rtbold gui")
    return Check("qt", "ok", f"{qt}, platform {answer.platform}: a window opens")
