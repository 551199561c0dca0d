"""What Qt needs of the system: asked of the loader, and named by its package."""

import sys
from pathlib import Path

import pytest

from rtbold.distribution import pip_install
from rtbold.preflight import qt_platform
from rtbold.preflight.qt_platform import (
    Answer,
    check_qt,
    how_to_get,
    missing_libraries,
    named_in,
    not_found,
    probe,
    unseen,
)

LDD = """\
\tlinux-vdso.so.1 (0x00007ffd5b5f2000)
\tlibQt6XcbQpa.so.6 => /lib/libQt6XcbQpa.so.6 (0x00007f1e4a000000)
\tlibxcb-icccm.so.4 => not found
\tlibxcb-keysyms.so.1 => not found
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1e49c00000)
"""
ON_DEBIAN = "apt update && apt install libxcb-icccm4 libxcb-keysyms1"
MISSING = ["libxcb-icccm.so.4", "libxcb-keysyms.so.1"]


def test_of_the_loader_s_answer_only_what_it_did_not_find_counts():
    assert sorted(not_found(LDD)) == MISSING
    assert not_found("\tstatically linked\n") == set()


@pytest.mark.parametrize(
    ("system", "command"),
    [
        ("debian ", ON_DEBIAN),
        (
            "linuxmint ubuntu debian",
            ON_DEBIAN,
        ),
        ("fedora ", "dnf install xcb-util-keysyms xcb-util-wm"),
        ("rocky rhel centos fedora", "dnf install xcb-util-keysyms xcb-util-wm"),
    ],
)
def test_each_library_s_package_is_named_for_this_system(system, command):
    assert how_to_get(MISSING, system) == command


def test_an_unknown_system_gets_both_and_an_unknown_library_its_own_name():
    both = how_to_get(MISSING, "arch ")
    assert "apt install libxcb-icccm4" in both
    assert "dnf install xcb-util-keysyms" in both
    told = how_to_get(["libnew.so.7", *MISSING], "debian ")
    assert told.startswith("apt update && apt install libxcb-icccm4")
    assert "libnew.so.7" in told
    assert "apt" not in how_to_get(["libnew.so.7"], "debian ")


def test_libraries_are_found_in_what_qt_complains_of():
    said = "ImportError: libEGL.so.1: cannot open shared object file"
    assert named_in(said) == ["libEGL.so.1"]
    cursor = "From 6.5.0, xcb-cursor0 or libxcb-cursor0 is needed to load the plugin"
    assert named_in(cursor) == ["libxcb-cursor.so.0"]
    glib = "libglib-2.0.so.0: no such file"
    assert named_in(glib) == ["libglib-2.0.so.0"]
    assert named_in("could not connect to display :7") == []


@pytest.mark.skipif(sys.platform != "linux", reason="asked on Linux alone")
@pytest.mark.parametrize(
    ("environ", "plugin"),
    [
        ({"DISPLAY": ":0"}, "libqxcb.so"),
        ({"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}, "libqxcb.so"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "libqwayland.so"),
        ({"QT_QPA_PLATFORM": "offscreen"}, "libqoffscreen.so"),
        ({"QT_QPA_PLATFORM": "xcb;wayland"}, "libqxcb.so"),
    ],
)
def test_the_plugin_that_will_be_loaded_is_looked_at(environ, plugin):
    pytest.importorskip("PyQt6")
    seen = []

    def unfound(files):
        seen.extend(files)
        return {"b.so", "a.so"}

    assert missing_libraries(environ, unfound=unfound) == ["a.so", "b.so"]
    names = [path.name for path in seen]
    assert plugin in names
    assert any(name.startswith("QtWidgets") for name in names)
    assert all(Path(path).exists() for path in seen)


def test_each_library_that_qt_s_wheel_asks_for_has_a_package():
    pytest.importorskip("PyQt6")
    needed = set()

    def unfound(files):
        for file in files:
            needed.update(file.read_bytes().split(b"\0"))
        return set()

    missing_libraries({"DISPLAY": ":0"}, unfound=unfound)
    names = {n.decode() for n in needed if n.startswith(b"lib") and b".so" in n}
    brought = ("libQt6", "libc.so", "libm.so", "libgcc_s", "libdl.", "libpthread")
    asked = {n for n in names if not n.startswith(brought) and " " not in n}
    plain = {n for n in asked if n[-1].isdigit()}  # others are opened if they are there
    assert plain <= set(qt_platform._BROUGHT_BY)


def test_a_child_that_hangs_or_aborts_is_said():
    def says(code, limit_s=30.0):
        return probe((sys.executable, "-c", code), limit_s)

    assert says("import sys; sys.exit('no plugin\\nmore')") == Answer("", "no plugin")
    assert says("raise ImportError('libEGL.so.1')").complaint.endswith("libEGL.so.1")
    assert "exit code 3" in says("import sys; sys.exit(3)").complaint
    assert "did not answer" in says("while True: pass", 0.2).complaint
    assert says("print('platform xcb')") == Answer("xcb", "")


def test_offscreen_is_seen_by_nobody():
    assert unseen({"QT_QPA_PLATFORM": "offscreen"})
    assert not unseen({"QT_QPA_PLATFORM": "xcb"})
    assert not unseen({})


def never():
    raise AssertionError("Qt would end the process")


def test_the_doctor_names_what_the_plugin_lacks():
    pytest.importorskip("PyQt6")
    check = check_qt({"DISPLAY": ":0"}, missing=lambda _: MISSING, probe=never)
    assert check.state == "warn"
    assert "libxcb-icccm.so.4" in check.found
    assert "libxcb-icccm4" in check.advice or "xcb-util-wm" in check.advice


def test_the_doctor_shows_the_platform_that_opened():
    pytest.importorskip("PyQt6")
    environ = {"QT_QPA_PLATFORM": "offscreen"}
    good = check_qt(
        environ, missing=lambda _: [], probe=lambda: Answer("offscreen", "")
    )
    assert (good.state, "platform offscreen" in good.found) == ("ok", True)
    bad = check_qt(environ, missing=lambda _: [], probe=lambda: Answer("", "refused"))
    assert (bad.state, "refused" in bad.found) == ("warn", True)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is a display")
def test_without_a_display_nothing_is_opened():
    pytest.importorskip("PyQt6")
    check = check_qt({}, missing=lambda _: [], probe=never)
    assert check.state == "ok"
    assert "DISPLAY" in check.found


def test_without_the_package_the_doctor_says_what_brings_it(monkeypatch):
    monkeypatch.setattr(qt_platform, "installed", lambda: False)
    check = check_qt({}, probe=never)
    assert (check.state, check.advice) == ("ok", pip_install("gui"))
