"""Both chains on signals whose fate is known, and the figures drawn from them."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
VOLUMES_S = np.array([30.0, 32.1, 34.2])
CHANNELS = ("FP1", "CZ", "O2")


@pytest.fixture(scope="module")
def chains():
    sys.path.insert(0, str(SCRIPTS))
    try:
        import compare_chains as module

        yield module
    finally:
        sys.path.remove(str(SCRIPTS))
        sys.modules.pop("compare_chains", None)


def tones(chains, hz, rate_hz=200.0):
    t_s = np.arange(round(40 * rate_hz)) / rate_hz
    phases = np.array([0.0, 1.0, 2.0])[:, None]
    eeg_uv = 30 * np.sin(2 * np.pi * hz * t_s + phases)
    return chains.Source(eeg_uv.astype(np.float32), rate_hz, CHANNELS)


@pytest.mark.parametrize("rate_hz", [200.0, 500.0])
def test_alpha_comes_through_both_chains_alike(chains, rate_hz):
    source = tones(chains, 10.0, rate_hz)
    published = chains.offline(source, VOLUMES_S, chains.untouched)
    assert published.shape == (3, 3, 3200)
    found = chains.agreement_of_windows(chains.live(source, VOLUMES_S), published)
    assert found.r.min() > 0.995
    # 0.23 dB is what docs/explanation/conditioning.md allows the resampler.
    assert np.abs(found.slope - 1).max() < 0.03


def test_the_published_window_ends_before_its_volume(chains):
    source = tones(chains, 1.0)
    eeg_uv = source.eeg_uv.copy()
    eeg_uv[0, 6000:] = 1e4  # from t = 30 s on: the first volume must not see it
    later = chains.replace(source, eeg_uv=eeg_uv)
    first, second = chains.offline(later, VOLUMES_S[:2], chains.untouched)
    assert np.abs(first).max() < 200
    assert np.abs(second).max() > 1000


def test_slow_waves_are_what_the_causal_high_pass_moves(chains):
    source = tones(chains, 0.8)
    zero = chains.offline(source, VOLUMES_S, chains.untouched)
    late = chains.offline(source, VOLUMES_S, chains.causal)
    assert chains.agreement_of_windows(late, zero).r.max() < 0.9


def test_agreement_is_r_and_slope_of_each_column(chains):
    rng = np.random.default_rng(0)
    reference = rng.standard_normal((500, 2))
    other = np.stack([0.5 * reference[:, 0] + 3, rng.standard_normal(500)], axis=1)
    found = chains.agreement(other, reference)
    np.testing.assert_allclose(found.r, [1.0, 0.0], atol=0.1)
    np.testing.assert_allclose(found.slope, [0.5, 0.0], atol=0.1)


def test_fft_resampling_there_and_back_changes_nothing(chains):
    source = tones(chains, 10.0)
    there = chains.resampled(source, 500.0)
    assert there.eeg_uv.shape == (3, 20000)
    back = chains.resampled(there, 200.0)
    np.testing.assert_allclose(back.eeg_uv, source.eeg_uv, atol=1e-3)


def test_every_comparison_has_chains_and_words(chains):
    rates = {f"live {rate_hz:g}" for rate_hz in chains.SOURCE_RATES_HZ}
    for _, other, reference in chains.CASES:
        assert other in rates | set(chains.SAID)
        assert reference in chains.SAID


def test_the_page_has_one_place_for_the_tables(chains):
    text = chains.DOCS.read_text("utf-8")
    assert text.count(chains.BEGIN) == text.count(chains.END) == 1
    new = chains.filled(text, "rows")
    assert f"{chains.BEGIN}\nrows\n{chains.END}" in new
