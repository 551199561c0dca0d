import pytest

from rtbold.cli import process as display
from rtbold.cli.process import unseen, why_no_window


def never():
    raise AssertionError("not asked where it cannot end the process")


def trouble(environ, platform="linux", *, installed=True, probe=never):
    return why_no_window(environ, platform, installed=lambda: installed, probe=probe)


def test_without_the_packages_it_says_what_to_install():
    assert 'pip install "rtbold[gui]"' in trouble({}, installed=False)


def test_without_a_display_it_says_how_to_get_one():
    said = trouble({})
    assert "DISPLAY" in said
    assert "QT_QPA_PLATFORM=offscreen" in said


@pytest.mark.parametrize(
    ("environ", "platform"),
    [({"QT_QPA_PLATFORM": "offscreen"}, "linux"), ({}, "win32"), ({}, "darwin")],
)
def test_where_nothing_can_go_wrong_nothing_is_probed(environ, platform):
    assert trouble(environ, platform) is None


@pytest.mark.parametrize("platform", ["linux", "win32", "darwin"])
@pytest.mark.parametrize("given", ["nonsense", "qt5", "nonsense:size=1x1;other"])
def test_a_platform_that_qt_has_not_is_told_before_qt_ends_the_process(given, platform):
    said = trouble({"DISPLAY": ":0", "QT_QPA_PLATFORM": given}, platform)
    assert f"QT_QPA_PLATFORM is {given!r}" in said
    assert "Unset it" in said


def test_one_of_several_platforms_is_enough():
    environ = {"DISPLAY": ":0", "QT_QPA_PLATFORM": "wayland;xcb:test"}
    assert trouble(environ, probe=lambda: None) is None


@pytest.mark.parametrize("name", ["QT_PLUGIN_PATH", "QT_QPA_PLATFORM_PLUGIN_PATH"])
def test_plugins_of_another_qt_are_named(name):
    environ = {"QT_QPA_PLATFORM": "offscreen", name: "/opt/other"}
    assert f"{name} may be of another program" in trouble(environ, probe=lambda: "no.")
    assert trouble(environ, probe=lambda: None) is None


def test_what_other_programs_chose_for_our_libraries_does_not_count():
    environ = {"PYQTGRAPH_QT_LIB": "PyQt5", "MPLBACKEND": "nonsense", "HOME": "/h"}
    display.settle_libraries(environ)
    assert environ == {"PYQTGRAPH_QT_LIB": "PyQt6", "MPLBACKEND": "agg", "HOME": "/h"}


def test_a_missing_library_is_named_with_its_package():
    said = trouble({"DISPLAY": ":0"}, probe=lambda: "xcb-cursor0 is needed")
    assert "xcb-cursor0 is needed" in said
    assert "apt install" in said
    assert trouble({"DISPLAY": ":0"}, probe=lambda: None) is None


def test_a_probe_that_hangs_or_aborts_is_said(monkeypatch):
    monkeypatch.setattr(display, "PROBE", "import sys; sys.exit('no plugin\\nmore')")
    assert display.probe() == "no plugin"
    monkeypatch.setattr(display, "PROBE", "import sys; sys.exit(3)")
    assert "exit code 3" in display.probe()
    monkeypatch.setattr(display, "PROBE", "while True: pass")
    monkeypatch.setattr(display, "PROBE_S", 0.2)
    assert "did not answer" in display.probe()


def test_offscreen_is_seen_by_nobody():
    assert unseen({"QT_QPA_PLATFORM": "offscreen"})
    assert not unseen({"QT_QPA_PLATFORM": "xcb"})
    assert not unseen({})
