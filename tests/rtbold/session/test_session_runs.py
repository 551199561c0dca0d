"""What a session says of its runs and of their TR; parts that are open to nothing."""

from types import SimpleNamespace

import numpy as np
import pipeline_rig as rig
import pytest
from session_rig import Rig, train

from rtbold.errors import StreamMismatch
from rtbold.publish.wire import Log, Phase, PredRoi, Trigger


def test_another_tr_in_mid_run_pauses_says_so_and_ends_nothing():
    it = Rig().hear(train(8))  # early, but the TR was right
    it.hear(train(6, 3.0, after_s=rig.T0_S + 8 * rig.TR_S))
    (found,) = [text for level, text in it.said if level == "error"]
    assert found.startswith("paused: triggers come every 3 s, expected 2.1 s")
    assert it.session._state() == "paused"
    newest = it.feed.of(PredRoi)[-1]
    assert (newest.status, newest.reasons) == ("paused", ("tr_changed",))


def test_back_at_the_old_tr_it_goes_on_by_itself():
    it = Rig().hear(train(8))
    it.hear(train(6, 3.0, after_s=rig.T0_S + 8 * rig.TR_S))
    it.hear(train(5, after_s=rig.T0_S + 8 * rig.TR_S + 18.0))
    texts = [text for _, text in it.said]
    assert sum("at the expected TR again" in text for text in texts) == 1
    assert sum("of the scanner began; values come" in text for text in texts) == 2
    assert it.session._state() == "running"
    reasons = {reason for m in it.feed.of(PredRoi) for reason in m.reasons}
    assert "operator_pause" not in reasons


@pytest.mark.parametrize("tr_s", [1.0, 1.5, 2.0, 2.14, 3.0])
def test_another_tr_from_the_start_is_refused(tr_s):
    with pytest.raises(StreamMismatch, match=rf"every {tr_s:g} s, expected 2\.1 s"):
        Rig().hear(train(8, tr_s))


def test_every_second_trigger_may_be_lost():
    with pytest.raises(StreamMismatch, match="2 TRs apart because triggers are lost"):
        Rig().hear(train(8, 2 * rig.TR_S))


def test_a_stray_trigger_is_told_and_has_no_number():
    it = Rig().hear(np.sort([*train(6), rig.T0_S + 3.6 * rig.TR_S]))
    told = [(m.kind, m.volume_index) for m in it.feed.of(Trigger)]
    assert told == [("volume", 0), ("volume", 1), ("volume", 2), ("double", None),
                    ("volume", 3), ("volume", 4), ("volume", 5)]  # fmt: skip


def test_the_kind_of_the_run_is_told_first_again_and_at_its_end():
    it = Rig(kind="transfer", run_number=3)
    it.feed.sent.clear()
    it.session._watch = SimpleNamespace(look=lambda: None, take=lambda _: None)

    def events(timeout_s, *, gather):
        it.clock.advance(timeout_s)
        return ()

    it.session._parts.acquisition.events = events
    it.session.run(12.0)
    told = it.feed.of(Phase)
    assert next(m for m in it.feed.sent if not isinstance(m, Log)) is told[0]
    assert {(m.run, m.run_type, m.t_on) for m in told} == {(3, "transfer", rig.T0_S)}
    assert [m.name for m in told] == ["transfer"] * 3 + ["end"]
    assert told[0].t_off_planned == rig.T0_S + 12
