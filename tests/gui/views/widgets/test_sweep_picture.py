import numpy as np
from hypothesis import given, settings, strategies as st
from sweep_samples import noise, source

from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.views.widgets.sweep import SweepInk, SweepLayout, SweepPicture, rgb

LAYOUT = SweepLayout(
    width=90, height=40, n_channels=2, samples_per_column=1.7, uv_per_row=8.0
)
INK = SweepInk.of(DARK)
TRACES = np.full(2, rgb(DARK.text), np.uint32)


def picture():
    return SweepPicture(LAYOUT, INK, 20.0)


def columns(spans):
    return {column for first, end in spans for column in range(first, end)}


@given(steps=st.lists(st.floats(0, 60), min_size=1, max_size=25))
@settings(deadline=None, max_examples=60)
def test_bit_by_bit_is_the_same_as_all_at_once(steps):
    read, slow, fast = source(noise(2)), picture(), picture()
    begun = 1.7 * 95  # the whole width has been drawn

    slow.advance(read, begun, TRACES)
    for sample in begun + np.cumsum(steps):
        slow.advance(read, sample, TRACES)
    fast.advance(read, begun + float(np.sum(steps)), TRACES)

    np.testing.assert_array_equal(slow.pixels, fast.pixels)


def test_only_what_is_new_changes():
    read, sweep = source(noise(2)), picture()
    sweep.advance(read, 300.0, TRACES)
    before = sweep.pixels.copy()

    spans = sweep.advance(read, 310.0, TRACES)

    changed = np.flatnonzero((sweep.pixels != before).any(axis=0))
    assert set(changed.tolist()) <= columns(spans)
    assert len(columns(spans)) < 12


def test_nothing_new_nothing_changes():
    read, sweep = source(noise(2)), picture()
    sweep.advance(read, 300.0, TRACES)

    assert sweep.advance(read, 300.5, TRACES) == []


def test_a_bar_without_traces_runs_ahead_of_the_cursor():
    read, sweep = source(noise(2)), picture()
    sweep.advance(read, 300.0, TRACES)
    cursor = LAYOUT.column_at(300.0) % LAYOUT.width

    assert (sweep.pixels[:, cursor] == INK.cursor).all()
    ahead = sweep.pixels[:, [(cursor + 1) % 90, (cursor + 2) % 90]]
    assert np.isin(ahead, [INK.panel, INK.grid]).all()
    behind = sweep.pixels[:, (cursor - 1) % 90]
    assert not np.isin(behind, [INK.panel, INK.grid, INK.cursor]).all()


def test_samples_that_are_counted_anew_are_drawn_anew():
    read, sweep = source(noise(2)), picture()
    sweep.advance(read, 3000.0, TRACES)

    assert columns(sweep.advance(read, 50.0, TRACES)) == set(range(90))


def test_colours_are_those_of_the_theme():
    assert SweepInk.of(LIGHT).panel == 0xFFFFFFFF
    assert rgb("#0067a3") == 0xFF0067A3
