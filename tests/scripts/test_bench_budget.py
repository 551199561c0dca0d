"""What scripts/bench does when time is up."""

import pytest
from script_packages import scripts


@pytest.fixture(scope="module")
def module():
    with scripts("bench.budget") as found:
        yield found.budget


class Timer:
    """Calls what it was given when the test says so."""

    made = None

    def __init__(self, seconds, function):
        self.seconds, self.function, self.cancelled = seconds, function, False
        Timer.made = self

    def start(self):
        assert self.daemon  # it keeps no process alive

    def cancel(self):
        self.cancelled = True


class Clock:
    def __init__(self):
        self.t_s = 50.0

    def __call__(self):
        return self.t_s


def budget_of(module, said, clock=None):
    return module.Budget(100.0, now_s=clock or Clock(), say=said.append, timer=Timer)


def time_is_up(monkeypatch, module):
    def interrupt():
        raise KeyboardInterrupt  # what the interpreter does in the main thread

    monkeypatch.setattr(module._thread, "interrupt_main", interrupt)
    Timer.made.function()


def test_every_step_is_said_and_all_of_them_are_kept(module):
    said, clock = [], Clock()

    def first():
        clock.t_s += 30.0
        yield "a table"
        yield "a row"

    steps = {"one": first, "two": lambda: iter(["a sentence"])}
    parts, unfinished = module.finished(steps, budget_of(module, said, clock))
    assert parts == ["a table", "a row", "a sentence"]
    assert unfinished == []
    assert [line.strip() for line in said] == ["0 s of 100: one", "30 s of 100: two"]
    assert Timer.made.seconds == 100.0
    assert Timer.made.cancelled


def test_what_was_finished_when_time_is_up_stays_and_the_rest_is_named(
    module, monkeypatch
):
    def slow():
        yield "its first table"
        time_is_up(monkeypatch, module)
        yield "never"

    steps = {"one": lambda: iter(["a table"]), "two": slow, "three": lambda: iter(())}
    parts, unfinished = module.finished(steps, budget_of(module, []))
    assert parts[:-1] == ["a table", "its first table"]
    assert parts[-1].startswith("Not finished within 100 s")
    assert parts[-1].endswith("two, three.")
    assert unfinished == ["two", "three"]


def test_ctrl_c_is_no_end_of_the_budget(module):
    def step():
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        module.finished({"one": step}, budget_of(module, []))
    assert Timer.made.cancelled


def test_what_would_not_fit_is_said(module):
    said, clock = [], Clock()
    budget = budget_of(module, said, clock)
    assert budget.lasts(99.0, "int8")
    assert said == []
    clock.t_s += 40.0
    assert budget.left_s() == 60.0
    assert not budget.lasts(60.0, "int8")
    assert "int8: left out, it may take 60 s" in said[0]


def test_an_interrupt_that_is_swallowed_comes_again(module, monkeypatch):
    calls = []

    def interrupt():
        calls.append("interrupt")
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "AGAIN_S", 0.0)
    monkeypatch.setattr(module._thread, "interrupt_main", interrupt)

    def slow():
        Timer.made.function()
        yield "never"

    _, unfinished = module.finished({"one": slow}, budget_of(module, []))
    assert unfinished == ["one"]
    assert len(calls) == 2
