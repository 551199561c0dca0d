import numpy as np
import pytest

from rtbold.gui.state.preferences import DARK
from rtbold.gui.state.received import EegBlock
from rtbold.gui.state.signals import ScopeBuffer
from rtbold.gui.views.widgets.scope_traces import Canvas, ScopeSettings, ScopeTraces
from rtbold.gui.views.widgets.sweep import SweepInk, rgb

RATE_HZ = 200.0
INKS = np.full(2, rgb(DARK.text), np.uint32)


def canvas(width=200, height=80, **settings):
    return Canvas(width, height, 4.0, 1.2, ScopeSettings(**settings), SweepInk.of(DARK))


def block(k, n_channels=2):
    rng = np.random.default_rng(k)
    data_uv = 30 * rng.normal(size=(n_channels, 20)).astype(np.float32)
    return EegBlock(
        sample_index=20 * k, t_first=0.1 * k, rate_hz=RATE_HZ, data_uv=data_uv
    )


def fed(scope, traces, seconds, *, begun_s=0.0):
    for k in range(round(10 * seconds)):
        scope.take(block(k))
        traces.follow(scope, begun_s + 0.1 * (k + 1), INKS)


def has_traces(traces):
    return bool((traces.picture.pixels == rgb(DARK.text)).any())


def test_draws_what_comes():
    traces, scope = ScopeTraces(), ScopeBuffer()
    traces.lay_out(canvas())

    fed(scope, traces, 3)

    assert has_traces(traces)
    drawn = (traces.picture.pixels == rgb(DARK.text)).any(axis=0)
    assert 40 <= drawn.sum() <= 60  # 3 s of 10 on 200 columns


@pytest.mark.parametrize(
    "other",
    [canvas(300), canvas(uv=20.0), canvas(seconds=5.0), canvas(filter="1-40 Hz")],
    ids=["size", "scale", "length", "filter"],
)
def test_another_way_to_look_draws_all_anew_at_once(other):
    traces, scope = ScopeTraces(), ScopeBuffer()
    traces.lay_out(canvas())
    fed(scope, traces, 8)
    before = traces.picture.pixels.copy()

    traces.lay_out(other)
    spans = traces.follow(scope, 8.05, INKS)

    assert sum(end - first for first, end in spans) == other.width
    assert has_traces(traces)
    assert (
        traces.picture.pixels.shape != before.shape
        or (traces.picture.pixels != before).any()
    )


def test_the_same_canvas_again_costs_nothing():
    traces, scope = ScopeTraces(), ScopeBuffer()
    traces.lay_out(canvas())
    fed(scope, traces, 2)
    n_pictures = traces.n_pictures

    traces.lay_out(canvas())

    assert traces.n_pictures == n_pictures


def test_another_session_leaves_nothing_of_the_last_one():
    traces, scope = ScopeTraces(), ScopeBuffer()
    traces.lay_out(canvas())
    fed(scope, traces, 3)
    fresh = ScopeBuffer()

    traces.follow(fresh, 3.1, INKS)

    assert traces.picture is None  # the fresh one has had no samples
    fresh.take(block(0))
    traces.follow(fresh, 3.2, INKS)
    drawn = (traces.picture.pixels == rgb(DARK.text)).any(axis=0)
    assert drawn.sum() <= 2  # the tenth of a second that came


def test_other_channels_get_another_picture():
    traces, scope = ScopeTraces(), ScopeBuffer()
    traces.lay_out(canvas())
    fed(scope, traces, 1)

    scope.take(block(0, n_channels=5))
    traces.follow(scope, 1.2, np.full(5, rgb(DARK.text), np.uint32))

    assert traces.picture.layout.n_channels == 5


def test_silence_is_told_from_the_last_sample_on():
    traces, scope = ScopeTraces(), ScopeBuffer()
    traces.lay_out(canvas())
    fed(scope, traces, 2)

    assert traces.silent_s(scope, 2.05) < 0.1
    traces.follow(scope, 5.0, INKS)
    assert traces.silent_s(scope, 5.0) == pytest.approx(3.0, abs=0.11)
    scope.take(block(20))
    assert traces.silent_s(scope, 5.0) == 0


def test_a_canvas_that_is_too_small_shows_nothing():
    traces, scope = ScopeTraces(), ScopeBuffer()
    traces.lay_out(canvas(width=10))

    fed(scope, traces, 1)

    assert traces.picture is None
