import pytest

from rtbold.cli import main, process as display


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--theme", "pink"], "--theme is 'pink', expected one of dark, light"),
        (["--participant", "rocket"], "thermometer, circle, trace"),
        (["--text-scale", "5"], "--text-scale is 5.0, expected 0.7 to 2"),
        (["--control", "tcp://a:1"], "without --connect"),
        (["--connect", "http://a"], "expected tcp://HOST:PORT"),
        (["--connect", "a", "--server-key", "k"], "expected both"),
    ],
)
def test_wrong_use_is_said_and_opens_nothing(capsys, monkeypatch, arguments, said):
    monkeypatch.setattr(display, "why_no_window", lambda: None)
    assert main(["gui", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_without_a_display_it_says_so(capsys, monkeypatch):
    trouble = display.why_no_window({}, "linux", installed=lambda: True)
    monkeypatch.setattr(display, "why_no_window", lambda: trouble)
    assert main(["gui"]) == 1
    assert "there is no display" in capsys.readouterr().err
