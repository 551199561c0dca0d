"""What a model is trained on is what the live pipeline hands to it."""

import numpy as np
import pipeline_rig as rig
import pytest

pytest.importorskip("torch")

from rtbold.calibration.datasets.scan import as_recording, conditioned
from rtbold.calibration.train.demo import demo_card
from rtbold.messages import Channel, Marker, StreamDescription
from rtbold.predict.pipeline import Pipeline, PipelineSettings
from rtbold.sim.settings import TwinSettings
from rtbold.sim.twin import simulate
from rtbold.window.schedule import ScheduleSettings

pytestmark = pytest.mark.heavy
SECONDS = 60.0


class RecordingModel:
    def __init__(self, n_rois):
        self.windows = []
        self.n_rois = n_rois

    def __call__(self, eeg_uv):
        self.windows.append(eeg_uv[0].copy())
        return np.zeros((1, self.n_rois), np.float32)


@pytest.mark.parametrize("rate_hz", [200.0, 500.0])
def test_training_windows_are_the_pipelines(rate_hz):
    card = demo_card()
    twin = simulate(
        TwinSettings(seed=5002, duration_s=SECONDS, level="easy", rate_hz=rate_hz)
    )
    model = RecordingModel(len(card.rois))
    schedule = ScheduleSettings(tr_s=card.tr_s)
    pipe = Pipeline(card, model, PipelineSettings(schedule=schedule))
    volumes = [
        Marker("R128", rig.T0_S + onset_s, rig.T0_S + onset_s + 0.02)
        for onset_s in twin.volume_onsets_s
    ]
    events = rig.in_order(
        rig.samples(twin.eeg_uv, rate_hz, rig.every(rate_hz, SECONDS)),
        volumes,
        rig.passing(SECONDS),
    )
    description = StreamDescription(
        name="twin",
        type="EEG",
        rate_hz=rate_hz,
        channels=tuple(Channel(c.label, "uV", c.kind) for c in twin.channels),
        reference="FCz",
        simulated=True,
    )
    usable = [
        p
        for p in rig.run(pipe, description, events)
        if p.usable and p.tick.volume_index is not None
    ]
    live = {
        round(p.t_end_s - rig.T0_S, 6): window
        for p, window in zip(usable, model.windows, strict=True)
    }
    scan = conditioned(as_recording(twin), card)
    compared = 0
    for volume, onset_s in enumerate(scan.onsets_s):
        if round(onset_s, 6) not in live:
            continue
        compared += 1
        trained = scan.windows_uv([volume])[0]
        np.testing.assert_array_equal(live[round(onset_s, 6)], trained)
    assert compared >= 15
