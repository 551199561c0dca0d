import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

pytest.importorskip("torch")

from rtbold.calibration.fit.split import (
    MIN_N,
    STRICT_GAP_S,
    StrictSettings,
    contiguous_runs,
    final_part,
    inner_blocks,
    published_split,
    strict_folds,
)
from rtbold.errors import ConfigError, DataFileError

TR_S = 2.1


def onsets(n, tr_s=TR_S):
    return 16.8 + np.arange(n) * tr_s


def test_published_split_leaves_48_of_20_minutes_to_test():
    part = published_split(571, TR_S)
    assert (len(part.train), len(part.test)) == (457, 48)
    assert part.stop[0] - part.train[-1] == 10
    assert part.test[0] - part.stop[-1] == 10
    assert part.test[-1] == 570


def test_test_folds_tile_the_scan():
    folds = strict_folds(onsets(457))
    np.testing.assert_array_equal(
        np.concatenate([fold.test for fold in folds]), np.arange(457)
    )
    assert len(folds) == 5


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(330, 700),
    n_folds=st.integers(5, 8),
    tr_s=st.sampled_from([1.5, 2.0, 2.1, 2.5]),
    lost=st.sets(st.integers(0, 329), max_size=15),
)
def test_parts_are_36_seconds_apart_whatever_is_missing(n, n_folds, tr_s, lost):
    t = np.delete(onsets(n, tr_s), sorted(lost))
    for fold in strict_folds(t, StrictSettings(n_folds=n_folds)):
        parts = [fold.train, fold.stop, fold.test]
        for i, one in enumerate(parts):
            for other in parts[i + 1 :]:
                assert np.abs(t[one][:, None] - t[other]).min() >= STRICT_GAP_S - 1e-5
        for name, least in MIN_N.items():
            assert len(getattr(fold, name)) >= least


def test_stop_part_is_contiguous_and_far_from_the_test_fold():
    for fold in strict_folds(onsets(457)):
        assert np.all(np.diff(fold.stop) == 1)
        assert fold.stop[0] == 0 or fold.stop[-1] == 456


def test_too_few_volumes_says_how_many_are_needed():
    with pytest.raises(DataFileError, match=r"150 volumes .* at least (\d+) at a TR"):
        strict_folds(onsets(150))
    with pytest.raises(DataFileError) as caught:
        strict_folds(onsets(150))
    needed = int(str(caught.value).split("at least ")[1].split()[0])
    strict_folds(onsets(needed))
    with pytest.raises(DataFileError):
        strict_folds(onsets(needed - 1))


@pytest.mark.parametrize("n", [0, 1, 5])
def test_almost_nothing_is_refused_in_words(n):
    with pytest.raises(DataFileError, match="scan longer"):
        strict_folds(onsets(n))
    with pytest.raises(DataFileError, match="scan longer"):
        published_split(n, TR_S)


def test_a_weaker_split_may_not_be_called_strict():
    with pytest.raises(ConfigError, match="5 or more"):
        StrictSettings(n_folds=4)
    with pytest.raises(ConfigError, match="36 or more"):
        StrictSettings(gap_s=20)
    with pytest.raises(ConfigError, match="share"):
        StrictSettings(stop_share=0.9)


def test_final_fit_uses_everything_but_the_stop_part_and_its_gap():
    part = final_part(onsets(457))
    assert len(part.test) == 0
    assert part.stop[-1] == 456
    left_out = 457 - len(part.train) - len(part.stop)
    assert left_out == int(np.ceil(STRICT_GAP_S / TR_S)) - 1


def test_without_a_stop_part_all_but_the_gap_learns():
    onsets_s = np.arange(300) * 2.0
    split = StrictSettings(stop_share=0.0)
    for part in strict_folds(onsets_s, split):
        apart = np.abs(onsets_s - onsets_s[part.test][:, None]).min(axis=0)
        np.testing.assert_array_equal(part.train, np.flatnonzero(apart >= 36))
        assert not len(part.stop)
    np.testing.assert_array_equal(final_part(onsets_s, split).train, np.arange(300))


def test_inner_blocks_keep_the_gap():
    t, rows = onsets(300), np.arange(100, 300)
    pairs = inner_blocks(rows, t, 4)
    np.testing.assert_array_equal(np.concatenate([c for _, c in pairs]), rows)
    for learn, check in pairs:
        assert np.abs(t[learn][:, None] - t[check]).min() >= STRICT_GAP_S - 1e-5


def test_runs_end_at_holes_in_rows_and_in_time():
    t = np.delete(onsets(20), 10)
    runs = contiguous_runs(np.array([0, 1, 2, 5, 6, 7, 8, 9, 10, 11]), t)
    assert [run.tolist() for run in runs] == [[0, 1, 2], [5, 6, 7, 8, 9], [10, 11]]
    assert contiguous_runs(np.array([], dtype=int), t) == ()
