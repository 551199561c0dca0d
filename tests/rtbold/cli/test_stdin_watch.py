import subprocess
import sys
import threading
import time

import pytest

from rtbold.cli import main, process as stdin_watch
from rtbold.cli.process import OPTION, wait_for_end


def test_what_comes_is_thrown_away_until_nothing_can_come():
    said = iter([b"some", b"thing", b""])
    wait_for_end(lambda fd, n: next(said))
    assert next(said, None) is None


def test_no_standard_input_is_its_end():
    def closed(fd, n):
        raise OSError(9, "Bad file descriptor")

    wait_for_end(closed)


def test_the_option_is_for_every_command_and_none_of_them_sees_it(monkeypatch, capsys):
    begun = []
    monkeypatch.setattr(stdin_watch, "end_with_stdin", lambda: begun.append(1))
    assert main(["streams", "--help"]) == 0
    assert not begun
    assert main(["streams", "--help", OPTION]) == 0
    assert begun
    assert "--wait" in capsys.readouterr().out


def test_it_asks_first_and_then_ends_what_hangs(monkeypatch):
    told = []
    monkeypatch.setattr(stdin_watch, "wait_for_end", lambda: told.append("closed"))
    monkeypatch.setattr(stdin_watch, "_interrupt", lambda: told.append("asked"))
    monkeypatch.setattr(stdin_watch.time, "sleep", told.append)
    monkeypatch.setattr(stdin_watch.os, "_exit", lambda code: told.append(f"{code}!"))
    stdin_watch.end_with_stdin()
    for thread in threading.enumerate():
        if thread.name == "rtbold-stdin":
            thread.join(5)
    assert told == ["closed", "asked", stdin_watch.POLITE_S, "1!"]


@pytest.mark.integration
def test_a_command_ends_with_its_input_and_not_before():
    command = [sys.executable, "-m", "rtbold", "streams", "--wait", "60", OPTION]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    begun_s = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(3)
    process.communicate(timeout=30)
    assert time.monotonic() - begun_s < 40
    assert process.returncode != 0


@pytest.mark.integration
def test_a_command_that_is_done_does_not_wait_for_its_input():
    command = [sys.executable, "-m", "rtbold", "models", "--help", OPTION]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.wait(30) == 0
    process.communicate()
