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
