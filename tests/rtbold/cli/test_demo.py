import pytest

from rtbold.cli import process as display
from rtbold.cli.demo import select_view
from rtbold.errors import ConfigError, RtboldError


@pytest.fixture
def seen(monkeypatch):
    """Let windows open, or say why not."""

    def set_to(trouble, *, offscreen=False):
        monkeypatch.setattr(display, "why_no_window", lambda: trouble)
        monkeypatch.setattr("rtbold.preflight.unseen", lambda: offscreen)

    return set_to


def test_the_dashboard_is_the_first_choice_where_it_can_be_seen(seen):
    seen(None)
    assert select_view(None, terminal=True) == "dashboard"
    assert select_view(None, terminal=False) == "dashboard"


@pytest.mark.parametrize(("terminal", "view"), [(True, "terminal"), (False, "lines")])
def test_without_a_window_it_falls_back_and_says_why(seen, capsys, terminal, view):
    seen("there is no display")
    assert select_view(None, terminal=terminal) == view
    assert "there is no display" in capsys.readouterr().out


def test_a_window_that_nobody_sees_is_not_chosen_unasked(seen):
    seen(None, offscreen=True)
    assert select_view(None, terminal=True) == "terminal"
    assert select_view("dashboard", terminal=True) == "dashboard"


def test_what_is_asked_for_is_done_or_refused_in_words(seen):
    seen("PyQt6 is missing")
    assert select_view("lines", terminal=True) == "lines"
    assert select_view("terminal", terminal=True) == "terminal"
    assert select_view("terminal", terminal=False) == "lines"
    with pytest.raises(RtboldError, match="PyQt6 is missing"):
        select_view("dashboard", terminal=True)
    with pytest.raises(ConfigError, match="expected one of dashboard, terminal, lines"):
        select_view("hologram", terminal=True)
