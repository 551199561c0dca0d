"""A session with measured BOLD: the twin's, paired while it runs, and replayed."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from loop import PATIENCE_S, Listener, free_ports, new_name, session, twin

from rtbold.bundle.store import load
from rtbold.cli import main
from rtbold.messages import MeasuredVolume
from rtbold.predict.pipeline import Pipeline
from rtbold.record.events_read import session_events
from rtbold.session.replay import recorded_engine, recorded_session
from rtbold.session.truth import SessionTruth

pytestmark = [pytest.mark.integration, pytest.mark.realtime]
SECONDS = 60.0
TOPICS = ("hello", "pred.roi", "pred.fb", "trigger", "truth")
ENVELOPE = ("schema", "session", "seq", "t_lsl", "t_unix_ms", "replayed")


@dataclass
class Measured:
    """What a subscriber got, what the session said, and what was recorded."""

    truth: list
    predicted: list
    triggers: list
    said: str
    xdf: object


def with_truth(root):
    name, ports, bundle = new_name("truth"), free_ports(), load("demo")
    options = {
        "record": root / "rec",
        "duration": SECONDS,
        "truth": f"lsl:{name}-bold",
    }
    with (
        Listener(ports[0], TOPICS) as listener,
        twin(name, duration_s=SECONDS + PATIENCE_S, level="easy"),
        session(bundle, name, ports, **options) as running,
    ):
        listener.while_running(running, SECONDS + 3 * PATIENCE_S)
        assert running.wait(1) == 0, running.said()
        said = running.said()
    (xdf,) = (root / "rec").rglob("*_eeg.xdf")
    of = listener.of
    return Measured(of("truth"), of("pred.roi"), of("trigger"), said, xdf)


TOGETHER = {with_truth: SECONDS}


@pytest.fixture
def measured(together):
    return together(with_truth)


def test_each_volume_is_paired_with_its_own_prediction_and_trigger(measured):
    predictions = {m["volume_index"]: m for m in measured.predicted}
    triggers = {m["volume_index"]: m["t_trigger"] for m in measured.triggers}
    indices = [m["volume_index"] for m in measured.truth]
    assert indices == list(range(indices[0], indices[-1] + 1))
    assert len(indices) >= (SECONDS - PATIENCE_S / 2) / 2.1
    n_paired = 0
    for message in measured.truth:
        index = message["volume_index"]
        assert message["t_volume"] == pytest.approx(triggers[index], abs=1e-3)
        # never before the volume after it began, for so the twin sends it
        assert message["t_lsl"] > triggers[index] + 2.0
        values = predictions[index]["values"]
        n_paired += values is not None
        expected = [None] * 64 if values is None else values
        assert message["predicted"] == pytest.approx(expected)
        assert all(v is not None for v in message["values"])
    assert n_paired >= 8


def test_with_few_volumes_it_says_not_enough(measured):
    for message in measured.truth:
        for score in (*message["scores"], message["target_score"]):
            assert (score["r"] is None) == (score["n_eff"] < message["enough_n_eff"])
    assert measured.truth[0]["target_score"]["n"] == 0


def test_the_log_names_what_is_measured_and_the_score_after_the_run(measured):
    assert "measured BOLD: 64 of the model's ROIs" in measured.said
    assert "expected the same moment" not in measured.said
    assert "after the run" in measured.said or "after it" in measured.said


def test_verify_finds_predictions_feedback_and_truth_identical(measured, capsys):
    assert main(["verify", str(measured.xdf.parent), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "identical"
    assert found["n_compared"]["truth"] == len(measured.truth) >= 8
    assert found["n_compared"]["pred.fb"] == len(measured.predicted)


def test_the_recording_gives_the_same_messages_again(measured):
    """The event log holds the measured volumes; a replay pairs them as the session."""
    bundle = load("demo")
    found = recorded_session(measured.xdf)
    values = {m["volume_index"]: m["values"] for m in measured.predicted}
    given = iter(values[k] for k in sorted(v for v in values if v is not None))

    def model(eeg_uv):
        published = next(v for v in given if v is not None)
        return np.array([published], np.float32)

    assert recorded_engine(measured.xdf) is not None
    pipeline = Pipeline(bundle.card, model, found.settings)
    truth = SessionTruth(bundle.card, bundle.card.rois[0], tr_s=pipeline.tr_s)
    again, n_events = [], 0
    for event in session_events(measured.xdf):
        for prediction in pipeline.push(event):
            truth.predicted(prediction)
        if isinstance(event, MeasuredVolume):
            n_events += 1
            again.append(truth.measured(event, say=lambda level, text: None))
    assert n_events == len(measured.truth)
    for message, published in zip(again, measured.truth, strict=True):
        assert message.volume_index == published["volume_index"]
        assert list(message.values) == published["values"]
        assert list(message.predicted) == published["predicted"]
        assert [s.r for s in message.scores] == [s["r"] for s in published["scores"]]
