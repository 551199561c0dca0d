import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given, strategies as st

from rtbold.bundle.card import Baseline, Card, Origin
from rtbold.config import FeedbackSettings
from rtbold.feedback.chain import FeedbackChain
from rtbold.messages import BoldPrediction, Tick
from rtbold.publish.compose import (
    Moments,
    SessionFacts,
    hello,
    pred_fb,
    pred_roi,
    roi_hash,
    run_phase,
)
from rtbold.publish.wire import Ports, encode

SCHEMAS = Path(__file__).resolve().parents[3] / "rtbold" / "schemas"
CARD = Card(
    name="b", architecture="none", channels=("Cz",), reference="Pz", tr_s=2.1,
    rois=("first", "second"), scanner="unknown", horizon_tr=1,
    baseline=Baseline(mean=(0.0, 0.0), sd=(1.0, 2.0), n=100),
    origin=Origin(kind="group", simulated_lineage=False),
)  # fmt: skip
MOMENTS = Moments(t_pipeline_s=100.1, t_predicted_s=100.12, t_publish_s=100.121)
TARGET = FeedbackSettings(target="first")
FACTS = SessionFacts(
    model_sha256="ab" * 32, simulated_stream=False, ports=Ports(feed=5580), tr_s=2.0
)


def prediction(values=(0.42, -1.0), status="ok", reasons=(), index=7, **changes):
    fields = {
        "tick": Tick(index, 100.0, True), "t_start_s": 84.0, "t_end_s": 100.0,
        "bold_time_s": 102.1, "status": status, "reasons": reasons,
        "values": None if values is None else np.array(values, np.float32),
        "next_due_s": 102.1, "t_needed_s": 100.0, "t_needed_arrived_s": 100.09,
        "infer_ms": 13.0,
    }  # fmt: skip
    return BoldPrediction(**{**fields, **changes})


def both(given):
    feedback = FeedbackChain(TARGET, CARD).push(given, None)
    return pred_roi(given, CARD, MOMENTS), pred_fb(
        given, CARD, MOMENTS, feedback=feedback
    )


def assert_fits(message):
    body = json.loads(encode(message))
    schema = json.loads((SCHEMAS / f"{message.topic}.1.json").read_text())
    jsonschema.validate(body, schema)


def test_both_messages_of_a_tick_speak_of_the_same_volume():
    roi, fb = both(prediction())
    assert (roi.volume_index, roi.window, roi.bold_time) == (
        fb.volume_index, fb.window, fb.bold_time,
    )  # fmt: skip
    assert (roi.values, roi.values_z) == ((0.42, -1.0), (0.42, -0.5))
    assert (fb.value, fb.horizon_tr, fb.model_origin) == (0.42, 1, "group")
    assert roi.roi_hash == roi_hash(CARD.rois)


def test_age_and_latency_are_what_passed():
    _, fb = both(prediction())
    assert fb.age_ms == 121.0
    stages = fb.latency_ms
    assert (stages.acquire, stages.prepare, stages.infer, stages.publish) == (
        100.0, 7.0, 13.0, 1.0,
    )  # fmt: skip
    assert stages.arrive == 90.0  # of the 100 ms to the pipeline
    assert stages.upstream is None


def test_what_did_not_run_has_no_latency():
    given = prediction(None, "invalid", ("no_data",), t_needed_s=None, infer_ms=None)
    _, fb = both(given)
    assert (fb.latency_ms.acquire, fb.latency_ms.infer) == (None, None)
    assert (fb.latency_ms.arrive, fb.latency_ms.prepare) == (None, None)
    _, fb = both(prediction(t_needed_arrived_s=None))  # too long ago to be known
    assert (fb.latency_ms.arrive, fb.latency_ms.acquire) == (None, 100.0)


def test_before_the_first_trigger_there_is_neither_volume_nor_trigger():
    given = prediction(None, "paused", ("waiting_for_scanner",), index=None)
    for message in both(given):
        assert (message.volume_index, message.t_trigger) == (None, None)
        assert_fits(message)


def test_simulated_model_shows_rois_and_feeds_nothing_back():
    roi, fb = both(prediction(status="degraded", reasons=("simulated_model",)))
    assert (roi.values, roi.status) == ((0.42, -1.0), "degraded")
    assert (fb.value, fb.status) == (None, "invalid")
    assert roi.reasons == fb.reasons == ("simulated_model",)


def test_nan_never_leaves():
    for message in both(prediction(values=(0.1, np.nan))):
        assert (message.status, message.reasons) == ("invalid", ("nonfinite",))
        assert b"NaN" not in encode(message)
        assert_fits(message)
    assert both(prediction(values=(0.1, np.nan)))[0].values is None


def test_hello_says_what_the_session_runs_at():
    said = hello(CARD, FACTS, settings=TARGET)
    assert (said.tr_s, said.rois, said.target) == (2.0, CARD.rois, "first")
    assert said.upstream_delay_ms is None
    assert_fits(said)


def test_roi_hash_depends_on_names_and_order():
    assert roi_hash(("a", "b")) == roi_hash(["a", "b"])
    assert len({roi_hash(("a", "b")), roi_hash(("b", "a")), roi_hash(("ab",))}) == 3


@given(
    values=st.lists(st.floats(width=32), min_size=2, max_size=2),
    status=st.sampled_from(["ok", "degraded", "invalid", "warmup", "paused"]),
)
def test_whatever_comes_the_wire_is_valid_and_invalid_means_null(values, status):
    roi, fb = both(prediction(values=values, status=status))
    assert_fits(roi)
    assert_fits(fb)
    assert (fb.value is None) == (fb.status not in ("ok", "degraded"))
    assert (roi.values is None) == (roi.status not in ("ok", "degraded"))
    if fb.value is not None:
        assert fb.value == pytest.approx(values[0])


@pytest.mark.parametrize(
    ("kind", "run_type"),
    [("training", "train"), ("transfer", "transfer"), ("baseline", "rest"),
     ("localiser", "calib")],
)  # fmt: skip
def test_the_kind_of_a_run_goes_out_as_its_phase(kind, run_type):
    begun = run_phase(kind, 2, begun_s=100.0, planned_s=60.0)
    assert (begun.run, begun.run_type, begun.block) == (2, run_type, 0)
    assert (begun.name, begun.t_on, begun.t_off_planned) == (kind, 100.0, 160.0)
    ended = run_phase(kind, 2, begun_s=100.0, ended_s=130.0)
    assert (ended.run_type, ended.name, ended.t_off_planned) == (run_type, "end", 130)
