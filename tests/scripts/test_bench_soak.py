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
    values = np.random.default_rng(4).standard_normal((2, N, 3))  # two places
    return TR_S * np.arange(N), values


def run(bench, expected, statuses=None):
    """Return what a subscriber saw of a session that was right all along."""
    found = bench.soak.Found()
    for at, onset_s in enumerate(expected[0].tolist()):
        row = expected[1][at % 2, at].tolist()  # right at either place of the grid
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
    found.predictions[20] = (t_s, came_s, status, found.predictions[19][3])
    told = bench.soak.judged(found, expected)
    assert (told["n_wrong_ok"], told["n_repeated"]) == (1, 1)
    assert told["worst_ok_sd"] > bench.soak.SAME_SD


@pytest.mark.parametrize(("rate_hz", "places"), [(250, 5), (200, 1), (5000, 25)])
def test_the_grid_has_so_many_places_on_the_samples(bench, rate_hz, places):
    assert bench.soak.grid_places(rate_hz) == places


@pytest.mark.heavy
def test_the_truth_is_that_of_the_file_at_every_place_of_the_grid(bench, tmp_path):
    plan = bench.soak.SoakPlan(minutes=0.0, model="demo-ridge")
    onsets_s, values = bench.soak.truth(plan, tmp_path)
    assert values.shape == (5, len(onsets_s), 64)
    known = np.isfinite(values).all(axis=(0, 2))
    assert known.sum() > 30
    sd = values[0, known].std(axis=0)
    apart = np.abs(values[1:, known] - values[0, known]) / sd
    assert 0 < np.median(apart) < 0.05  # the same windows, a little moved


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
