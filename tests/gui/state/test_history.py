import math

import numpy as np
import pytest
from feed_messages import ROIS, received, roi_names
from hypothesis import given, settings, strategies as st

from rtbold.gui.state.history import VolumeHistory
from rtbold.publish.compose import roi_hash


def begun(capacity=2000, rois=ROIS):
    history = VolumeHistory(capacity)
    history.begin(rois, roi_hash(rois))
    return history


def predict(history, volume, value=None, **changes):
    values = (float(volume if value is None else value),) * len(history.rois)
    given = {
        "volume": volume,
        "values": values,
        "roi_hash": history.roi_hash,
        **changes,
    }
    history.take_prediction(received("pred.roi", **given))


def feed_back(history, volume, **changes):
    history.take_feedback(received("pred.fb", volume=volume, **changes))


def measure(history, volume, **changes):
    given = {"rois": history.rois, "volume": volume, "t_volume": None, **changes}
    history.take_truth(received("truth", **given))


def test_prediction_and_feedback_share_a_row():
    history = begun()
    feed_back(history, 0, value=0.3, status="degraded")
    predict(history, 0, 0.5, t_trigger=1004.9)
    rows = history.view()
    assert len(rows) == 1
    assert (rows.volume_index[0], rows.status[0]) == (0, "ok")
    assert (rows.target[0], rows.target_status[0]) == (0.3, "degraded")
    np.testing.assert_allclose(rows.values[0], 0.5)
    np.testing.assert_allclose(rows.low[0], -0.5)
    assert rows.t_trigger[0] == 1004.9
    assert np.isnan(rows.low_80).all()


def test_measured_bold_is_paired_by_volume_however_late():
    history = begun()
    for volume in range(6):
        predict(history, volume)
    for volume in (3, 1):
        measure(history, volume)
    rows = history.view()
    np.testing.assert_allclose(rows.measured_raw[[1, 3], 0], [101.0, 103.0])
    np.testing.assert_allclose(rows.measured[[1, 3], 0], [100.0, 102.0])
    assert np.isnan(rows.measured[[0, 2, 4, 5]]).all()


def test_a_measurement_before_its_prediction_waits_for_it():
    history = begun()
    predict(history, 0)
    measure(history, 1)
    assert np.isnan(history.view().measured).all()
    predict(history, 1)
    np.testing.assert_allclose(history.view().measured[:, 0], [math.nan, 100.0])


def test_a_measurement_far_ahead_is_of_another_run_and_left_out():
    history = begun()
    predict(history, 0)
    measure(history, 299)
    assert history.n_unpaired == 1
    for volume in range(1, 301):
        predict(history, volume)
    assert np.isnan(history.view().measured).all()


def test_a_look_ahead_stands_in_the_row_that_it_is_for():
    history = begun()
    for volume in range(3):
        predict(history, volume, horizon_tr=2)
        feed_back(history, volume, horizon_tr=2)
    measure(history, 3)
    rows = history.view()
    np.testing.assert_array_equal(rows.volume_index, [2, 3, 4])
    np.testing.assert_allclose(rows.values[1], 1.0)  # predicted at volume 1 for 3
    np.testing.assert_allclose(rows.measured_raw[1], 103.0)


def test_only_some_rois_measured_and_some_of_other_names():
    history = begun()
    predict(history, 0)
    measure(history, 0, rois=("pIns_L", "elsewhere", "dmn"), values=(1.0, 2.0, None),
            filtered=(), predicted=(), scores=())  # fmt: skip
    rows = history.view()
    np.testing.assert_array_equal(rows.measured_raw[0], [np.nan, np.nan, 1.0])
    assert np.isnan(rows.measured).all()


def test_volumes_that_were_skipped_have_empty_rows():
    history = begun()
    predict(history, 0)
    predict(history, 3)
    measure(history, 2)
    rows = history.view()
    np.testing.assert_array_equal(rows.volume_index, [0, 1, 2, 3])
    assert list(rows.status) == ["ok", "", "", "ok"]
    assert np.isnan(rows.values[1:3]).all()
    np.testing.assert_allclose(rows.measured_raw[2], 102.0)


def test_a_count_that_begins_anew_is_another_run():
    history = begun()
    for volume in range(3):
        feed_back(history, volume)
        predict(history, volume)
    measure(history, 3)  # of a volume that never came
    for volume in range(4):
        feed_back(history, volume)
        predict(history, volume, 10 + volume)
    rows = history.view()
    np.testing.assert_array_equal(rows.run, [0, 0, 0, 1, 1, 1, 1])
    np.testing.assert_array_equal(rows.volume_index, [0, 1, 2, 0, 1, 2, 3])
    np.testing.assert_allclose(rows.values[3:, 0], [10, 11, 12, 13])
    assert np.isnan(rows.measured_raw).all()
    measure(history, 1)
    np.testing.assert_allclose(history.view().measured_raw[4], 101.0)
    assert np.isnan(history.view().measured_raw[1]).all()


def test_invalid_volumes_have_a_row_and_no_value():
    history = begun()
    predict(history, 0, status="invalid", reasons=("gap",))
    feed_back(history, 0, status="invalid", reasons=("gap",))
    rows = history.view()
    assert (rows.status[0], rows.target_status[0]) == ("invalid", "invalid")
    assert np.isnan(rows.values).all()
    assert np.isnan(rows.target).all()


def test_a_prediction_without_a_volume_has_no_row():
    history = begun()
    feed_back(history, 0, volume_index=None, t_trigger=None, status="paused")
    assert len(history.view()) == 0


@pytest.mark.parametrize(
    "changes", [{"values": (1.0,) * 5}, {"roi_hash": "0123456789ab"}]
)
def test_other_rois_are_refused_in_words(changes):
    history = begun()
    predict(history, 0)
    with pytest.raises(ValueError, match=r"expected 3 \(ROIs .*Restart the session"):
        predict(history, 1, **changes)
    assert len(history) == 1


def test_the_oldest_rows_go_and_memory_stays():
    history = begun(40)
    for volume in range(500):
        predict(history, volume)
    rows = history.view()
    np.testing.assert_array_equal(rows.volume_index, np.arange(460, 500))
    np.testing.assert_allclose(rows.values[:, 0], np.arange(460, 500))
    assert len(rows.values.base) == 50
    measure(history, 100)  # older than what is kept
    assert history.n_unpaired == 1


def test_a_leap_of_the_count_costs_no_memory():
    history = begun(40)
    predict(history, 3)
    predict(history, 10**12)
    rows = history.view()
    np.testing.assert_array_equal(rows.volume_index, [3, 10**12])
    measure(history, 10**12)
    np.testing.assert_allclose(history.view().measured_raw[0], np.nan)
    assert not np.isnan(history.view().measured_raw[1]).any()


def test_an_old_view_stays_what_it_was_when_rows_move():
    history = begun(8)
    for volume in range(8):
        predict(history, volume)
    before = history.view()
    kept = before.values.copy()
    for volume in range(8, 40):
        predict(history, volume)
    np.testing.assert_array_equal(before.values, kept)


def test_views_cost_no_copy_and_the_version_says_what_changed():
    history = begun(rois=roi_names(64))
    predict(history, 0)
    version = history.version
    assert np.shares_memory(history.view().values, history.view().values)
    assert history.version == version
    measure(history, 0)
    assert history.version > version


VOLUMES = st.lists(
    st.tuples(
        st.sampled_from(["roi", "fb", "truth", "new run", "skip"]), st.integers(0, 6)
    ),
    max_size=60,
)


@given(steps=VOLUMES, capacity=st.integers(4, 25))
@settings(max_examples=150, deadline=None)
def test_each_row_holds_what_came_for_its_volume_and_run_only(steps, capacity):
    """Values carry run and volume, so that a row that took another's would show it."""
    history, run, next_volume, seen = begun(capacity), 0, 0, False
    for what, n in steps:
        mark, onset_s = 1000.0 * run + next_volume, 9e4 * run + 2.1 * next_volume
        if what == "new run":
            run, next_volume, seen = run + 1, 0, False
        elif what == "skip":
            next_volume += n * seen
        elif what == "truth":
            if seen and next_volume > n:
                marks = (mark - 1 - n,) * 3
                measure(history, next_volume - 1 - n, values=marks, filtered=marks)
        else:
            seen = True
            if what == "roi" or n % 2:
                predict(history, next_volume, mark, t_trigger=onset_s)
            if what == "fb" or n % 2:
                feed_back(history, next_volume, value=mark, t_trigger=onset_s)
            next_volume += 1
    rows = history.view()
    assert len(rows) <= capacity
    marks = 1000.0 * (rows.t_trigger // 9e4) + rows.volume_index
    for column in (rows.values[:, 0], rows.target, rows.measured[:, 1]):
        known = ~np.isnan(column) & ~np.isnan(marks)
        np.testing.assert_array_equal(column[known], marks[known])
    steps_on = np.diff(rows.volume_index)[np.diff(rows.run) == 0]
    assert np.all((steps_on == 1) | (steps_on > capacity))


def test_a_straggler_of_the_run_before_is_not_measured_in_this_one():
    history = begun()
    for volume in range(3):
        predict(history, volume, t_trigger=1000.0 + 2 * volume)
    predict(history, 0, t_trigger=1060.0)
    measure(history, 3, t_volume=1006.0)  # expected soon, by its number
    measure(history, 0, t_volume=1000.0)
    predict(history, 3, t_trigger=1066.0)
    rows = history.view()
    assert np.isnan(rows.measured_raw).all()
    assert history.n_unpaired == 2
    measure(history, 3, t_volume=1066.0)
    assert history.view().measured_raw[-1, 0] == 103.0
