"""scripts/test.py: every test is run once, and every failure is told."""

import importlib.util
import itertools
import sys
from types import SimpleNamespace

import pytest
from script_packages import SCRIPTS, scripts

KINDS = ("integration", "realtime", "long", "alone", "heavy")


@pytest.fixture(scope="module")
def command():
    with scripts("environment", "docs"):
        # not by its name: Python has a package `test` of its own
        spec = importlib.util.spec_from_file_location("command", SCRIPTS / "test.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["command"] = module
        spec.loader.exec_module(module)
        yield module
        del sys.modules["command"]


def chosen(check, marks):
    """Return whether a check of pytest takes a test of these marks."""
    words = check.command
    expression = words[words.index("-m", words.index("pytest")) + 1]
    return eval(expression, {kind: kind in marks for kind in KINDS})


@pytest.mark.parametrize("long", [False, True])
def test_every_test_is_run_once(command, long, monkeypatch):
    ran = []
    monkeypatch.setattr(command.Check, "run", lambda self, _=None: ran.append(self))
    options = SimpleNamespace(long=long, fast=False, pytest_args=[])
    python = SCRIPTS / "python"
    command.unit_tests(python, options).run()
    command.clocked_tests(python, options)
    if long:
        command.long_alone(python)
    tests = [check for check in ran if "pytest" in check.command]
    assert len(tests) == (6 if long else 4)
    for n in range(len(KINDS) + 1):
        for marks in itertools.combinations(KINDS, n):
            if "alone" in marks and not {"long", "integration"} <= set(marks):
                continue  # `alone` says how a long test with sockets is run
            left_out = "long" in marks and not long
            assert sum(chosen(check, marks) for check in tests) == (not left_out), marks


@pytest.mark.integration
def test_what_runs_beside_is_told_in_one_piece_with_its_failure(command, capfd):
    words = [
        command.Check("good", [sys.executable, "-c", "print('well')"]),
        command.Check(
            "bad", [sys.executable, "-c", "print('ill'); raise SystemExit(3)"]
        ),
        command.Check(
            "nothing", [sys.executable, "-c", "raise SystemExit(5)", "pytest"]
        ),
    ]
    beside = command.Beside(words)
    assert beside.finish() == [True, False, True]
    said = capfd.readouterr().out.splitlines()
    assert said[0].endswith("told after it: good, bad, nothing")
    assert said[1:3] == ["== good", "well"]
    assert said[3].startswith("== good: passed, ")
    assert said[4:6] == ["== bad", "ill"]
    assert said[6].startswith("== bad: FAILED (exit 3), ")
    assert said[8].startswith("== nothing: passed")
