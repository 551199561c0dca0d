"""A real session of a run without feedback: nobody who subscribes shows its values."""

import time

import pytest
from loop import PATIENCE_S, free_ports, new_name, session, twin

from rtbold.bundle.store import load
from rtbold.client import Subscriber

pytestmark = [pytest.mark.integration, pytest.mark.realtime]
LATE_S = 5.0


def shown(feed, condition, limit_s):
    """Poll until `condition()`; return what `feedback` said on the way."""
    end_s, seen = time.monotonic() + limit_s, set()
    while not condition():
        assert time.monotonic() < end_s, seen
        feed.poll(0.02)
        feedback = feed.feedback()
        seen.add((feedback.show, feedback.reasons))
    return seen


def test_a_transfer_run_is_neutral_for_all_and_for_who_joins_in_the_middle():
    name, ports, bundle = new_name("kind"), free_ports(), load("demo-ridge")
    address = f"tcp://127.0.0.1:{ports[0]}"
    with (
        twin(name, duration_s=4 * PATIENCE_S, rate=250),
        session(bundle, name, ports, kind="transfer", run=3) as running,
        Subscriber(address) as early,
    ):

        def usable():
            assert running.running, running.said()
            newest = early.latest.get("pred.fb")
            return newest is not None and newest.body["value"] is not None

        seen = shown(early, usable, 2 * PATIENCE_S)
        assert {show for show, _ in seen} == {"neutral"}
        assert early.feedback().reasons == ("no_feedback_run",)
        with Subscriber(address) as late:
            begun_s = time.monotonic()
            seen = shown(late, lambda: time.monotonic() - begun_s > LATE_S, PATIENCE_S)
            assert {show for show, _ in seen} == {"neutral"}
            phase = late.latest["phase"].body
            assert (phase["run"], phase["run_type"]) == (3, "transfer")
