"""What a soak says of values that are known."""

import numpy as np
import pytest
from script_packages import scripts

TR_S = 2.1
N = 40
BEGUN_S = 5000.0  # on LSL's clock; the file begins at 0


@pytest.fixture(scope="module")
def bench():
    with scripts("bench.soak", "bench.echo", "pages") as found:
        yield found


@pytest.fixture
def expected():
    values = np.random.default_rng(4).standard_normal((N, 3))
    return (TR_S * np.arange(N)).tolist(), values.tolist()


def run(bench, expected, statuses=None):
    """Return what a subscriber saw of a session that was right all along."""
    found = bench.soak.Found()
    for at, (onset_s, row) in enumerate(zip(*expected, strict=True)):
        status = (statuses or {}).get(at, "ok")
        values = row if status in ("ok", "degraded") else None
        t_s = BEGUN_S + onset_s
        found.predictions.append((t_s, t_s + 0.13, status, values))
        found.beats_s += [t_s, t_s + 0.5]
        found.looks.append((onset_s, 160.0 + at % 2, 35, 105))
    return found


def test_a_session_that_was_right_has_nothing_wrong(bench, expected):
    found = bench.soak.judged(
        run(bench, expected, {3: "warmup", 9: "degraded"}), expected
    )
    assert (found["n_volumes"], found["n_missed"], found["n_doubled"]) == (N, 0, 0)
    assert (found["n_ok"], found["n_degraded"]) == (N - 2, 1)
    assert (found["n_wrong_ok"], found["n_repeated"]) == (0, 0)


def test_a_value_of_the_window_before_is_wrong(bench, expected):
    found = run(bench, expected)
    t_s, came_s, status, _ = found.predictions[20]
    found.predictions[20] = (t_s, came_s, status, expected[1][19])
    told = bench.soak.judged(found, expected)
    assert (told["n_wrong_ok"], told["n_repeated"]) == (1, 1)
    assert told["worst_ok_sd"] > bench.soak.SAME_SD


def test_missed_and_doubled_volumes_are_counted_and_a_fault_beside_is_named(
    bench, expected
):
    found = run(bench, expected)
    del found.predictions[30]
    del found.predictions[10]
    found.predictions.insert(5, found.predictions[5])
    found.faults = [(BEGUN_S + 30 * TR_S, "inlet killed")]
    told = bench.soak.judged(found, expected)
    assert (told["n_missed"], told["missed_near_fault"], told["n_doubled"]) == (2, 1, 1)


def test_the_page_says_what_was_wrong(bench, expected):
    found = run(bench, expected, {3: "invalid"})
    found.faults = [(BEGUN_S, "inlet killed")]
    plan = bench.soak.SoakPlan(minutes=2, seed=7)
    told = bench.soak.figures(plan, found, expected, "40 volumes")
    text = bench.pages.render("bench_soak", told)
    assert "1 faults at random (seed 7): inlet killed 1 times." in text
    assert f"| {N} | **0** | 0 | **0** | **0** | {N - 1} | **0** |" in text
    assert "| handles | 105.0 | 105.0 | 105.0 |" in text


def test_the_echo_of_a_sample_is_the_first_message_that_holds_it(bench):
    newest_s, received_s = [1.0, 1.05, 1.1], [1.01, 1.06, 1.11]
    first_with = bench.echo.first_with
    assert first_with(newest_s, received_s, 1.02) == 1.06
    assert first_with(newest_s, received_s, 1.05) == 1.06
    assert first_with(newest_s, received_s, 1.2) is None
