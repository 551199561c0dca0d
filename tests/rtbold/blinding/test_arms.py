"""What each arm gives, and that status, timing and fields are the session's in all."""

import numpy as np
import pytest

from rtbold.blinding.arms import Arms, DelayedSelf, Step, build_arms
from rtbold.blinding.design import ARMS, Design
from rtbold.blinding.donors import Donor
from rtbold.blinding.scale import TargetScale
from rtbold.bundle.card import Baseline, Card, Contrast, Origin
from rtbold.errors import ConfigError
from rtbold.messages import BoldPrediction, Tick
from rtbold.protocol.events import BlockNow

TR_S, ROIS, TARGET, OTHER = 2.0, ("first", "second", "third"), "first", "second"
DELAY = 31  # volumes
BASELINE = Baseline(mean=(1.0, -1.0, 0.0), sd=(2.0, 0.5, 1.0), n=100, n_eff=30.0)
CONTRAST = Contrast(name="c", weights={"first": 1.0, "third": -0.5}, mean=1.0, sd=3.0)


def card(**changes):
    fields = {
        "name": "b", "architecture": "none", "channels": ("Cz",), "reference": "Pz",
        "tr_s": TR_S, "rois": ROIS, "baseline": BASELINE, "scanner": "unknown",
        "origin": Origin(kind="subject", simulated_lineage=False),
        "contrast": CONTRAST,
    }  # fmt: skip
    return Card(**{**fields, **changes})


def prediction(k, values=(3.0, -0.5, 0.25), status="ok", reasons=()):
    given = None if values is None else np.array(values, np.float32)
    t_s = 100.0 + TR_S * k
    return BoldPrediction(
        tick=Tick(k, t_s, True), t_start_s=t_s - 16, t_end_s=t_s, bold_time_s=t_s,
        status=status, reasons=reasons, values=given, next_due_s=t_s + TR_S,
    )  # fmt: skip


def at(k, n=400):
    return BlockNow(
        run=1, attempt=1, run_type="training", block=1, name="regulate",
        task="regulate", direction="up", feedback="continuous", volume_in_block=k,
        n_volumes=n, last_of_block=k == n - 1,
    )  # fmt: skip


def donor(n=400):
    rng = np.random.default_rng(3)
    return Donor("d", "p", {(1, 1): tuple(map(float, rng.normal(size=n)))}, 0)


def design(*arms, **changes):
    other = OTHER if "other_roi" in arms else None
    weights = (1,) * len(arms)
    fields = {"study": "s", "arms": arms, "weights": weights, "other_roi": other}
    return Design(**{"delay_s": 60.5, **fields, **changes})


def arms(chosen, *of, target=TARGET, **more):
    return build_arms(
        chosen, design(*(of or ARMS)), card=card(), target=target, tr_s=TR_S,
        donor=more.get("donor", donor()),
    )  # fmt: skip


def series(n=200, seed=0):
    """Predictions of one session, some of them unusable."""
    rng = np.random.default_rng(seed)
    for k in range(n):
        values = rng.normal(size=3) + BASELINE.mean
        if k < 8:
            yield prediction(k, None, "warmup", ("warmup",))
        elif k in (50, 51, 52, 120):
            yield prediction(k, None, "invalid", ("gap",))
        elif k % 17 == 0:
            yield prediction(k, values, "degraded", ("interpolated",))
        else:
            yield prediction(k, values)


def delivered(chosen, *of, **more):
    it = arms(chosen, *of, **more)
    return [it.deliver(p, at(k)) for k, p in enumerate(series())]


def scores(predictions, target=TARGET):
    scale = TargetScale.of(card(), target)
    return [None if p.values is None else scale.score(p.values) for p in predictions]


REAL = [None if p.values is None else p for p in series()]


# The scale


@pytest.mark.parametrize("target", ["first", "third", "c", "Global"])
@pytest.mark.parametrize("z", [-2.5, 0.0, 0.1234567, 3.0])
def test_values_at_a_score_have_that_score(target, z):
    scale = TargetScale.of(card(), target)
    assert scale.score(scale.values_at(z)) == pytest.approx(z, abs=1e-6)


@pytest.mark.parametrize(
    ("target", "changes", "said"),
    [
        ("fourth", {}, "'fourth' is no ROI"),
        ("first", {"baseline": Baseline()}, "has no baseline of 'first'"),
        (
            "first",
            {"baseline": Baseline(mean=(1.0, 1.0, 1.0), sd=(0.0, 1.0, 1.0))},
            "has no baseline",
        ),
    ],
)
def test_a_target_without_a_scale_is_refused(target, changes, said):
    with pytest.raises(ConfigError, match=said):
        TargetScale.of(card(**changes), target)


# Each arm


def test_the_real_arm_gives_the_very_bits():
    for p, got in zip(series(), delivered("real", "real", "inverse"), strict=True):
        assert (got.status, got.reasons) == (p.status, p.reasons)
        assert (got.values is None) == (p.values is None)
        if p.values is not None:
            assert got.values.tobytes() == p.values.tobytes()


@pytest.mark.parametrize("target", ["first", "c"])
def test_inverse_mirrors_about_the_baseline(target):
    got = scores(delivered("inverse", "real", "inverse", target=target), target)
    real = scores(series(), target)
    for z, was in zip(got, real, strict=True):
        assert z == (None if was is None else pytest.approx(-was, abs=1e-6))


def test_another_roi_comes_on_the_scale_of_the_target():
    got = scores(delivered("other_roi", "real", "other_roi"))
    assert [z is None for z in got] == [p.values is None for p in series()]
    other = scores(series(), OTHER)
    for z, was in zip(got, other, strict=True):
        assert z == (None if was is None else pytest.approx(was, abs=1e-6))


def test_yoked_gives_the_donors_at_the_same_place():
    one = donor()
    got = scores(delivered("yoked", "real", "yoked", donor=one))
    for k, z in enumerate(got):
        assert z is None or z == pytest.approx(one.z[1, 1][k], abs=1e-6)


def test_a_donor_is_never_looped_and_no_number_stands_still_after_its_end():
    got = delivered("yoked", "real", "yoked", donor=donor(100))
    assert {p.status for p in got[100:]} == {"warmup", "invalid"}
    assert all(p.values is None for p in got[100:])


def test_a_run_that_begins_anew_does_not_get_the_same_numbers_again():
    it = arms("yoked", "real", "yoked")
    first = [it.deliver(prediction(k), at(k)) for k in range(5)]
    again = [it.deliver(prediction(k), at(k)) for k in range(3)]
    assert all(p.values is not None for p in first)
    assert {(p.status, p.values is None) for p in again} == {("warmup", True)}


def test_delayed_gives_what_was_more_than_a_minute_ago():
    got, real = scores(delivered("delayed", "real", "delayed")), scores(series())
    assert all(z is None for z in got[: 8 + DELAY])
    for k, z in enumerate(got[8 + DELAY :], start=8 + DELAY):
        was = real[k - DELAY]
        if z is not None and was is not None:
            assert z == pytest.approx(was, abs=1e-6)


def test_where_the_old_volume_had_no_value_the_line_between_its_neighbours_stands():
    delayed = DelayedSelf(3)
    given = [1.0, None, None, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    got = [delayed(Step(z, None, None)) for z in given]
    assert got == [None, None, None, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_before_the_session_gives_values_nothing_is_counted():
    delayed = DelayedSelf(2)
    got = [delayed(Step(z, None, None)) for z in (None, None, 1.0, 2.0, 3.0)]
    assert got == [None, None, None, None, 1.0]


# What is alike in every arm


@pytest.mark.parametrize("of", [ARMS, ("real", "yoked"), ("inverse", "delayed")])
def test_status_reasons_and_where_there_is_a_value_are_the_same_in_all_arms(of):
    said = {
        tuple((p.status, p.reasons, p.values is None) for p in delivered(chosen, *of))
        for chosen in of
    }
    assert len(said) == 1


def test_a_study_with_a_delay_gives_nothing_before_it_in_any_arm():
    for chosen in ARMS:
        got = delivered(chosen)
        early = got[8 : 8 + DELAY]
        assert {(p.status, p.values is None) for p in early} == {("warmup", True)}
        assert all("warmup" in p.reasons for p in early)
        assert got[8 + DELAY].status in ("ok", "degraded")


@pytest.mark.parametrize("chosen", ARMS)
def test_no_number_goes_out_while_the_real_status_is_unusable(chosen):
    it = arms(chosen)
    for k, p in enumerate(series()):
        it.deliver(p, at(k))
    for status in ("invalid", "warmup", "paused"):
        for k, values in enumerate((None, (1.0, 1.0, 1.0)), 200):
            got = it.deliver(prediction(k, values, status, ("gap",)), at(k))
            assert (got.values, got.status, got.reasons) == (None, status, ("gap",))


@pytest.mark.parametrize("chosen", ARMS)
def test_a_real_value_that_is_no_number_is_invalid_in_every_arm(chosen):
    it = arms(chosen)
    for k, p in enumerate(series()):
        it.deliver(p, at(k))
    got = it.deliver(prediction(200, (np.nan, 1.0, 1.0)), at(200))
    assert (got.values, got.status, got.reasons) == (None, "invalid", ("nonfinite",))


@pytest.mark.parametrize("chosen", ["real", "yoked"])
def test_outside_of_blocks_no_arm_gives_anything(chosen):
    got = arms(chosen, "real", "yoked").deliver(prediction(0), None)
    assert (got.status, got.values) == ("warmup", None)


@pytest.mark.parametrize("chosen", ARMS)
def test_all_arms_are_computed_whichever_is_chosen(chosen):
    asked = []

    class Counted:
        def __init__(self, name):
            self.name = name

        def __call__(self, step):
            asked.append(self.name)
            return 0.5

    it = Arms(
        chosen,
        {name: Counted(name) for name in ARMS},
        scale=TargetScale.of(card(), TARGET),
    )
    it.deliver(prediction(0), at(0))
    it.deliver(prediction(1, None, "invalid", ("gap",)), at(1))
    assert asked == [*ARMS, *ARMS]


@pytest.mark.parametrize("chosen", ARMS)
def test_it_replays_to_the_same_bits_and_changes_nothing_that_it_is_given(chosen):
    given = list(series())
    before = [None if p.values is None else p.values.copy() for p in given]
    one, two = delivered(chosen), delivered(chosen)
    for a, b in zip(one, two, strict=True):
        assert (a.status, a.reasons, a.tick) == (b.status, b.reasons, b.tick)
        assert (a.values is None) == (b.values is None)
        assert a.values is None or a.values.tobytes() == b.values.tobytes()
    it = arms(chosen)
    for k, p in enumerate(given):
        it.deliver(p, at(k))
        assert before[k] is None or (p.values == before[k]).all()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: arms("inverse", "real", "yoked"), "an arm that study 's' does not"),
        (lambda: arms("real", "real", "yoked", donor=None), "there is no donor"),
        (lambda: arms("real", target=OTHER), "is the target itself|the target itself"),
    ],
)
def test_what_an_arm_lacks_is_refused_whatever_was_chosen(make, said):
    with pytest.raises(ConfigError, match=said):
        make()
