import threading

import pytest

from rtbold.clock import HandCrankedClock
from rtbold.publish.feed import FeedStopped, Outbox, Stamp
from rtbold.publish.wire import Bye, Log, Phase


def phase(block=1):
    return Phase(run=1, run_type="rest", block=block, name="x", t_on=0.0,
                 t_off_planned=None)  # fmt: skip


def log(text="x"):
    return Log(level="info", text=text)


def outbox(clock=None, **bounds):
    clock = clock or HandCrankedClock(50.0)
    return Outbox(Stamp("s1", clock.now_s, lambda: 1.5), **bounds)


def taken(box):
    return list(iter(box.take, None))


def test_envelope_is_stamped_when_published_not_when_sent():
    clock = HandCrankedClock(50.0)
    box = outbox(clock)
    box.put(phase())
    clock.advance(3.0)
    (message,) = taken(box)
    assert (message.session, message.seq, message.t_lsl) == ("s1", 0, 50.0)
    assert (message.t_unix_ms, message.replayed) == (1500.0, False)


def test_seq_counts_per_topic():
    box = outbox()
    for message in (phase(), log(), phase(), log(), phase()):
        box.put(message)
    assert [(m.topic, m.seq) for m in taken(box)] == [
        ("phase", 0), ("phase", 1), ("phase", 2), ("log", 0), ("log", 1),
    ]  # fmt: skip


def test_full_optional_queue_drops_its_oldest_and_shows_it():
    box = outbox(n_optional=2)
    for text in "abcd":
        box.put(log(text))
    assert box.n_dropped == 2
    assert [(m.text, m.seq) for m in taken(box)] == [("c", 2), ("d", 3)]


def test_predictions_are_never_dropped_for_a_flood_of_the_rest():
    box = outbox(n_vital=3, n_optional=2)
    for block in range(3):
        box.put(phase(block))
        for text in "abcd":
            box.put(log(text))
    assert [m.block for m in taken(box)[:3]] == [0, 1, 2]


def test_full_vital_queue_raises_and_drops_nothing():
    box = outbox(n_vital=2)
    box.put(phase(0))
    box.put(phase(1))
    with pytest.raises(FeedStopped, match=r"2 unsent messages.*Restart"):
        box.put(phase(2))
    assert [m.block for m in taken(box)] == [0, 1]


def test_closed_outbox_ends_with_its_last_message():
    box = outbox()
    box.put(phase())
    assert box.close(Bye())
    assert not box.put(phase())
    assert not box.close(Bye())
    assert [m.topic for m in taken(box)] == ["phase", "bye"]


def test_many_publishers_leave_no_gap_in_seq():
    box = outbox(n_vital=1000)

    def publish():
        for block in range(200):
            box.put(phase(block))

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [m.seq for m in taken(box)] == list(range(800))
