from dataclasses import replace

import numpy as np
import pytest

from rtbold.errors import StreamMismatch
from rtbold.messages import BoldPrediction, MeasuredVolume, Tick
from rtbold.truth.pairing import RoiColumns, Truth, TruthSettings, plain

ROIS = ("Heschl\u2019s gyrus", "Putamen", "Cuneus")
TR_S = 2.1
T0_S = 1000.0


def truth(**changes):
    return Truth(TruthSettings(**{"rois": ROIS, "tr_s": TR_S, **changes}))


def prediction(index, values, status="ok"):
    t_s = T0_S + TR_S * index
    return BoldPrediction(
        tick=Tick(index, t_s, True),
        t_start_s=t_s - 16,
        t_end_s=t_s,
        bold_time_s=t_s,
        status=status,
        reasons=(),
        values=None if values is None else np.array(values, np.float32),
        next_due_s=None,
    )


def volume(index, values, *, rois=ROIS, began=None, late=1.0, first=0, stamped=True):
    """One that `began` with another volume's trigger, and came `late` volumes after."""
    t_s = T0_S + TR_S * (index - first if began is None else began)
    told_s = t_s if stamped else None
    return MeasuredVolume(index, rois, tuple(values), t_s + late * TR_S, told_s)


def series(n, seed=0):
    rng = np.random.default_rng(seed)
    both = rng.standard_normal((n, 3))
    for k in range(1, n):
        both[k] += 0.5 * both[k - 1]
    return both, 100 + 7 * both + rng.standard_normal((n, 3))


def run(found, predicted, measured, *, late=1, stamped=True):
    """Predictions as they come, each measurement `late` volumes after its volume."""
    states = []
    for k in range(len(predicted) + late):
        if k < len(predicted):
            found.predicted(prediction(k, predicted[k]))
        if 0 <= k - late < len(measured):
            about = volume(k - late, measured[k - late], late=late, stamped=stamped)
            states.append(found.measured(about))
    return states


def test_pairs_by_number_however_late_the_measurement_comes():
    predicted, measured = series(80)
    last = [run(truth(), predicted, measured, late=late)[-1] for late in (0, 1, 2, 9)]
    for state in last:
        assert state.volume_index == 79
        np.testing.assert_allclose(state.predicted, predicted[79], rtol=1e-6)
        np.testing.assert_allclose(state.measured, measured[79])
        np.testing.assert_array_equal(state.rolling.r, last[0].rolling.r)
    assert (last[0].rolling.r > 0.9).all()


def test_a_measurement_that_is_faster_than_the_prediction_waits_for_it():
    predicted, measured = series(60)
    early, usual = truth(), truth()
    for k in range(60):
        early.measured(volume(k, measured[k]))
        early.predicted(prediction(k, predicted[k]))
    run(usual, predicted, measured)
    a, b = early.after_run(), usual.after_run()
    np.testing.assert_array_equal(a.score.r, b.score.r)


@pytest.mark.parametrize("horizon_tr", [0, 1, 2, 3])
def test_a_look_ahead_is_paired_with_the_volume_that_it_is_for(horizon_tr):
    predicted, measured = series(80)
    ahead = truth(horizon_tr=horizon_tr)
    # at tick k it predicts volume k + horizon
    states = run(ahead, predicted[horizon_tr:], measured[: 80 - horizon_tr])
    np.testing.assert_allclose(states[-1].predicted, predicted[79 - horizon_tr])
    assert (states[-1].rolling.r > 0.9).all()


def test_pairing_one_volume_off_costs_r():
    rng = np.random.default_rng(1)
    predicted = rng.standard_normal((150, 3))
    right = run(truth(lowpass_hz=None), predicted, predicted)[-1].rolling.r
    off = truth(lowpass_hz=None, first=1)
    wrong = run(off, predicted, predicted, stamped=False)[-1].rolling.r
    assert (right > 0.999).all()
    assert (np.abs(wrong) < 0.3).all()


def test_what_was_not_predicted_is_no_pair_but_is_measured():
    predicted, measured = series(80)
    found = truth()
    for k in range(80):
        usable = k % 4 != 0
        found.predicted(
            prediction(
                k, predicted[k] if usable else None, "ok" if usable else "invalid"
            )
        )
        state = found.measured(volume(k, measured[k]))
        assert np.isnan(state.predicted).all() != usable
    assert state.rolling.n[0] == 60 - 2  # of the first three, two settle the filter


def test_below_twenty_effective_volumes_there_is_no_r():
    predicted, measured = series(150)
    for state in run(truth(), predicted, measured):
        enough = state.rolling.n_eff >= 20
        np.testing.assert_array_equal(np.isfinite(state.rolling.r), enough)
    assert np.isnan(run(truth(), predicted[:20], measured[:20])[-1].rolling.r).all()


def test_only_rois_of_the_same_name_count_in_the_order_of_the_model():
    found = truth()
    names = ("Cuneus ", "Elsewhere", "Heschl's gyrus")
    found.predicted(prediction(0, [1, 2, 3]))
    state = found.measured(volume(0, (30.0, 99.0, 10.0), rois=names))
    assert state.rois == (ROIS[0], ROIS[2])
    assert state.measured.tolist() == [10.0, 30.0]
    assert state.predicted.tolist() == [1.0, 3.0]


def test_a_source_without_any_of_the_models_rois_is_refused():
    with pytest.raises(StreamMismatch, match=r"measures roi-1.*--truth-roi"):
        truth().measured(volume(0, (1.0,), rois=("roi-1",)))
    with pytest.raises(StreamMismatch, match="2 values for 3 ROIs"):
        truth().measured(volume(0, (1.0, 2.0)))


def test_numbers_of_the_source_may_begin_elsewhere():
    found = truth(first=3)
    assert found.measured(volume(2, (1, 2, 3))) is None  # a dummy
    assert found.measured(volume(3, (1, 2, 3))).volume_index == 0


def test_doubles_and_stragglers_are_counted_and_left_out():
    found = truth()
    found.predicted(prediction(0, [1, 2, 3]))
    found.predicted(prediction(1, [1, 2, 3]))
    for index in (0, 1, 1):
        found.measured(volume(index, (1, 2, 3)))
    assert found.n_out_of_order == 1


def test_another_run_is_never_paired_with_the_last_one():
    predicted, measured = series(80)
    found = truth()
    run(found, predicted, measured)
    for k in range(5):
        found.predicted(prediction(k, predicted[k]))
    assert found.measured(volume(80, measured[0], began=-5)) is None
    again = found.measured(volume(0, measured[0]))
    np.testing.assert_allclose(again.predicted, predicted[0], rtol=1e-6)
    assert found.after_run() is None  # the new run is short


def test_missing_values_leave_out_their_roi_alone():
    predicted, measured = series(80)
    found = truth()
    for k in range(80):
        found.predicted(prediction(k, predicted[k]))
        values = list(measured[k])
        values[1] = None if k > 30 else values[1]
        state = found.measured(volume(k, values))
    assert state.rolling.n[1] < state.rolling.n[0] == state.rolling.n[2]
    assert np.isnan(state.measured).tolist() == [False, True, False]


def test_a_contrast_has_a_column_of_its_own():
    predicted, measured = series(120)
    weights = {ROIS[0]: (1.0, 2.0), ROIS[2]: (-1.0, -2.0)}
    found = truth(contrast=weights)
    state = run(found, predicted, measured)[-1]
    assert found.has_contrast
    assert state.rolling.r.shape == (4,)
    assert state.rolling.r[3] > 0.9
    assert state.measured.shape == (3,)
    partial = truth(contrast={**weights, "Elsewhere": (1.0, 1.0)})
    assert run(partial, predicted, measured)[-1].rolling.r.shape == (3,)


def mispaired(off, *, stamped, late=1.0, n=8):
    """A source whose volume k began with the session's trigger k + off."""
    found = truth()
    states = []
    for k in range(n):
        for tick in (k, k + 1) if k == 0 else (k + 1,):
            found.predicted(prediction(tick, [1.0, 2.0, 3.0]))
        about = volume(k, (1, 2, 3), began=k + off, late=late, stamped=stamped)
        states.append(found.measured(about))
    return found, states


@pytest.mark.parametrize("off", [-2, -1, 1, 2])
def test_a_volume_that_began_with_another_trigger_is_no_pair(off):
    """The session counts the triggers that it heard, the source its own volumes."""
    found, states = mispaired(off, stamped=True)
    assert found.misnumbered.by_onset
    assert found.misnumbered.off_s == pytest.approx(off * TR_S)
    assert found.misnumbered.source_index == 7
    assert found.is_uncertain
    for k, state in enumerate(states):
        assert np.isnan(state.predicted).all()
        assert state.measured.tolist() == [1, 2, 3]
        assert state.t_volume_s == pytest.approx(T0_S + TR_S * (k + off))
    assert states[-1].rolling.n.tolist() == [0, 0, 0]


def test_what_came_before_its_trigger_is_no_pair_whatever_the_source_tells():
    found, states = mispaired(-2, stamped=False)
    assert not found.misnumbered.by_onset
    assert found.misnumbered.off_s == pytest.approx(-TR_S)
    assert all(np.isnan(state.predicted).all() for state in states)
    assert states[-1].t_volume_s is None
    right, states = mispaired(0, stamped=False)
    assert right.misnumbered is None
    assert not right.came_soon
    assert states[-1].predicted.tolist() == [1, 2, 3]
    soon, states = mispaired(-1, stamped=False, late=1.1)
    assert soon.misnumbered is None
    assert soon.came_soon


def test_a_volume_that_comes_before_its_trigger_waits_and_is_then_judged():
    """A session that missed the scan's first two triggers is two volumes behind."""
    found = truth()
    for k in range(30):
        if k >= 2:
            found.predicted(prediction(k - 2, [1.0, 2.0, 3.0]))
        # began with the trigger that the session calls k - 2, and came with the next
        about = volume(k, (1, 2, 3), began=k - 2)
        state = found.measured(about)
        assert state is None or np.isnan(state.predicted).all()
        assert found.is_uncertain or k < 3
    assert found.n_misnumbered == 30
    assert found.misnumbered.off_s == pytest.approx(-2 * TR_S)
    assert found.after_run() is None


def test_a_volume_that_came_just_before_its_trigger_is_judged_when_that_comes():
    found = truth()
    for k in range(10):
        if k >= 1:
            found.predicted(prediction(k - 1, [1.0, 2.0, 3.0]))
        state = found.measured(volume(k, (1, 2, 3), began=k - 1, late=0.9))
        assert np.isnan(state.predicted).all()
        assert found.is_uncertain == (k >= 1)
    assert found.misnumbered.off_s == pytest.approx(-TR_S)
    assert found.n_misnumbered == 9


def test_a_stamp_of_the_sending_is_no_onset():
    """As a sender stamps that tells no time of its own."""
    found = truth()
    found.predicted(prediction(0, [1, 2, 3]))
    about = MeasuredVolume(0, ROIS, (1, 2, 3), T0_S + 1.2 * TR_S, T0_S + 1.2 * TR_S)
    state = found.measured(about)
    assert found.misnumbered is None
    assert state.predicted.tolist() == [1, 2, 3]
    assert state.t_volume_s == T0_S


def test_by_onset_the_sources_own_number_does_not_matter():
    """A session that joined a scan at its volume 40."""
    found = truth(by_onset=True)
    assert found.measured(volume(39, (1, 2, 3), began=-1)) is None  # no trigger yet
    for k in range(10):
        found.predicted(prediction(k, [1.0, 2.0, k]))
        about = volume(40 + k - 1, (1, 2, 3), began=k - 1)
        state = found.measured(about)
        assert (state is None) == (k == 0)  # that one began before the session's first
    assert state.volume_index == 8
    assert state.predicted.tolist() == [1, 2, 8]
    assert found.n_misnumbered == 0
    assert found.measured(volume(50, (1, 2, 3), began=9, stamped=False)) is None


def test_a_late_volume_of_the_last_run_is_no_pair_of_this_one():
    predicted, measured = series(30)
    found = truth()
    run(found, predicted, measured[:25])
    again_s = 200.0  # later
    for k in range(28):
        late = prediction(k, predicted[k])
        found.predicted(
            replace(late, tick=Tick(k, late.tick.t_trigger_s + again_s, True))
        )
        if k == 2:
            assert found.measured(volume(25, measured[25])) is None
        about = volume(k, measured[k])
        about = replace(about, t_volume_s=None, t_arrived_s=about.t_arrived_s + again_s)
        state = found.measured(about)
        np.testing.assert_allclose(state.predicted, predicted[k], rtol=1e-6)


def test_in_model_units_the_measurement_has_the_sessions_own_scale():
    rng = np.random.default_rng(0)
    predicted = rng.standard_normal((150, 3))
    found = truth(lowpass_hz=None)
    run(found, predicted[:59], 500 + 40 * predicted[:59])
    assert found.newest_in_units() is None
    run(found, predicted, 500 + 40 * predicted)
    pair = found.newest_in_units()
    assert pair.volume == 149
    np.testing.assert_allclose(pair.predicted, predicted[-1], rtol=1e-6)
    np.testing.assert_allclose(pair.measured, predicted[-1], atol=0.5)


def test_the_score_after_the_run_filters_only_the_measurement():
    rng = np.random.default_rng(2)
    white = rng.standard_normal((200, 3))
    slow = np.array(
        [np.convolve(column, np.hanning(9), "same") for column in white.T]
    ).T
    noise = np.where(np.arange(200) % 2, 5.0, -5.0)[:, None]  # at Nyquist
    found = truth()
    states = run(found, slow, slow + noise)
    after = found.after_run()
    assert after.n_volumes == 200
    assert (after.score.r > 0.9).all()
    assert np.isfinite(states[-1].rolling.r).all()
    assert truth().after_run() is None


def test_the_order_is_the_models_whatever_the_sources():
    columns = RoiColumns(("Heschl\u2019s gyrus", "Putamen", "Cuneus"))
    assert columns.names == ()
    names = ("Cuneus", "Elsewhere", "Heschl's gyrus")
    volume = MeasuredVolume(0, names, (1.0, 2.0, None), 0.0)
    columns.take(volume)
    assert columns.of_model == [0, 2]
    assert columns.names == ("Heschl\u2019s gyrus", "Cuneus")
    assert str(columns.values(volume)) == "[nan  1.]"


def test_plain_apostrophes():
    assert plain(" Heschl\u2019s gyrus ") == "Heschl's gyrus"
