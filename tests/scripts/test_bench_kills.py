"""What the kills bench says of records that are known."""

import json

import pytest
from script_packages import scripts


@pytest.fixture(scope="module")
def bench():
    with scripts("bench.kills", "pages") as found:
        yield found


def line(topic, t_end):
    return json.dumps({"topic": topic, "window": {"t_end": t_end}}) + "\n"


def test_what_was_heard_and_is_not_in_the_record_is_missing(bench, tmp_path):
    cut_off = line("pred.roi", 20.4)[:-5]
    text = line("pred.roi", 16.2) + line("truth", 1.0) + line("pred.fb", 16.2) + cut_off
    (tmp_path / "published.jsonl").write_text(text, "utf-8")
    heard = {("s", "pred.roi", 16.2), ("s", "pred.fb", 16.2), ("s", "pred.roi", 20.4)}
    assert bench.kills.missing(heard, tmp_path) == {("s", "pred.roi", 20.4)}


def test_the_page_tells_what_was_lost_and_who_did_not_come_back(bench):
    killed = bench.kills.Killed
    done = [
        killed("session", 30, 0, 0.2, 18.0),
        killed("session", 20, 2, 0.4, None, "no trigger"),
        killed("recorder", 40, 0, 0.1, 1.5),
    ]
    plan = bench.kills.KillsPlan(kills=3, seed=9)
    told = bench.pages.render("bench_kills", bench.kills.figures(plan, done))
    assert "| session | 2 | 50 | **2** | 0.40 | 1 | 18.0 |" in told
    assert "| recorder | 1 | 40 | **0** | 0.10 | 1 | 1.5 |" in told
    assert "3 SIGKILLs" in told
    assert "seed 9" in told
    assert told.rstrip().endswith("and said: no trigger")
