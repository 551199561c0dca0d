"""The dashboard's benchmark runs; what it measures is for docs/data/benchmarks.md."""

from dataclasses import asdict

import pytest
from script_packages import scripts


@pytest.fixture(scope="module")
def bench():
    with scripts("pages", "bench.gui", "bench.gui_loop") as found:
        yield found


def four(value):
    return {"p50": value, "p95": 2 * value, "p99": 3 * value, "max": 4 * value}


def figures(bench):
    loop = bench.gui_loop
    off, on = [10.0] * 20, [11.0] * 20
    blocks = [loop.Block(bool(n % 2), on if n % 2 else off, 0.07) for n in range(4)]
    frame = {
        "look": "usual", "channels": 64, "n": 300, "wall_ms": four(2.0),
        "cpu_ms": four(1.5), "n_over_33_ms": 3,
    }  # fmt: skip
    return {
        "plan": asdict(bench.gui.GuiPlan()),
        "frames": [frame],
        "cpu": [{"channels": 64, "page": "session", "share": 0.0712}],
        "pixels": {"speed": 10.0, "n": 100, "ms": four(12.0)},
        "loop": loop.compared(blocks),
    }


def test_with_is_held_against_without(bench):
    loop = bench.gui_loop
    blocks = [
        loop.Block(False, [10.0, 10.0, 20.0]), loop.Block(True, [11.0, 11.0, 22.0]),
        loop.Block(False, [10.0, 10.0, 20.0]), loop.Block(True, [12.0, 12.0, 24.0]),
    ]  # fmt: skip
    found = loop.compared(blocks)
    assert (found["without"]["n"], found["with"]["n"]) == (6, 6)
    assert found["without"]["max"] == 20
    assert found["ratio"]["p50"] == pytest.approx(1.2)
    assert found["p50_ratio_of_each_pair"] == [1.1, 1.2]
    assert found["blocks"][1]["with_dashboard"]


def test_the_interval_of_a_ratio_is_that_of_its_pairs(bench):
    loop = bench.gui_loop
    usual = [10.0] * 99 + [20.0]
    pairs = [
        (loop.Block(False, usual), loop.Block(True, [factor * ms for ms in usual]))
        for factor in (1.0, 1.0, 1.2, 1.2)
    ]
    low, high = loop.p99_interval(pairs)
    assert 1.0 <= low < 1.2 == pytest.approx(high)
    assert loop.p99_interval(pairs[:2]) == [1.0, 1.0]


def test_the_section_says_everything_in_tables(bench):
    text = bench.pages.render("bench_gui", figures(bench))
    assert text.startswith("### Dashboard")
    for words in (
        "| 64 channels, usual | 300 | 2.0 | **4.0** | 6.0 | 8.0 | 3 | 1.5 | 3.0 ",
        "| 64 | session | **0.071** |",
        "p50 12.0 ms, p95 **24.0 ms**",
        "p99 **1.10** (90 % lie in 1.10 to 1.10",
        "of each pair of turns, p99 1.10, 1.10",
    ):
        assert words in text
    widths = {}
    for line in text.splitlines():
        if line.startswith("|"):
            widths.setdefault(line.count("|"), []).append(line)
    assert all(len(lines) >= 3 for lines in widths.values()), "no row is ragged"


def test_turns_are_in_pairs_and_triggers_on_the_twins_chunks(bench):
    plan = bench.gui_loop.LoopPlan()
    assert plan.n_blocks % 2 == 0
    assert plan.n_blocks / 2 * plan.block_s / plan.tr_s >= 500, "for a p99"
    assert plan.tr_s / 0.05 == pytest.approx(round(plan.tr_s / 0.05))


@pytest.mark.integration
def test_windows_on_a_fake_session_are_timed(bench):
    gui = bench.gui
    with gui.fake(64) as feed:
        look = gui.Look("9 ROIs over 60 min", 64, gui.FULL)
        plan = gui.GuiPlan(frames_s=0.5, warm_up_s=0.2)
        frames = gui._one_look(plan, feed, look)
    assert frames["n"] > 0  # how many depends on the machine
    assert 0 < frames["cpu_ms"]["p50"] <= frames["cpu_ms"]["max"]


@pytest.mark.integration
def test_a_prediction_is_followed_to_the_pixel(bench):
    gui = bench.gui
    with gui.fake(26, speed=20.0) as feed:
        found = gui._pixels(gui.GuiPlan(n_predictions=3, speed=20.0), feed)
    assert found["n"] >= 3
    assert 0 < found["ms"]["p50"] < 5000


def test_a_feed_that_is_not_there_is_said(bench):
    with pytest.raises(RuntimeError, match="the window did not show channels"):
        bench.gui._expect(False, "channels", {"status": None, "wall_ms": [1]})
