"""How an engine is judged on the bundle's check windows."""

import numpy as np
import pytest
from bundles import tiny_card, write_tiny
from checked import layered_answer, write_checked

from rtbold.bundle.check_windows import read_check
from rtbold.engine.check import (
    DISTURBED_AT_OPENING,
    SMALLEST_SD,
    WINDOWS_AT_OPENING,
    Deviation,
    deviation,
    disturbed,
    disturbed_checks,
    predictions_of,
    verify,
    why_refused,
    with_disturbed,
)
from rtbold.errors import EngineError


class Fake:
    """An engine that errs as it is told."""

    name = "fake"

    def __init__(self, precision="f32", error=0.0):
        self.precision, self.error, self.n_calls = precision, error, 0

    def __call__(self, eeg_uv):
        self.n_calls += 1
        sign = (-1) ** self.n_calls
        return (layered_answer(eeg_uv) + sign * self.error).astype(np.float32)

    def close(self):
        self.n_calls = None


class Clipped(Fake):
    """Has ranges, like int8: beyond them it stays where they end."""

    def __init__(self, least, largest):
        super().__init__("int8")
        self.least, self.largest = least, largest

    def __call__(self, eeg_uv):
        return np.clip(super().__call__(eeg_uv), self.least, self.largest)


def verified(engine, bundle):
    return verify(engine, bundle, exact=Fake)


def test_deviation_is_relative_to_large_answers_and_to_each_rois_sd():
    reference = np.array([[0.0, 100.0], [0.2, 104.0]], np.float32)  # sd 0.1 and 2
    answers = reference + np.array([[0.02, 0.0], [-0.02, 0.0]], np.float32)
    found = deviation(answers, reference)
    assert found.worst == pytest.approx(0.02, rel=1e-5)
    assert found.share == pytest.approx(0.02 / 0.1, rel=1e-5)
    far = deviation(reference + np.float32(0.5), reference)
    assert far.worst == pytest.approx(0.5)  # of the small answers; 0.005 of the large


def test_a_constant_roi_is_judged_by_the_smallest_sd():
    reference = np.ones((4, 1), np.float32)
    found = deviation(reference + np.float32(0.001), reference)
    assert found.share == pytest.approx(0.001 / SMALLEST_SD, rel=1e-3)


def test_equal_answers_deviate_by_nothing():
    same = np.zeros((3, 2), np.float32)
    found = deviation(same, same)
    assert (found.worst, found.share) == (0.0, 0.0)
    assert why_refused(found, tiny_card(), "f32") is None


@pytest.mark.parametrize(
    ("error", "precision", "refused"),
    [
        (0.9e-4, "f32", False),
        (1.1e-4, "f32", True),
        (0.09, "bf16", False),
        (0.11, "bf16", True),
        (0.11, "int8", True),
        (0.11, "f16", True),
        (0.11, "tf32", True),
    ],
)
def test_float32_by_the_tolerance_others_by_the_share_of_the_sd(
    error, precision, refused
):
    rng = np.random.default_rng(0)
    reference = rng.standard_normal((1000, 2)).astype(np.float32)
    reference /= reference.std(axis=0)
    small = reference / np.abs(reference).max()  # below 1: the tolerance is absolute
    base = small if precision == "f32" else reference
    found = deviation(base + np.float32(error), base)
    assert (why_refused(found, tiny_card(), precision) is not None) == refused


def test_the_rule_bounds_the_correlation_as_documented():
    rng = np.random.default_rng(1)
    reference = rng.standard_normal((100_000, 1)).astype(np.float32)
    noise = rng.standard_normal(reference.shape).astype(np.float32)
    answers = reference + np.float32(0.099) * noise
    assert why_refused(deviation(answers, reference), tiny_card(), "int8") is None
    assert np.corrcoef(answers[:, 0], reference[:, 0])[0, 1] > 0.9949


def test_the_card_decides(tmp_path):
    found = deviation(np.full((2, 1), 0.01, np.float32), np.zeros((2, 1), np.float32))
    strict, loose = tiny_card(tolerance=1e-3), tiny_card(tolerance=0.1)
    assert "0.001" in why_refused(found, strict, "f32")
    assert why_refused(found, loose, "f32") is None
    assert why_refused(found, tiny_card(reduced_tolerance=2.0), "bf16") is None


def test_float32_is_asked_for_few_windows_others_for_all(tmp_path):
    made = write_checked(tmp_path)
    exact, reduced = Fake("f32"), Fake("bf16")
    assert verified(exact, made).worst < 1e-6
    assert exact.n_calls == WINDOWS_AT_OPENING
    verified(reduced, made)
    n_disturbances = len(list(disturbed(read_check(made).eeg_uv, made.card.channels)))
    assert reduced.n_calls == 16 + DISTURBED_AT_OPENING * n_disturbances


def test_an_engine_that_is_right_on_the_check_windows_alone_is_refused(tmp_path):
    made = write_checked(tmp_path)
    check = read_check(made)
    clipped = Clipped(check.bold.min(axis=0), check.bold.max(axis=0))
    found = deviation(predictions_of(clipped, check.eeg_uv), check.bold)
    assert why_refused(found, made.card, "int8") is None
    with pytest.raises(EngineError, match=r"once the EEG is disturbed \("):
        verified(clipped, made)


def test_the_float32_engine_that_was_asked_is_closed(tmp_path):
    opened = []

    def exact():
        opened.append(Fake())
        return opened[0]

    verify(Fake("bf16"), write_checked(tmp_path), exact=exact)
    assert [engine.n_calls for engine in opened] == [None]


def test_on_disturbed_windows_twice_as_much_is_allowed():
    card = tiny_card(reduced_tolerance=0.1)
    for share, refused in ((0.19, False), (0.21, True)):
        found = Deviation(0.0, 0.0, disturbed=share, disturbance="gain 2")
        assert (why_refused(found, card, "bf16") is not None) == refused
        assert why_refused(found, card, "f32") is None


def test_the_few_of_the_opening_deviate_by_no_more_than_the_record_says(tmp_path):
    made = write_checked(tmp_path)
    check = read_check(made)
    clipped, sd = Clipped(-0.5, 0.5), check.bold.std(axis=0)
    perfect = Deviation(0.0, 0.0)
    recorded, opening = (
        with_disturbed(
            perfect,
            clipped,
            disturbed_checks(Fake(), check, made.card.channels, n=n),
            sd=sd,
        )
        for n in (None, DISTURBED_AT_OPENING)
    )
    assert 0 < opening.disturbed <= recorded.disturbed
    assert recorded.disturbance


def test_a_disturbance_is_judged_by_the_sd_of_undisturbed_answers(tmp_path):
    made = write_checked(tmp_path)
    checks = disturbed_checks(Fake(), read_check(made), made.card.channels)
    off = Fake("bf16", error=0.5)
    sd = np.array([1.0, 2.0, 4.0], np.float32)
    found = with_disturbed(Deviation(0.0, 0.0), off, checks, sd=sd)
    assert found.disturbed == pytest.approx(0.5, rel=1e-4)


def test_an_engine_that_errs_is_refused(tmp_path):
    made = write_checked(tmp_path)
    with pytest.raises(EngineError, match=r"fake f32 is not .*--engine torch"):
        verified(Fake("f32", 0.001), made)
    with pytest.raises(EngineError, match=r"of its sd.*--precision f32 or auto"):
        verified(Fake("int8", 1.0), made)
    verified(Fake("int8", 0.001), made)


def test_without_check_windows_only_float32(tmp_path):
    made = write_tiny(tmp_path)
    assert verified(Fake("f32", 1.0), made) is None
    with pytest.raises(EngineError, match=r"no check windows.*--precision f32"):
        verified(Fake("bf16"), made)


def test_an_engine_for_larger_batches_sees_each_window_alone():
    class Pair(Fake):
        def __call__(self, eeg_uv):
            assert len(eeg_uv) == 2
            return super().__call__(eeg_uv)

    x = np.random.default_rng(0).standard_normal((3, 19, 3200)).astype(np.float32)
    np.testing.assert_array_equal(
        predictions_of(Pair(), x, n_batch=2), layered_answer(x)
    )
