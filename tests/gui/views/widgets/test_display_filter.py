import numpy as np
from hypothesis import given, settings, strategies as st
from scipy.signal import butter, sosfilt, sosfilt_zi
from sweep_samples import noise, source

from rtbold.gui.views.widgets.scope_traces import DisplayFilter

RATE_HZ = 200.0


def offline(values):
    sections = butter(2, (1.0, 40.0), btype="bandpass", fs=RATE_HZ, output="sos")
    state = sosfilt_zi(sections)[:, None, :] * values[None, :, :1].astype(float)
    return sosfilt(sections, values.astype(float), axis=1, zi=state)[0]


def filtered(values, *, ends, capacity=2000):
    eyes = DisplayFilter(RATE_HZ, capacity)
    for end in ends:
        eyes.follow(source(values), end)
    return eyes


@given(cuts=st.lists(st.integers(1, 899), max_size=10))
@settings(deadline=None, max_examples=40)
def test_pieces_do_not_matter(cuts):
    values = noise(2, 900)

    eyes = filtered(values, ends=[*sorted(cuts), 900])

    np.testing.assert_allclose(eyes.read(0, 900), offline(values), atol=1e-5)


def test_drift_goes_and_alpha_stays():
    t_s = np.arange(2000) / RATE_HZ
    alpha = np.sin(2 * np.pi * 10 * t_s)
    values = np.stack([alpha + 500, 50 * np.sin(2 * np.pi * 0.05 * t_s)])

    seen = filtered(values.astype(np.float32), ends=[2000]).read(1000, 2000)

    assert abs(seen[0].mean()) < 0.05
    assert 0.65 < seen[0].std() < 0.75
    assert seen[1].std() < 2


def test_a_hole_is_blank_and_what_follows_begins_anew():
    values = noise(2, 900)
    values[:, 400:450] = np.nan

    seen = filtered(values, ends=[430, 900]).read(0, 900)

    assert np.isnan(seen[:, 400:450]).all()
    np.testing.assert_allclose(seen[:, :400], offline(values[:, :400]), atol=1e-5)
    np.testing.assert_allclose(seen[:, 450:], offline(values[:, 450:]), atol=1e-5)


def test_one_channel_without_numbers_does_not_harm_the_others():
    values = noise(2, 900)
    values[1, 300] = np.nan

    seen = filtered(values, ends=[900]).read(0, 900)

    assert np.isnan(seen[1]).sum() == 1
    np.testing.assert_allclose(seen[0], offline(values)[0], atol=1e-5)


def test_what_is_too_old_or_not_there_yet_is_nan():
    eyes = filtered(noise(2, 900), ends=[900], capacity=200)

    assert np.isnan(eyes.read(600, 700)).all()
    assert np.isfinite(eyes.read(700, 900)).all()
    assert np.isnan(eyes.read(900, 910)).all()
