import json
from pathlib import Path

import jsonschema
import numpy as np
import pipeline_rig as rig
import pytest
from msgspec.structs import replace

from rtbold.bundle.card import N_QUANTILES, Contrast, Intervals
from rtbold.config import FeedbackSettings
from rtbold.feedback.chain import FeedbackChain
from rtbold.messages import BoldPrediction, Tick
from rtbold.publish.compose import Moments, pred_fb, pred_roi
from rtbold.publish.intervals import LiveIntervals, Widths, card_widths
from rtbold.publish.wire import encode

SCHEMAS = Path(__file__).resolve().parents[3] / "rtbold" / "schemas"
CARD = rig.card(rois=("first", "second"))
MOMENTS = Moments(t_pipeline_s=100.1, t_predicted_s=100.12, t_publish_s=100.121)
TARGET = FeedbackSettings(target="first")
GRID = tuple(np.linspace(0, 4, N_QUANTILES).tolist())
INTERVALS = Intervals(
    half_width=((1.0, 2.0), (0.5, None)), n_eff=(40.0, 10.0), quantiles=(GRID, GRID)
)
KNOWN = replace(CARD, intervals=INTERVALS)


def prediction(values=(0.42, -1.0), status="ok", reasons=()):
    return BoldPrediction(
        tick=Tick(7, 100.0, True), t_start_s=84.0, t_end_s=100.0, bold_time_s=100.0,
        status=status, reasons=reasons, next_due_s=102.1,
        values=None if values is None else np.array(values, np.float32),
    )  # fmt: skip


def assert_fits(message):
    body = json.loads(encode(message))
    schema = json.loads((SCHEMAS / f"{message.topic}.1.json").read_text())
    jsonschema.validate(body, schema)


def both(given, card=KNOWN, settings=TARGET, widths=None):
    roi = pred_roi(given, card, MOMENTS, widths=widths)
    feedback = FeedbackChain(settings, card).push(given, None)
    fb = pred_fb(given, card, MOMENTS, feedback=feedback, widths=widths)
    assert_fits(roi)
    assert_fits(fb)
    return roi, fb


def test_intervals_lie_around_each_value():
    roi, fb = both(prediction(values=(0.5, -1.0)))
    assert (roi.low, roi.high) == ((-1.5, None), (2.5, None))  # 95 %: one has none
    assert (roi.low_80, roi.high_80) == ((-0.5, -1.5), (1.5, -0.5))
    assert (fb.low, fb.high, fb.low_80, fb.high_80) == (-1.5, 2.5, -0.5, 1.5)


@pytest.mark.parametrize("reason", ["unlike_calibration", "domain_shift"])
def test_intervals_are_void_on_eeg_that_nobody_calibrated_on(reason):
    roi, fb = both(prediction(status="degraded", reasons=(reason,)))
    assert roi.values is not None
    assert (roi.low, roi.high_80, fb.low, fb.high) == (None, None, None, None)


def test_no_value_has_no_interval():
    roi, fb = both(prediction(None, "invalid", ("no_data",)))
    assert (roi.low, roi.low_80, fb.low, fb.high_80) == (None, None, None, None)


def test_a_card_without_intervals_publishes_none():
    roi, fb = both(prediction(), card=CARD)
    assert (roi.low, roi.high_80, fb.low) == (None, None, None)


def test_a_contrast_has_an_interval_of_its_own():
    contrast = Contrast(
        name="a_vs_b", weights={"first": 1.0, "second": -1.0}, mean=0.0, sd=1.0,
        half_width=(1.5, None),
    )  # fmt: skip
    card = replace(KNOWN, contrast=contrast)
    _, fb = both(prediction((0.5, -1.0)), card, FeedbackSettings(target="a_vs_b"))
    assert (fb.value, fb.low_80, fb.high_80) == (1.5, 0.0, 3.0)
    assert (fb.low, fb.high) == (None, None)


def test_truth_that_is_missed_widens_and_truth_that_is_hit_narrows():
    live, calm = LiveIntervals(INTERVALS), LiveIntervals(INTERVALS)
    before = live.widths.by_level[0.8]
    for _ in range(10):
        live.take(np.zeros(2), np.array([3.9, np.nan]))
        calm.take(np.zeros(2), np.zeros(2))
    assert live.widths.by_level[0.8][0] > before[0]
    assert live.widths.by_level[0.8][1] == pytest.approx(
        before[1], abs=0.02
    )  # no truth
    assert calm.widths.by_level[0.8][0] < before[0]
    assert live.n_truth == 10
    roi, _ = both(prediction(), widths=live.widths)
    assert roi.low_80[0] < 0.42 - before[0]


def test_truth_teaches_nothing_where_the_card_has_no_intervals():
    live = LiveIntervals(Intervals())
    live.take(np.zeros(2), np.ones(2))
    assert (live.n_truth, live.widths.by_level) == (0, {})


def test_an_endless_interval_is_none():
    widths = Widths({0.95: np.array([np.inf, np.nan])})
    assert widths.bounds(1.0, 0, 0.95) == (None, None)
    assert widths.bounds(1.0, 1, 0.95) == (None, None)
    assert widths.bounds(None, 0, 0.95) == (None, None)
    assert card_widths(INTERVALS).bounds(0.0, 0, 0.5) == (None, None)
