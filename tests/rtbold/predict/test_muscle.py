import msgspec
import numpy as np
import pipeline_rig as rig
import pytest

from rtbold.bundle import MuscleReference
from rtbold.bundle.card import Card
from rtbold.errors import ConfigError
from rtbold.predict.muscle import (
    MuscleMonitor,
    MuscleSettings,
    muscle_channels,
    muscle_power,
)
from rtbold.predict.pipeline import Pipeline, PipelineSettings
from rtbold.window.schedule import ScheduleSettings

CHANNELS = ("Fz", "T7", "T8", "Oz")
TR_S = 2.0
RATE_HZ = 200.0
N = 3200


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def window(rng, tension=1.0):
    """White noise of 5 uV; above 25 Hz times `tension` at the temples."""
    spectrum = np.fft.rfft(5 * rng.standard_normal((len(CHANNELS), N)))
    spectrum[1:3, np.fft.rfftfreq(N, 1 / RATE_HZ) > 25] *= tension
    return np.fft.irfft(spectrum, N).astype(np.float32)


def reference(rng, limit=0.5):
    power = np.array([muscle_power(window(rng)[[1, 2]]) for _ in range(5)])
    return MuscleReference(
        channels=("T7", "T8"), level=tuple(power[..., 0].mean(axis=0)),
        below=tuple(power[..., 1].mean(axis=0)), limit=limit, n_windows=5,
    )  # fmt: skip


def monitor(rng, **changes):
    settings = MuscleSettings(sustained_s=20)  # 10 windows
    given = {"tr_s": TR_S, "settings": settings, **changes}
    return MuscleMonitor(reference(rng), CHANNELS, **given)


def test_channels_near_muscles_tell_else_all():
    assert muscle_channels(("FZ", "T7", "TP10", "OZ")) == ("T7", "TP10")
    assert muscle_channels(("FZ", "T7", "OZ")) == ("FZ", "T7", "OZ")
    assert muscle_channels(("Cz", "T3", "T4")) == ("T3", "T4")  # older names of T7, T8


def test_power_is_a_logarithm_that_lines_and_jerks_hardly_move(rng):
    calm = window(rng)
    at_s = np.arange(N) / 200
    twice = muscle_power(2 * calm) - muscle_power(calm)
    np.testing.assert_allclose(twice, 2 * np.log(2), atol=1e-3)
    humming = calm + 20 * np.sin(2 * np.pi * 50 * at_s).astype(np.float32)
    assert np.abs(muscle_power(humming) - muscle_power(calm)).max() < 0.15
    jerk = calm.copy()
    jerk[:, 800:1000] *= 20
    assert (muscle_power(jerk) - muscle_power(calm)).max() < 1.5
    # What is below the band does not count
    slow = calm + 100 * np.sin(2 * np.pi * 10 * at_s).astype(np.float32)
    assert np.abs(muscle_power(slow) - muscle_power(calm))[:, 0].max() < 0.05


def test_a_tense_window_is_told_and_a_calm_one_is_not(rng):
    watch = monitor(rng)
    assert watch(window(rng)).fact is None
    found = watch(window(rng, tension=2.0))
    assert found.fact == "tense"
    assert found.tension == pytest.approx(2 * np.log(2) / 0.5, rel=0.15)
    assert watch(window(rng)).fact is None


def test_another_gain_or_less_alpha_is_no_tension(rng):
    watch = monitor(rng)
    assert watch(3 * window(rng)).fact is None
    spectrum = np.fft.rfft(window(rng))
    spectrum[:, np.fft.rfftfreq(N, 1 / RATE_HZ) < 20] *= 0.3
    assert watch(np.fft.irfft(spectrum, N).astype(np.float32)).fact is None


def test_tension_that_lasts_is_told_until_it_is_clearly_over(rng):
    watch = monitor(rng)
    facts = [watch(window(rng, tension=2.0)).fact for _ in range(12)]
    assert facts[:7] == ["tense"] * 7
    assert facts[8:] == ["long_tense"] * 4
    after = [watch(window(rng)).fact for _ in range(8)]
    assert after[0] == "long_tense"
    assert after[-1] is None


def test_a_channel_that_was_filled_in_says_nothing(rng):
    watch = monitor(rng)
    one, tense = window(rng), window(rng, tension=20.0)
    one[1] = tense[1]
    assert watch(one, skip=[1]).fact is None
    assert watch(one, skip=[1, 2]).tension is None
    assert watch(one).fact == "tense"


def test_without_a_reference_nothing_is_looked_for(rng):
    none = MuscleMonitor(None, CHANNELS, tr_s=TR_S, settings=MuscleSettings())
    old = monitor(rng, settings=None)  # a session recorded before muscles were
    for watch in (none, old):
        assert watch(window(rng, tension=9.0)).tension is None


def test_a_card_or_a_session_without_it_is_as_it_was():
    written = msgspec.to_builtins(rig.card())
    del written["muscle"]
    assert msgspec.convert(written, Card).muscle is None
    recorded = msgspec.to_builtins(PipelineSettings(schedule=ScheduleSettings(tr_s=2)))
    del recorded["muscle"]
    assert msgspec.convert(recorded, PipelineSettings).muscle is None


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="sustained_s is 5"):
        MuscleSettings(sustained_s=5)
    with pytest.raises(ConfigError, match="expected 0 < recovered_share"):
        MuscleSettings(sustained_share=0.3)


def tense_session(muscle):
    """Return 70 s whose second half has muscle in all channels."""
    settings = PipelineSettings(
        schedule=ScheduleSettings(tr_s=rig.TR_S, mode="trigger"),
        muscle=MuscleSettings(sustained_s=16),
    )
    data = rig.eeg(RATE_HZ, 70, seed=9)
    rng = np.random.default_rng(0)
    half = data.shape[1] // 2
    spectrum = np.fft.rfft(30 * rng.standard_normal(data[:, half:].shape))
    spectrum[:, np.fft.rfftfreq(data.shape[1] - half, 1 / RATE_HZ) < 25] = 0
    data[:, half:] += np.fft.irfft(spectrum, data.shape[1] - half)
    chunks = rig.samples(data.astype(np.float32), RATE_HZ, rig.every(RATE_HZ, 70))
    pipe = Pipeline(rig.card(muscle=muscle), rig.RecordingModel(), settings)
    return rig.run(
        pipe,
        rig.stream(RATE_HZ),
        rig.in_order(chunks, rig.triggers(70), rig.passing(70)),
    )


def test_pipeline_marks_muscle_and_keeps_the_values():
    calm = rig.eeg(RATE_HZ, 60, seed=1)
    windows = [calm[:, k : k + 3200] for k in range(0, calm.shape[1] - 3200, 800)]
    power = np.array([muscle_power(w.astype(np.float32)) for w in windows])
    known = MuscleReference(
        channels=rig.card().channels, level=tuple(power[..., 0].mean(axis=0).tolist()),
        below=tuple(power[..., 1].mean(axis=0).tolist()),
        limit=1.0, n_windows=len(windows),
    )  # fmt: skip
    found = [p for p in tense_session(known) if p.tension is not None]
    assert found[0].status == "ok"
    tense = [p for p in found if "muscle" in p.reasons]
    assert tense
    assert all(p.status == "degraded" and p.values is not None for p in tense)
    assert found[-1].long_tense
    assert not tense[0].long_tense
    # A bundle without the reference is as it was
    assert all(p.tension is None for p in tense_session(None))
    assert not any("muscle" in p.reasons for p in tense_session(None))
