"""What scripts/bench train makes of its figures."""

import pytest
from script_packages import scripts


@pytest.fixture(scope="module")
def bench():
    with scripts("pages", "runner", "bench.run", "bench.training") as found:
        yield found


def row(bench, label, rates):
    made = bench.training.Row(label, lambda: 0.0)
    made.rates = rates
    return made


def test_a_row_is_held_against_the_first_turn_by_turn(bench):
    first = row(bench, "plain", [1.0, 2.0, 4.0])
    facts = row(bench, "ours", [3.0, 4.0, 16.0]).facts(first)
    assert facts["times"] == 3.0
    assert (facts["rate"], facts["low"], facts["high"]) == (4.0, 3.0, 16.0)


def test_the_first_turn_warms_up_and_is_not_kept(bench):
    given = iter([100.0, 5.0, 6.0])
    made = bench.training.Row("plain", lambda: next(given))
    bench.training._in_turns([made], 2)
    assert made.rates == [5.0, 6.0]


def test_the_page_has_both_tables(bench):
    rows = [
        row(bench, label, [1.0 * k, 2.0 * k]) for k, label in enumerate("abc", start=1)
    ]
    facts = [each.facts(rows[0]) for each in rows]
    found = {
        "rows": facts, "inputs": facts[:2], "waiting_share": 0.0123, "batch": 16,
        "threads": 2, "turns": 2, "steps": 3,
    }  # fmt: skip
    text = bench.pages.render("bench_train", found)
    assert "| c | **4.50** (3.00 to 6.00) | 3.00 |" in text
    assert "waited for its windows: 1.2 %." in text
    assert bench.pages.page_of("bench_train").name == "benchmarks.md"
