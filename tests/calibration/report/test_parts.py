from dataclasses import replace

import numpy as np
import pytest
from report_content import TR_S, N, content, series

from rtbold.calibration.evaluate.intervals import conformal_intervals
from rtbold.calibration.evaluate.nulls import p_above
from rtbold.calibration.inputs.eeg import channel_facts
from rtbold.calibration.report.brain import glass_brain, known_centres, step_of
from rtbold.calibration.report.charts import drawing
from rtbold.calibration.report.content import LearningCurve, Traces
from rtbold.calibration.report.derived import (
    half_widths_of,
    held_out_coverage,
    weighted,
)
from rtbold.calibration.report.page import number, p_value, percent
from rtbold.errors import DataFileError
from rtbold.files.recording import Recording
from rtbold.messages import Channel

RATE_HZ = 200.0


def traces(predicted, measured):
    return Traces(
        rois=tuple(f"roi {i}" for i in range(predicted.shape[1])),
        onsets_s=np.arange(len(predicted)) * TR_S,
        predicted=predicted,
        measured=measured,
        fold=np.repeat(np.arange(5), len(predicted) // 5),
    )


def test_coverage_is_near_its_level_where_folds_are_alike():
    rng = np.random.default_rng(0)
    predicted, noise = rng.standard_normal((2, 1000, 6))
    low, high = held_out_coverage(traces(predicted, predicted + noise))
    assert low == pytest.approx(0.8, abs=0.02)
    assert high == pytest.approx(0.95, abs=0.015)


def test_coverage_is_of_folds_that_made_no_interval():
    """Residuals 1 to 5 by fold: the others never reach those of the last."""
    fold = np.random.default_rng(0).permutation(np.repeat(np.arange(5), 60))
    measured = (fold + 1.0)[:, None]
    made = replace(traces(np.zeros((300, 1)), measured), fold=fold)
    own = conformal_intervals(made.predicted, made.measured).half_width[0][0]
    assert (measured <= own).all()
    assert held_out_coverage(made)[0] == pytest.approx(0.8)


def test_coverage_is_unknown_where_no_half_width_is_finite():
    noise = np.repeat(np.random.default_rng(0).standard_normal((5, 2)), 40, axis=0)
    _, high = held_out_coverage(traces(np.zeros((200, 2)), noise))
    assert high is None  # some five independent residuals


def test_the_histogram_is_the_null_that_the_verdict_used():
    made = content()
    gate = made.verdict.gate
    p = p_above(np.array([gate.r]), made.chance.null_r[:, None])[0]
    assert p == pytest.approx(gate.p_phase)
    assert np.diagonal(made.chance.cross_r)[0] == pytest.approx(gate.r)


def test_centres_are_known_by_name_whatever_the_apostrophe_or_case():
    found = known_centres(("Heschl\u2019s gyrus", "PUTAMEN", "ventricles", "my ROI"))
    assert set(found) == {"Heschl\u2019s gyrus", "PUTAMEN", "ventricles"}
    assert found["PUTAMEN"] == ((-26.0, -3.0, 1.7), (26.0, -3.0, 1.7))
    assert len(found["ventricles"]) == 1  # no hemispheres


def test_every_centre_lies_inside_the_outline():
    rois = content().verdict.rois
    places = known_centres(tuple(roi.roi for roi in rois))
    with drawing():
        figure = glass_brain(rois, places, 0.05)
    for axes in figure.axes:
        outline, *dots = axes.lines
        (low_x, low_y), (high_x, high_y) = (
            outline.get_xydata().min(axis=0),
            outline.get_xydata().max(axis=0),
        )
        assert len(dots) == len(places)
        for dot in dots:
            x, y = dot.get_xydata().T
            assert ((low_x < x) & (x < high_x) & (low_y < y) & (y < high_y)).all()


def test_full_dots_are_those_that_pass_over_all_rois():
    rois = content().verdict.rois
    alpha = sorted(roi.p_max for roi in rois)[0]  # one of three
    places = known_centres(tuple(roi.roi for roi in rois))
    with drawing():
        dots = glass_brain(rois, places, alpha).axes[0].lines[1:]
    full = [dot for dot in dots if dot.get_markerfacecolor() != "none"]
    assert len(full) == sum(roi.p_max <= alpha for roi in rois) < len(rois)


@pytest.mark.parametrize(
    ("r", "step"), [(-0.1, 0), (0.0, 1), (0.099, 1), (0.1, 2), (0.31, 4), (0.7, 5)]
)
def test_steps_of_colour(r, step):
    assert step_of(r) == step


def test_channels_are_judged_second_by_second():
    rng = np.random.default_rng(0)
    data = (10 * rng.standard_normal((3, 20 * 200))).astype(np.float32)
    data[1, 5 * 200 : 10 * 200] = 3.0  # flat for five seconds
    names = ("Cz", "Fz", "ECG")
    kinds = ("eeg", "eeg", "ecg")
    channels = tuple(
        Channel(label, kind) for label, kind in zip(names, kinds, strict=True)
    )
    found = channel_facts(Recording(data, RATE_HZ, channels), ("FZ", "Cz", "Pz"))
    assert [facts.label for facts in found] == ["FZ", "Cz", "Pz"]
    flat, good, missing = found
    assert flat.bad_s == {"flat": 5}
    assert flat.judged_s == 20
    assert flat.bad_share == pytest.approx(0.25)
    assert good.bad_share == 0
    assert missing.judged_s == 0
    assert missing.bad_share == 1


def test_a_contrast_is_the_weighted_sum():
    predicted, measured = np.arange(12.0).reshape(2, 3, 2)
    made = Traces(
        rois=("a", "b"),
        onsets_s=np.arange(3.0),
        predicted=predicted,
        measured=measured,
        fold=np.zeros(3),
    )
    both = weighted(made, {"a": 1.0, "b": -2.0})
    np.testing.assert_allclose(both.predicted[:, 0], predicted @ [1, -2])
    np.testing.assert_allclose(both.measured[:, 0], measured @ [1, -2])


def test_levels_without_a_finite_half_width_have_no_band():
    made = conformal_intervals(*series(2, 0.5, 0)[:2])
    row = (made.half_width[0][0], None)
    made = type(made)(half_width=(row, row), n_eff=(5.0, 5.0))
    assert half_widths_of(made, 1) == {0.8: row[0]}
    assert half_widths_of(None, 0) == {}


def test_series_that_do_not_belong_together_are_refused():
    good = content().traces
    with pytest.raises(DataFileError, match=rf"measured has shape .*\({N}, 3\)"):
        replace(good, measured=good.measured[:-1])
    with pytest.raises(DataFileError, match="fold has 3 entries"):
        replace(good, fold=good.fold[:3])


def test_the_epoch_that_is_kept_is_the_first_best():
    assert LearningCurve(name="final", errors=(1.0, 0.5, 0.5, 0.6)).best == 1


def test_words_of_numbers():
    assert number(-0.126) == "\N{MINUS SIGN}0.13"
    assert number(-0.001) == "0.00"
    assert number(None) == number(float("nan")) == "\N{EN DASH}"
    assert p_value(0.001) == "0.001"
    assert p_value(0.0104) == "0.010"
    assert p_value(0.0002) == "0.0002"
    assert percent(0.954, 1) == "95.4 %"
