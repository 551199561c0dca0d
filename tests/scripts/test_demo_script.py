import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def extras(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    before = set(sys.modules)
    import demo

    yield demo.extras
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("arguments", "environ", "platform", "wanted"),
    [
        ([], {"DISPLAY": ":0"}, "linux", "gui"),
        ([], {"WAYLAND_DISPLAY": "wayland-0"}, "linux", "gui"),
        ([], {}, "win32", "gui"),
        ([], {}, "darwin", "gui"),
        ([], {}, "linux", ""),
        ([], {"QT_QPA_PLATFORM": "offscreen"}, "linux", ""),
        (["--headless"], {"DISPLAY": ":0"}, "linux", ""),
        (["--duration", "60", "--view", "terminal"], {}, "win32", ""),
        (["--view=lines"], {}, "win32", ""),
        (["--view", "dashboard"], {}, "linux", "gui"),
    ],
)
def test_qt_is_installed_only_where_a_window_can_be_seen_or_is_asked_for(
    extras, arguments, environ, platform, wanted
):
    assert extras(arguments, environ, platform) == wanted
