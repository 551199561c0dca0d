"""A session as an operator meets it: hundreds of real-looking volumes, by hand."""

import numpy as np
from feed_messages import Played

from rtbold.gui.state.dashboard import DashboardState
from rtbold.publish.wire import ChannelPart, LatencyPart, TruthScore

CHANNELS = (
    "Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T7",
    "T8", "P7", "P8", "Fz", "Cz", "Pz", "Oz", "FC1", "FC2", "CP1", "CP2", "FC5", "FC6",
)  # fmt: skip
NAMED = (
    "Putamen", "Cuneus", "Superior frontal gyrus medial", "Superior temporal gyrus",
    "Thalamus", "Caudate", "Insula antero-superior", "Precuneus superior",
)  # fmt: skip
ROIS = (*NAMED, *(f"ROI {k:02}" for k in range(64 - len(NAMED))))
BAND_UV2 = (30.0, 14.0, 22.0, 7.0, 2.0)
LATENCY = LatencyPart(
    upstream=None, arrive=9.0, acquire=14.2, prepare=1.9, infer=12.6, publish=0.3
)


class Scene(Played):
    """Plays volumes with smooth values, intervals, measured BOLD and EEG.

    Parameters
    ----------
    now_s : where the dashboard's clock begins.
    """

    def __init__(self, now_s=5.0, *, seed=0, rois=ROIS, channels=CHANNELS, **hello):
        super().__init__(DashboardState(), now_s, rois=rois, channels=channels)
        self.rng = np.random.default_rng(seed)
        self._slow = np.zeros(len(rois))
        self._true = np.zeros(len(rois))
        self.hello(**{"model_name": "S01-putamen", **hello})

    def volumes(self, n, *, measured=False, status="ok", reasons=()):
        """Let `n` volumes pass."""
        for _ in range(n):
            self._slow = 0.93 * self._slow + 0.28 * self.rng.normal(size=len(self.rois))
            self._true = 0.6 * self._slow + 0.35 * self._true
            self._volume(status, reasons, measured)
        return self

    def _volume(self, status, reasons, measured):
        values = [round(float(value), 3) for value in self._slow]
        usable = status in ("ok", "degraded")
        self.wait(self.tr_s)
        self.volume += 1
        both = {
            "volume": self.volume, "status": status, "reasons": reasons,
            "latency_ms": LATENCY if usable else LatencyPart(), "age_ms": 104.0,
        }  # fmt: skip
        self.send("trigger", volume=self.volume)
        ends = {"low_80": values[0] - 0.7, "high_80": values[0] + 0.7}
        self.send("pred.fb", value=values[0], target=self.rois[0], **both,
                  **(ends if usable else {}))  # fmt: skip
        rows = {
            "low_80": tuple(v - 0.7 for v in values),
            "high_80": tuple(v + 0.7 for v in values),
        }
        self.send("pred.roi", values=tuple(values), **self._hash(), **both,
                  **(rows if usable else {}))  # fmt: skip
        self.quality()
        self.bands()
        if measured and usable:
            self.truth()
        self.state.latency.painted(self.volume, self.now_s + 0.012)

    def quality(self, **bad):
        """Send the state of the channels; `bad` is label=state."""
        channels = tuple(
            ChannelPart(label=name, state=bad.get(name, "good"))
            for name in self.channels
        )
        self.send("quality", volume=self.volume, channels=channels)

    def bands(self, alpha=1.0):
        """Send band powers, with more alpha at the back."""
        back = [1 + 2 * alpha * name.startswith(("O", "P")) for name in self.channels]
        power = tuple(
            tuple(
                float(uv2 * (gain if band == 2 else 1) * self.rng.uniform(0.8, 1.25))
                for gain in back
            )
            for band, uv2 in enumerate(BAND_UV2)
        )
        self.send("bands", volume=self.volume, power_uv2=power)

    def truth(self, n_eff=None):
        """Send measured BOLD, in a scanner's unit, a little unlike the prediction."""
        seen = 820 + 6 * (self._true + 0.25 * self.rng.normal(size=len(self.rois)))
        n_eff = self.volume / 3.2 if n_eff is None else n_eff
        r = None if n_eff < 20 else 0.47
        low, high = (None, None) if r is None else (0.19, 0.68)
        score = TruthScore(r=r, low=low, high=high, n_eff=n_eff, n=self.volume)
        row = tuple(float(v) for v in seen)
        self.send("truth", volume=self.volume, rois=self.rois, values=row, filtered=row,
                  target=self.rois[0], target_score=score,
                  scores=(score,) * len(self.rois))  # fmt: skip

    def fill_scope(self, seconds=12):
        """Send EEG."""
        for _ in range(int(10 * seconds)):
            noise = 12 * self.rng.normal(size=(len(self.channels), 20))
            self.eeg(noise.astype(np.float32))
