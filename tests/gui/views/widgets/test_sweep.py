from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sweep_samples import noise, source

from rtbold.gui.views.widgets.sweep import (
    JUMP_S,
    LAG_S,
    SweepCursor,
    SweepLayout,
    column_ranges,
    draw_columns,
)

RATE_HZ = 200.0
PANEL, INK = 0xFF101010, 0xFFFFFFFF


class TestColumnRanges:
    @pytest.mark.parametrize("per_column", [0.31, 1.0, 1.7, 2.0, 5.3])
    def test_no_sample_is_lost(self, per_column):
        values = noise()
        n = int(1000 / per_column)

        low, high = column_ranges(source(values), 0, n, samples_per_column=per_column)

        last = int(n * per_column)
        np.testing.assert_allclose(low.min(axis=1), values[:, : last + 1].min(axis=1))
        np.testing.assert_allclose(high.max(axis=1), values[:, : last + 1].max(axis=1))

    def test_a_single_peak_is_in_its_column_and_in_no_other(self):
        values = np.zeros((1, 400), np.float32)
        values[0, 101] = 7

        _, high = column_ranges(source(values), 0, 100, samples_per_column=3.0)

        assert np.flatnonzero(high[0]).tolist() == [33]  # samples 99 to 101
        assert high[0, 33] == 7

    @given(
        cuts=st.lists(st.integers(1, 299), max_size=8),
        per_column=st.floats(0.2, 6, allow_nan=False),
    )
    @settings(deadline=None, max_examples=50)
    def test_pieces_do_not_matter(self, cuts, per_column):
        read = source(noise())
        whole = column_ranges(read, 0, 300, samples_per_column=per_column)
        bounds = sorted({0, 300, *cuts})

        pieces = [
            column_ranges(read, first, end, samples_per_column=per_column)
            for first, end in pairwise(bounds)
        ]

        for k in (0, 1):
            joined = np.concatenate([piece[k] for piece in pieces], axis=1)
            np.testing.assert_array_equal(joined, whole[k])

    def test_columns_touch_so_that_lines_have_no_gaps(self):
        low, high = column_ranges(source(noise()), 0, 300, samples_per_column=0.7)

        assert (low[:, 1:] <= high[:, :-1] + 1e-6).all()
        assert (high[:, 1:] >= low[:, :-1] - 1e-6).all()

    def test_a_hole_is_blank(self):
        values = noise()
        values[:, 300:340] = np.nan

        low, high = column_ranges(source(values), 140, 180, samples_per_column=2.0)

        blank = np.isnan(low).all(axis=0)
        assert blank.tolist() == [False] * 10 + [True] * 19 + [False] * 11
        assert (np.isnan(high).all(axis=0) == blank).all()


class TestDrawColumns:
    def layout(self, **changes):
        given = {
            "width": 40, "height": 60, "n_channels": 3, "samples_per_column": 2.0,
            "uv_per_row": 20.0, **changes,
        }  # fmt: skip
        return SweepLayout(**given)

    def drawn(self, low, high, *, first=0, layout=None):
        layout = layout or self.layout()
        pixels = np.full((layout.height, layout.width), PANEL, np.uint32)
        inks = np.full(layout.n_channels, INK, np.uint32)
        ranges = np.asarray(low, np.float32), np.asarray(high, np.float32)
        draw_columns(pixels, ranges, first=first, layout=layout, colours=inks)
        return pixels

    def test_zero_is_in_the_middle_of_each_row_and_up_is_positive(self):
        pixels = self.drawn([[0], [0], [5]], [[0], [0], [10]])

        bright = np.flatnonzero(pixels[:, 0] != PANEL)
        # Rows of 20 pixels for 20 uV: zeros at 10, 30, 50; 5 to 10 uV above 50.
        assert {9, 10, 29, 30} <= set(bright.tolist())
        assert set(range(40, 45)) <= set(bright.tolist())
        assert 50 not in bright

    def test_columns_are_counted_on_and_wrap_around(self):
        pixels = self.drawn(np.zeros((3, 4)), np.zeros((3, 4)), first=78)

        changed = np.flatnonzero((pixels != PANEL).any(axis=0))
        assert changed.tolist() == [0, 1, 38, 39]

    def test_beyond_the_picture_stays_at_its_edge(self):
        pixels = self.drawn([[1e6], [0], [-1e6]], [[1e9], [0], [-1e5]])

        assert pixels[0, 0] != PANEL
        assert pixels[-1, 0] != PANEL

    def test_nan_draws_nothing(self):
        pixels = self.drawn(np.full((3, 5), np.nan), np.full((3, 5), np.nan))

        assert (pixels == PANEL).all()

    def test_half_a_pixel_is_half_as_bright(self):
        layout = self.layout(n_channels=1, height=20, uv_per_row=20.0, stroke=1.0)

        pixels = self.drawn([[0]], [[0]], layout=layout)  # from 9.5 to 10.5

        half = 0x10 + (0xFF - 0x10) / 2
        for row in (9, 10):
            assert pixels[row, 0] & 0xFF == pytest.approx(half, abs=2)
            assert pixels[row, 0] >> 24 == 0xFF

    def test_margins_keep_the_first_and_last_row_away_from_the_edge(self):
        layout = self.layout(margin=6.0)

        assert layout.baselines().tolist() == [14.0, 30.0, 46.0]


class TestCursor:
    def played(self, arrivals, frames):
        """Return the cursor at each frame; `arrivals` are (time, newest)."""
        cursor, found, pending = SweepCursor(), [], sorted(arrivals)
        newest = 0
        for now_s in frames:
            while pending and pending[0][0] <= now_s:
                newest = pending.pop(0)[1]
            found.append(cursor.move(newest, now_s, RATE_HZ))
        return np.array(found), cursor

    def steady(self, seconds=6.0):
        return [(0.1 * k, 20 * k) for k in range(int(10 * seconds))]

    def test_moves_smoothly_a_little_behind_though_samples_come_in_pieces(self):
        frames = np.arange(1, 170) * 0.033
        at, _ = self.played(self.steady(), frames)

        steps = np.diff(at)[60:]
        assert steps.min() > 0.6 * 0.033 * RATE_HZ
        assert steps.max() < 1.5 * 0.033 * RATE_HZ
        lag_s = frames[60:] - at[60:] / RATE_HZ
        assert (np.abs(lag_s - LAG_S) < 0.12).all()

    def test_is_never_ahead_of_the_newest_sample_and_stops_with_it(self):
        frames = np.arange(1, 200) * 0.033
        at, cursor = self.played(self.steady(3.0), frames)

        assert at[-1] == 20 * 29
        assert (np.diff(at) >= 0).all()
        assert cursor.silent_s(frames[-1]) == pytest.approx(frames[-1] - 2.9, abs=0.04)

    def test_jumps_when_it_is_far_behind(self):
        cursor = SweepCursor()
        cursor.move(0, 0.0, RATE_HZ)
        far = round(2 * JUMP_S * RATE_HZ)

        assert cursor.move(far, 0.033, RATE_HZ) == far - LAG_S * RATE_HZ

    def test_begins_anew_when_samples_are_counted_from_the_start(self):
        cursor = SweepCursor()
        cursor.move(5000, 1.0, RATE_HZ)

        assert cursor.move(20, 1.033, RATE_HZ) == 20
