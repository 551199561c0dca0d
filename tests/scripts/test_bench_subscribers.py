"""What the bench of many subscribers makes of latencies."""

import pytest
from script_packages import scripts


@pytest.fixture(scope="module")
def bench():
    with scripts("bench.subscribers", "pages") as found:
        yield found


def test_a_row_says_what_the_others_add_at_p99(bench):
    told = bench.subscribers.row("ZMQ", [1.0] * 100, [1.0] * 50 + [3.0] * 50)
    assert told["added_p99_ms"] == pytest.approx(2.0)
    assert (told["n"], told["max_ms"], told["median_alone_ms"]) == (100, 3.0, 1.0)


def test_the_page_tells_both_witnesses_and_the_memory(bench):
    rows = [bench.subscribers.row(name, [1.0], [2.5]) for name in ("ZMQ", "WebSocket")]
    found = {
        "n_zmq": 300, "n_websocket": 50, "every_s": 0.25, "n_read": 7, "rows": rows,
        "memory": [{"who": "feed", "alone_mb": 60.0, "beside_mb": 61.4}],
    }  # fmt: skip
    text = bench.pages.render("bench_subscribers", found)
    assert "| ZMQ | 1.00, 1.00, 1.00 | 2.50, 2.50, 2.50 | **1.50** | 1 |" in text
    assert "feed 60 and 61 MB." in text
