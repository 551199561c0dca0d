import pytest

from rtbold.cli.process import settle_libraries, why_no_window
from rtbold.distribution import pip_install
from rtbold.preflight import Answer


def never():
    raise AssertionError("not asked where it cannot end the process")


def trouble(environ, platform="linux", *, installed=True, missing=(), probe=never):
    return why_no_window(
        environ,
        platform,
        installed=lambda: installed,
        missing=lambda _: list(missing),
        probe=probe,
    )


def test_without_the_packages_it_says_what_to_install():
    assert pip_install("gui") in trouble({}, installed=False)


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
    assert trouble(environ, probe=lambda: Answer("xcb", "")) is None


@pytest.mark.parametrize("name", ["QT_PLUGIN_PATH", "QT_QPA_PLATFORM_PLUGIN_PATH"])
def test_plugins_of_another_qt_are_named(name):
    environ = {"QT_QPA_PLATFORM": "offscreen", name: "/opt/other"}
    assert f"{name} may be of another program" in trouble(
        environ, probe=lambda: Answer("", "no.")
    )
    assert trouble(environ, probe=lambda: Answer("xcb", "")) is None


def test_what_other_programs_chose_for_our_libraries_does_not_count():
    environ = {"PYQTGRAPH_QT_LIB": "PyQt5", "MPLBACKEND": "nonsense", "HOME": "/h"}
    settle_libraries(environ)
    assert environ == {"PYQTGRAPH_QT_LIB": "PyQt6", "MPLBACKEND": "agg", "HOME": "/h"}


def test_a_missing_library_is_named_with_its_package():
    missing = ["libxcb-icccm.so.4", "libxcb-keysyms.so.1"]
    said = trouble({"DISPLAY": ":0"}, missing=missing)
    assert "libxcb-icccm.so.4" in said
    assert "libxcb-icccm4" in said
    assert "libxcb-keysyms1" in said
    assert "\n" not in said


def test_what_qt_itself_complains_of_is_said_with_what_to_do():
    answer = Answer("", "xcb-cursor0 or libxcb-cursor0 is needed.")
    said = trouble({"DISPLAY": ":0"}, probe=lambda: answer)
    assert "is needed" in said
    assert "libxcb-cursor0" in said.partition("is needed")[2]
    other = trouble({"DISPLAY": ":0"}, probe=lambda: Answer("", "no"))
    assert "echo $DISPLAY" in other
    assert trouble({"DISPLAY": ":0"}, probe=lambda: Answer("xcb", "")) is None
