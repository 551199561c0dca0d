from rtbold.bridge.news import Line
from rtbold.bridge.outbox import MOST_WAITING, Outbox


def lines(topic, n, first=0):
    return [Line(topic, f"{topic} {k}") for k in range(first, first + n)]


def test_a_client_that_reads_gets_every_line_in_order():
    outbox = Outbox(("hb", "pred.fb"))
    outbox.put([*lines("hb", 2), *lines("pred.fb", 1), *lines("hb", 1, first=2)])
    assert [line.text for line in outbox.take()] == [
        "hb 0", "hb 1", "pred.fb 0", "hb 2",
    ]  # fmt: skip
    assert outbox.take() == []
    assert outbox.n_skipped == 0


def test_a_client_gets_the_topics_that_it_asked_for():
    outbox = Outbox(("hb",))
    outbox.put([*lines("eeg", 5), *lines("hb", 1)])
    assert [line.topic for line in outbox.take()] == ["hb"]


def test_of_a_slow_client_the_newest_of_each_topic_stay():
    outbox = Outbox(("hb", "pred.fb"))
    for k in range(10 * MOST_WAITING):
        outbox.put([*lines("hb", 1, first=k), *lines("pred.fb", 1, first=k)])
        assert len(outbox) <= MOST_WAITING
    taken = outbox.take()
    last = 10 * MOST_WAITING - 1
    assert [line.text for line in taken][-2:] == [f"hb {last}", f"pred.fb {last}"]
    assert len(taken) + outbox.n_skipped == 20 * MOST_WAITING
