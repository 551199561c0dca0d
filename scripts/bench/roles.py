"""Child processes of scripts/bench: a source of EEG, and who may take it.

    python scripts/bench/roles.py ROLE STREAM [POLL_S]

A role says ``ready`` once samples flow, counts them from a line ``begin`` on its
standard input until that closes, and then says how many it took in how many seconds.
"""

import json
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
from scipy import signal

RATE_HZ = 5000.0
BUFFER_S = 16.0
SOURCE_CHUNK_S = 0.02  # what an amplifier's LSL connector sends at once
CUTOFF_HZ, ORDER = 0.5, 2
WAIT_S = 20.0
CAP_64 = (
    "Fp1 Fpz Fp2 AF7 AF3 AFz AF4 AF8 F7 F5 F3 F1 Fz F2 F4 F6 F8 FT9 FT7 FC5 FC3 FC1 "
    "FCz FC2 FC4 FC6 FT8 FT10 T7 C5 C3 C1 Cz C2 C4 C6 T8 TP9 TP7 CP5 CP3 CP1 CPz CP2 "
    "CP4 CP6 TP8 TP10 P7 P5 P3 P1 Pz P2 P4 P6 P8 PO7 PO3 POz PO4 PO8 O1 O2"
).split()


class Count:
    """Samples taken since the bench said ``begin``, until its input closes.

    Parameters
    ----------
    begin : is called, by another thread, when it says so.
    """

    def __init__(self, begin: Callable[[], None] = lambda: None) -> None:
        self.ended = threading.Event()
        self._n = 0
        self._since_s: float | None = None
        self._said_ready = False
        self._begin = begin
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for _ in sys.stdin:
            self._begin()
            self._n, self._since_s = 0, time.monotonic()
        self.ended.set()

    def add(self, n: int) -> None:
        """Count samples; the first ones say that they flow."""
        self._n += n
        if not self._said_ready:
            self._said_ready = True
            print("ready", flush=True)

    def report(self) -> None:
        """Say what came."""
        assert self._since_s is not None, "the bench never said begin"
        said = {"n": self._n, "seconds": time.monotonic() - self._since_s}
        print(json.dumps(said), flush=True)


def source(name: str, _poll_s: float) -> None:
    """Play noise of EEG size, 64 channels at 5 kHz, until told to end."""
    from rtbold.acquire.streams import LslClock
    from rtbold.messages import Channel
    from rtbold.sim.outlets import EegOutletSettings, open_eeg_outlet
    from rtbold.sim.player import play

    count, clock = Count(), LslClock()
    rng = np.random.default_rng(0)
    data_uv = 15 * rng.standard_normal((len(CAP_64), 50_000), dtype=np.float32)
    settings = EegOutletSettings(
        name=name,
        channels=tuple(Channel(label, "uV") for label in CAP_64),
        rate_hz=RATE_HZ,
        reference="average",
        simulated=True,
    )
    outlet = open_eeg_outlet(settings)
    count.add(0)
    play(
        data_uv,
        RATE_HZ,
        outlet,
        clock,
        start_s=clock.now_s() + 0.1,
        chunk_s=SOURCE_CHUNK_S,
        loop=True,
        stop=count.ended,
    )


def highpass(name: str, poll_s: float) -> None:
    """Take the stream as rtbold does: inlet process, high-pass, 16 s ring at 5 kHz."""
    from rtbold.acquire.acquisition import Acquisition, AcquisitionSettings
    from rtbold.acquire.streams import StreamQuery
    from rtbold.messages import EegChunk
    from rtbold.window.ring import Ring

    count = Count()
    sos = signal.butter(ORDER, CUTOFF_HZ, "highpass", fs=RATE_HZ, output="sos")
    state = np.zeros((len(sos), len(CAP_64), 2))
    ring = Ring(len(CAP_64), round(BUFFER_S * RATE_HZ))
    acquisition = Acquisition(
        AcquisitionSettings(query=StreamQuery(name=name), wait_s=WAIT_S, rest_s=poll_s)
    )
    acquisition.start()
    try:
        while not count.ended.is_set():
            for event in acquisition.events(0.05):
                if isinstance(event, EegChunk):
                    filtered, state = signal.sosfilt(sos, event.data_uv, zi=state)
                    ring.write(filtered, event.index)
                    count.add(event.data_uv.shape[1])
        count.report()
    finally:
        acquisition.close()


def loop(name: str, poll_s: float) -> None:
    """Run the whole loop but the model: clock, monitor, conditioning, windows."""
    from rtbold.acquire.acquisition import Acquisition, AcquisitionSettings
    from rtbold.acquire.streams import LslClock, StreamQuery
    from rtbold.messages import EegChunk, TimePassed

    count, clock = Count(), LslClock()
    pipeline = null_pipeline()
    acquisition = Acquisition(
        AcquisitionSettings(query=StreamQuery(name=name), wait_s=WAIT_S, rest_s=poll_s)
    )
    acquisition.start()
    due_s = clock.now_s()
    try:
        while not count.ended.is_set():
            timeout_s, gather = max(due_s - clock.now_s(), 0.0), not pipeline.waits
            for event in acquisition.events(timeout_s, gather=gather):
                pipeline.push(event)
                if isinstance(event, EegChunk):
                    count.add(event.data_uv.shape[1])
            if (now_s := clock.now_s()) >= due_s:
                pipeline.push(TimePassed(now_s))
                due_s = max(due_s + 0.05, now_s)
        count.report()
    finally:
        acquisition.close()


def null_pipeline():  # noqa: ANN201  # imported within, as only one role needs it
    """Return a pipeline for the 64 channels whose model answers zeros at once."""
    from rtbold.bundle.card import Baseline, Card, Origin
    from rtbold.predict.pipeline import Pipeline, PipelineSettings
    from rtbold.window.schedule import ScheduleSettings

    card = Card(
        name="null",
        architecture="none",
        channels=tuple(label.upper() for label in CAP_64),
        reference="average",
        tr_s=2.1,
        rois=("none",),
        scanner="simulated",
        origin=Origin(kind="simulated", simulated_lineage=True),
        baseline=Baseline(mean=(0.0,), sd=(1.0,), n=100),
    )
    schedule = ScheduleSettings(tr_s=2.1, mode="free_run")
    zeros = np.zeros((1, 1), np.float32)
    return Pipeline(card, lambda _: zeros, PipelineSettings(schedule=schedule))


def streamlsl(name: str, poll_s: float) -> None:
    """Take the stream as mne-lsl does: same high-pass, 16 s buffer, its own thread."""
    from mne_lsl.stream import StreamLSL

    stream = StreamLSL(bufsize=BUFFER_S, name=name)
    stream.connect(acquisition_delay=poll_s, timeout=WAIT_S)
    stream.filter(
        CUTOFF_HZ, None, iir_params={"order": ORDER, "ftype": "butter", "output": "sos"}
    )
    taken = 0  # nobody reads the stream, so its count only grows

    def begin() -> None:
        nonlocal taken
        taken = stream.n_new_samples

    count = Count(begin)
    while stream.n_new_samples == 0:
        time.sleep(0.01)
    count.add(0)
    count.ended.wait()
    count.add(stream.n_new_samples - taken)
    count.report()
    stream.disconnect()


ROLES: dict[str, Callable[[str, float], None]] = {
    "source": source,
    "highpass": highpass,
    "loop": loop,
    "streamlsl": streamlsl,
}


if __name__ == "__main__":
    ROLES[sys.argv[1]](sys.argv[2], float(sys.argv[3]) if len(sys.argv) > 3 else 0.0)
