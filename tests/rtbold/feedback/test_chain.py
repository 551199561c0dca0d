import dataclasses
import math

import numpy as np
import pytest

from rtbold.bundle.card import Baseline, Card, Contrast, MuscleReference, Origin
from rtbold.config import FeedbackSettings
from rtbold.errors import ConfigError
from rtbold.feedback.baseline import z_values
from rtbold.feedback.chain import FeedbackChain
from rtbold.feedback.target import choose_target
from rtbold.messages import BoldPrediction, Tick

ROIS = ("first", "second")
BASELINE = Baseline(name="card", mean=(1.0, -1.0), sd=(2.0, 0.5), n=100, n_eff=30.0)


def card(**changes):
    fields = {
        "name": "b", "architecture": "none", "channels": ("Cz",), "reference": "Pz",
        "tr_s": 2.1, "rois": ROIS, "baseline": BASELINE, "scanner": "unknown",
        "origin": Origin(kind="subject", simulated_lineage=False),
    }  # fmt: skip
    return Card(**{**fields, **changes})


def prediction(values=(2.0, -0.5), status="ok", reasons=()):
    given = None if values is None else np.array(values, np.float32)
    return BoldPrediction(
        tick=Tick(3, 100.0, True), t_start_s=84.0, t_end_s=100.0, bold_time_s=100.0,
        status=status, reasons=reasons, values=given, next_due_s=102.1,
    )  # fmt: skip


def value_of(given, of=None, target=None):
    of = of or card()
    chain = FeedbackChain(FeedbackSettings(target=target), of)
    return chain.push(given, None)


def test_value_and_z_of_the_first_roi_by_default():
    feedback = value_of(prediction())
    assert (feedback.target, feedback.value, feedback.z) == ("first", 2.0, 0.5)
    assert (feedback.status, feedback.reasons) == ("ok", ())
    assert (feedback.norm.baseline, feedback.norm.n) == ("card", 100)


def test_another_target():
    feedback = value_of(prediction(), target="second")
    assert (feedback.target, feedback.value, feedback.z) == ("second", -0.5, 1.0)


def test_unknown_target_names_those_there_are():
    with pytest.raises(ConfigError, match=r"(?s)'third'.*first, second"):
        choose_target(card(), "third")


@pytest.mark.parametrize("status", ["invalid", "warmup", "paused"])
def test_no_value_in_any_other_status_even_if_there_were_numbers(status):
    feedback = value_of(prediction(status=status, reasons=("gap",)))
    assert (feedback.value, feedback.z, feedback.status) == (None, None, status)


def test_lasting_tension_voids_a_target_that_leans_on_it_and_no_other():
    muscle = MuscleReference(
        channels=("Cz",),
        level=(0.0,),
        below=(0.0,),
        limit=1.0,
        n_windows=9,
        leans_on=("first",),
    )
    tense = prediction(status="degraded", reasons=("muscle",))
    lasting = dataclasses.replace(tense, long_tense=True)
    for given, target, status in (
        (tense, "first", "degraded"),
        (lasting, "first", "invalid"),
        (lasting, "second", "degraded"),
    ):
        found = value_of(given, card(muscle=muscle), target)
        assert (found.status, found.reasons) == (status, ("muscle",))
        assert (found.value is None) == (status == "invalid")
    assert value_of(lasting, card(), "first").status == "degraded"  # no reference


def test_degraded_has_a_value_and_its_reason():
    feedback = value_of(prediction(status="degraded", reasons=("bridged",)))
    assert (feedback.value, feedback.reasons) == (2.0, ("bridged",))


def test_simulated_model_on_a_real_stream_is_never_fed_back():
    given = prediction(status="degraded", reasons=("simulated_model",))
    feedback = value_of(given)
    assert (feedback.value, feedback.z, feedback.status) == (None, None, "invalid")
    assert feedback.reasons == ("simulated_model",)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_value_that_is_not_finite_in_any_roi_makes_it_invalid(bad):
    feedback = value_of(prediction(values=(2.0, bad)))
    assert (feedback.value, feedback.status) == (None, "invalid")
    assert feedback.reasons == ("nonfinite",)


def test_ok_without_values_is_invalid_not_a_crash():
    assert value_of(prediction(values=None)).status == "invalid"


def test_short_baseline_degrades():
    short = Baseline(mean=(0.0, 0.0), sd=(1.0, 1.0), n=59)
    feedback = value_of(prediction(), card(baseline=short))
    assert (feedback.status, feedback.reasons) == ("degraded", ("short_baseline",))
    assert feedback.value == 2.0


@pytest.mark.parametrize(
    "baseline",
    [
        Baseline(),
        Baseline(mean=(0.0, 0.0), sd=(0.0, 1.0), n=100),
        Baseline(mean=(math.nan, 0.0), sd=(1.0, 1.0), n=100),
    ],
)
def test_without_a_baseline_for_the_target_there_is_no_value(baseline):
    feedback = value_of(prediction(), card(baseline=baseline))
    assert (feedback.value, feedback.z, feedback.status) == (None, None, "warmup")
    assert feedback.reasons == ("short_baseline",)


def test_invalid_is_not_covered_up_by_a_short_baseline():
    short = Baseline(mean=(0.0, 0.0), sd=(1.0, 1.0), n=5)
    given = prediction(values=None, status="invalid", reasons=("gap",))
    feedback = value_of(given, card(baseline=short))
    assert (feedback.status, feedback.reasons) == ("invalid", ("gap", "short_baseline"))


def test_z_of_every_roi_is_null_where_the_baseline_says_nothing():
    partial = Baseline(mean=(1.0, 0.0), sd=(2.0, 0.0), n=100)
    assert z_values(np.array([2.0, 3.0], np.float32), partial) == (0.5, None)


def test_the_declared_target_comes_before_the_first_roi():
    assert choose_target(card(target="second")).name == "second"


def test_a_contrast_is_a_weighted_sum_against_its_own_baseline():
    contrast = Contrast(
        name="a-b", weights={"first": 1.0, "second": -1.0}, mean=0.5, sd=0.5
    )
    of = card(target="a-b", contrast=contrast)
    feedback = value_of(prediction(), of=of)
    assert (feedback.target, feedback.value, feedback.z) == ("a-b", 2.5, 4.0)
    assert value_of(prediction(), of=of, target="second").value == -0.5


def test_a_contrast_without_a_spread_has_no_z():
    contrast = Contrast(name="c", weights={"first": 1.0}, mean=0.0, sd=0.0)
    feedback = value_of(prediction(), of=card(target="c", contrast=contrast))
    assert (feedback.status, feedback.z) == ("warmup", None)


def test_a_reason_of_the_feedback_takes_its_place_in_the_closed_list():
    short = Baseline(mean=(0.0, 0.0), sd=(1.0, 1.0), n=5)
    given = prediction(status="degraded", reasons=("late", "upstream_delay_unknown"))
    assert value_of(given, card(baseline=short)).reasons == (
        "late", "short_baseline", "upstream_delay_unknown",
    )  # fmt: skip
    given = prediction(values=(2.0, math.nan), reasons=("upstream_delay_unknown",))
    assert value_of(given).reasons == ("nonfinite", "upstream_delay_unknown")
