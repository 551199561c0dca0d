import numpy as np
import pipeline_rig as rig
import pytest

from rtbold.condition.intake import Intake, IntakeSettings
from rtbold.window.window import RING_SAMPLES, Window

RATE_HZ = 250
SECONDS = 20.0


@pytest.fixture
def intake():
    return Intake(rig.stream(RATE_HZ), rig.card(), IntakeSettings())


def filled(intake, seconds=SECONDS):
    """Return a window that took `seconds` of EEG, and all conditioned samples."""
    window, taken = Window(rig.N_CHANNELS), []
    data_uv = rig.eeg(RATE_HZ, seconds)
    for chunk in rig.samples(data_uv, RATE_HZ, rig.every(RATE_HZ, seconds)):
        for block in intake.conditioned(chunk, chunk.t_arrived_s):
            window.append(block)
            taken.append(block.data_uv)
    return window, np.concatenate(taken, axis=1)


def test_before_the_first_block_there_is_nothing_to_cut():
    window = Window(rig.N_CHANNELS)
    assert window.cut(rig.T0_S) is None
    assert (window.newest_s, window.end_200hz) == (None, 0)


def test_a_cut_has_the_3200_samples_before_its_end(intake):
    window, taken = filled(intake)
    cut = window.cut(rig.T0_S + 18.0)
    assert cut.whole
    assert not cut.before_start
    np.testing.assert_array_equal(cut.data_uv, taken[:, 400:3600])
    assert (cut.source_first, cut.source_end) == (2 * RATE_HZ, 18 * RATE_HZ)
    assert (cut.bridged_share, cut.stepped) == (0.0, False)
    assert window.time_of(3600) == pytest.approx(rig.T0_S + 18.0)


def test_a_cut_waits_for_its_last_sample_to_leave_the_filter(intake):
    window, _ = filled(intake)
    newest_s = rig.T0_S + SECONDS - 1 / RATE_HZ
    assert window.newest_s == pytest.approx(newest_s)
    assert window.cut(newest_s) is None
    cut = window.cut(newest_s - intake.fit.delay_s)
    assert cut.whole
    assert cut.t_needed_s <= newest_s + 1e-6
    assert cut.t_needed_arrived_s == pytest.approx(newest_s, abs=0.06)


def test_a_window_that_begins_before_the_filters_has_no_samples(intake):
    window, _ = filled(intake)
    cut = window.cut(rig.T0_S + 15.9)
    assert cut.before_start
    assert (cut.whole, cut.data_uv) == (False, None)
    assert window.cut(rig.T0_S + 16.0).whole


def test_a_window_that_left_the_ring_has_no_samples(intake):
    window, _ = filled(intake, 30.0)
    kept_s = RING_SAMPLES / 200
    oldest_s = rig.T0_S + window.end_200hz / 200 - kept_s + 16.0
    assert window.cut(oldest_s + 0.01).whole
    gone = window.cut(oldest_s - 0.01)
    assert (gone.whole, gone.before_start) == (False, False)


def test_a_block_of_another_segment_forgets_what_was_before_it(intake):
    window, _ = filled(intake)
    window.append(intake.restart(7000))
    assert (window.newest_s, window.end_200hz) == (None, 0)
    assert window.cut(rig.T0_S + 18.0) is None
