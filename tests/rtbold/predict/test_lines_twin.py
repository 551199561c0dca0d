"""Lines in the twin's EEG through the whole pipeline, with the shipped demo bundle."""

from dataclasses import replace

import numpy as np
import pytest

from rtbold.bundle import load
from rtbold.condition import IntakeSettings
from rtbold.engine import open_engine
from rtbold.files import Recording, described, triggered_events
from rtbold.predict import Pipeline, stream_settings
from rtbold.predict.ood import OodSettings
from rtbold.sim import TwinSettings, simulate
from rtbold.window import ScheduleSettings

SECONDS = 64.0
TR_S = 2.1
SEED = 4321  # in no range that a model was made or scored with
SETTLED_S = 24.0


@pytest.fixture(scope="module")
def twin():
    return simulate(TwinSettings(seed=SEED, level="hard", duration_s=SECONDS))


@pytest.fixture(scope="module")
def bundle():
    return load("demo")


@pytest.fixture(scope="module")
def engine(bundle):
    opened = open_engine(bundle, engine="openvino", precision="f32")
    yield opened
    opened.close()


def tones(twin, *parts):
    """Sines on all channels, of about the size that is given.

    Most of that is the reference's, and goes with it; what is left looks like a brain
    to everything but a spectrum.
    """
    rng = np.random.default_rng(3)
    gain = rng.uniform(0.6, 1.4, len(twin.channels))
    course = sum(
        amplitude_uv * np.sin(2 * np.pi * hz * twin.t_eeg_s + hz)
        for hz, amplitude_uv in parts
    )
    return np.outer(gain, course).astype(np.float32)


def predictions(twin, bundle, engine, added_uv, *, lines=True):
    recording = Recording(
        data_uv=twin.eeg_uv + added_uv,
        rate_hz=twin.rate_hz,
        channels=twin.channels,
        reference=twin.settings.reference,
        simulated=True,
    )
    settings = stream_settings(
        described(recording, None),
        bundle.card,
        schedule=ScheduleSettings(tr_s=TR_S),
        intake=IntakeSettings(),
    )
    if not lines:
        settings = replace(settings, likeness=OodSettings())
    pipeline = Pipeline(bundle.card, engine, settings)
    onsets = [(t, "volume") for t in twin.volume_onsets_s.tolist()]
    made = [p for e in triggered_events(recording, onsets) for p in pipeline.push(e)]
    return [p for p in made if p.t_end_s - made[0].t_end_s > SETTLED_S]


PUMP = ((43.0, 15.0), (21.5, 15.0))
BUZZ = ((17.1, 12.0), (34.2, 6.0), (51.3, 4.0), (68.4, 3.0))


def test_nothing_added_nothing_said(twin, bundle, engine):
    made = predictions(twin, bundle, engine, 0.0)
    assert len(made) >= 16
    assert {(p.status, p.reasons) for p in made} == {("ok", ())}


@pytest.mark.parametrize("parts", [PUMP, BUZZ], ids=["helium pump", "slice buzz"])
def test_a_line_is_unlike_in_every_window(twin, bundle, engine, parts):
    made = predictions(twin, bundle, engine, tones(twin, *parts))
    assert len(made) >= 16
    assert {p.status for p in made} <= {"degraded", "invalid"}
    assert all("unlike_calibration" in p.reasons for p in made)
    assert min(p.unlikeness for p in made) > 1


def test_a_session_that_was_recorded_before_is_answered_as_then(twin, bundle, engine):
    made = predictions(twin, bundle, engine, tones(twin, *BUZZ), lines=False)
    assert {p.status for p in made} == {"ok"}


def test_it_is_over_when_the_line_is(twin, bundle, engine):
    added = tones(twin, *PUMP)
    added[:, twin.t_eeg_s > 36.0] = 0.0
    made = predictions(twin, bundle, engine, added)
    after = [p for p in made if p.t_start_s - made[0].t_start_s > 30.0]
    before = [p for p in made if p.t_end_s - made[0].t_end_s < 8.0]
    assert all("unlike_calibration" in p.reasons for p in before)
    assert [p.status for p in after[-3:]] == ["ok"] * 3
