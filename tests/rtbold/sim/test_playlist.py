import numpy as np
import pytest

from rtbold.errors import ConfigError
from rtbold.files.recording import RecordedMarker, Recording
from rtbold.messages import Channel
from rtbold.sim.player import cut, with_triggers

DATA_UV = np.arange(2000, dtype=np.float32).reshape(2, 1000)


def recording(markers=()):
    return Recording(
        data_uv=DATA_UV,
        rate_hz=100.0,
        channels=(Channel("Fp1", "uV"), Channel("Cz", "uV")),
        markers=tuple(RecordedMarker(label, t) for label, t in markers),
        stamps_s=50.0 + np.arange(1000) / 100.0,
    )


def test_a_cut_moves_markers_and_stamps_with_the_samples():
    part = cut(
        recording([("a", 1.0), ("b", 2.5), ("c", 6.0)]), start_s=2.0, duration_s=3.0
    )
    np.testing.assert_array_equal(part.data_uv, DATA_UV[:, 200:500])
    np.testing.assert_array_equal(part.stamps_s, recording().stamps_s[200:500])
    assert [(m.label, m.t_s) for m in part.markers] == [("b", 0.5)]
    assert part.duration_s == 3.0


def test_without_wishes_nothing_is_cut():
    whole = recording([("a", 1.0)])
    part = cut(whole)
    np.testing.assert_array_equal(part.data_uv, DATA_UV)
    assert part.markers == whole.markers


def test_a_duration_beyond_the_end_ends_there():
    assert cut(recording(), start_s=9.0, duration_s=60.0).duration_s == 1.0


@pytest.mark.parametrize("start_s", [-1.0, 10.0, 1e9, float("nan")])
def test_a_start_outside_is_refused(start_s):
    with pytest.raises(ConfigError, match="--start"):
        cut(recording(), start_s=start_s)


@pytest.mark.parametrize("duration_s", [0.0, -3.0, float("nan")])
def test_a_duration_that_is_none_is_refused(duration_s):
    with pytest.raises(ConfigError, match="--duration"):
        cut(recording(), duration_s=duration_s)


def test_triggers_come_at_exact_multiples_among_the_markers():
    made = with_triggers(recording([("a", 3.0)]), every_s=2.1, label="R128")
    labels = [m.label for m in made.markers]
    assert labels == ["R128", "R128", "a", "R128", "R128", "R128"]
    times_s = [m.t_s for m in made.markers if m.label == "R128"]
    assert times_s == [k * 2.1 for k in range(5)]


def test_a_train_is_not_mixed_with_true_triggers():
    with pytest.raises(ConfigError, match="of its own"):
        with_triggers(recording([("R128", 3.0)]), every_s=2.1, label="R128")


@pytest.mark.parametrize("every_s", [0.0, -1.0, 2100.0, float("nan")])
def test_an_interval_that_is_no_tr_is_refused(every_s):
    with pytest.raises(ConfigError, match="--trigger-every-s"):
        with_triggers(recording(), every_s=every_s, label="R128")
