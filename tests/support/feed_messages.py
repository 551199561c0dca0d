"""Messages of the feed for tests of the dashboard, made by encoding the real structs.

`received("pred.fb", value=0.3)` is what the dashboard gets when a session publishes
that. Times are those of the publisher's clock unless they say otherwise.
"""

import json
from dataclasses import replace

import msgspec
import numpy as np

from rtbold.client import Message
from rtbold.gui.state.received import Link, parse
from rtbold.publish.compose import roi_hash
from rtbold.publish.wire import (
    Bands,
    Bye,
    ChannelPart,
    Eeg,
    Heartbeat,
    Hello,
    LatencyPart,
    Log,
    NormPart,
    Phase,
    Ports,
    PredFb,
    PredRoi,
    Quality,
    Trigger,
    Truth,
    TruthScore,
    WindowPart,
    encode,
    pack_samples,
)

SESSION = "6f0d6c55-3a0e-4d0c-9a57-0d1f3b7e2c11"
LAG_S = 1000.0  # the publisher's clock is this far ahead of ours
TR_S = 2.1
ROIS = ("dmn", "V1", "pIns_L")
CHANNELS = ("Fp1", "Cz", "O1", "O2")
NORM = NormPart(baseline="card", n=64, n_eff=22.5)
LATENCY = LatencyPart(
    upstream=None, arrive=9.0, acquire=15.0, prepare=2.0, infer=13.0, publish=0.5
)


def roi_names(n):
    return tuple(f"roi{k}" for k in range(n))


def channel_names(n):
    return tuple(f"E{k + 1}" for k in range(n))


def _tick(t_trigger, volume_index):
    return {
        "volume_index": volume_index,
        "trigger_locked": True,
        "t_trigger": t_trigger,
        "window": WindowPart(t_start=t_trigger - 16, t_end=t_trigger),
        "bold_time": t_trigger + TR_S / 2,
        "horizon_tr": 0,
        "status": "ok",
        "reasons": (),
        "model_origin": "subject",
        "unlikeness": 0.62,
        "age_ms": 105.5,
        "latency_ms": LATENCY,
        "next_due_lsl": t_trigger + TR_S,
    }


def wire(topic, *, t_lsl=1005.0, volume=0, **changes):
    """Return the struct that a session publishes; `changes` are its fields."""
    envelope = {"session": SESSION, "t_lsl": t_lsl, "t_unix_ms": 1.79e12 + 1000 * t_lsl}
    return _MAKERS[topic](volume, t_lsl, {**envelope, "seq": volume, **changes})


def _made(struct, given, /, **defaults):
    return struct(**{**defaults, **given})


def _hello(volume, t_lsl, given):
    rois = given.get("rois", ROIS)
    return _made(
        Hello,
        {"roi_hash": roi_hash(rois), **given},
        versions={"rtbold": "0.1.0"},
        schemas=(),
        subject="S01",
        model_name="S01-a",
        model_sha256="ab" * 32,
        model_origin="subject",
        engine="openvino",
        precision="f32",
        simulated_stream=False,
        rate_hz=200.0,
        channels=CHANNELS,
        reference="average",
        window_s=16.0,
        tr_s=TR_S,
        rois=rois,
        atlas="DiFuMo 64",
        target=rois[0],
        norm=NORM,
        slice_reference=0.5,
        horizon_tr=0,
        upstream_delay_ms=None,
        encoding="json",
        heartbeat_s=0.5,
        ports=Ports(feed=5580, control=5581),
    )


def _roi(volume, t_lsl, given):
    values = given.get("values", (0.42, -1.5, 0.001))
    usable = given.get("status", "ok") in ("ok", "degraded")
    values = values if usable else None
    low = None if values is None else tuple(_add(v, -1) for v in values)
    high = None if values is None else tuple(_add(v, 1) for v in values)
    return _made(
        PredRoi,
        {**given, "values": values},
        **_tick(t_lsl - 0.1, volume),
        values_z=values,
        low=low,
        high=high,
        roi_hash=roi_hash(
            ROIS
            if values is None or len(values) == len(ROIS)
            else roi_names(len(values))
        ),
    )


def _add(value, more):
    return None if value is None else value + more


def _fb(volume, t_lsl, given):
    usable = given.get("status", "ok") in ("ok", "degraded")
    value = given.get("value", 0.42) if usable else None
    return _made(
        PredFb,
        {**given, "value": value},
        **_tick(t_lsl - 0.1, volume),
        target="dmn",
        z=value,
        low=None if value is None else value - 1,
        high=None if value is None else value + 1,
        norm=NORM,
    )


def _truth(volume, t_lsl, given):
    rois = given.get("rois", ROIS)
    score = TruthScore(r=0.41, low=0.2, high=0.58, n_eff=44.2, n=120)
    return _made(
        Truth,
        given,
        volume_index=volume,
        t_volume=t_lsl - 2 * TR_S,
        values=tuple(100.0 + volume for _ in rois),
        rois=rois,
        filtered=tuple(99.0 + volume for _ in rois),
        predicted=tuple(0.0 for _ in rois),
        scores=tuple(score for _ in rois),
        target=rois[0],
        target_score=score,
        lowpass_hz=0.15,
    )


def _eeg(volume, t_lsl, given):
    given = dict(given)
    data_uv = given.pop("data_uv", np.zeros((len(CHANNELS), 20), np.float32))
    return _made(
        Eeg,
        given,
        sample_index=20 * volume,
        t_first=t_lsl - data_uv.shape[1] / 200,
        rate_hz=200.0,
        n_channels=len(data_uv),
        n_samples=data_uv.shape[1],
        data=pack_samples(data_uv),
    )


def _bands(volume, t_lsl, given):
    return _made(
        Bands,
        given,
        t_start=t_lsl - 4,
        t_end=t_lsl,
        bands=("delta", "theta", "alpha", "beta", "gamma"),
        edges_hz=((1.0, 4.0), (4.0, 8.0), (8.0, 13.0), (13.0, 30.0), (30.0, 45.0)),
        power_uv2=tuple((10.0,) * len(CHANNELS) for _ in range(5)),
    )


def _quality(volume, t_lsl, given):
    return _made(
        Quality,
        given,
        stream_state="running",
        stream_age_ms=12.0,
        rate_hz_nominal=5000.0,
        rate_hz_effective=4999.8,
        channels=tuple(ChannelPart(label=name, state="good") for name in CHANNELS),
        n_triggers=volume + 1,
        trigger_age_ms=112.0,
    )


def _hb(volume, t_lsl, given):
    return _made(
        Heartbeat,
        given,
        state="running",
        last_pred_seq=None,
        stream_age_ms=12.0,
        queue=0,
    )


def _phase(volume, t_lsl, given):
    return _made(
        Phase,
        given,
        run=2,
        run_type="train",
        block=5,
        name="regulate",
        t_on=t_lsl,
        t_off_planned=t_lsl + 30,
    )


def _trigger(volume, t_lsl, given):
    return _made(
        Trigger,
        given,
        kind="volume",
        volume_index=volume,
        t_trigger=t_lsl - 0.1,
        label="R128",
    )


_MAKERS = {
    "hello": _hello,
    "pred.roi": _roi,
    "pred.fb": _fb,
    "truth": _truth,
    "eeg": _eeg,
    "bands": _bands,
    "quality": _quality,
    "hb": _hb,
    "phase": _phase,
    "trigger": _trigger,
    "log": lambda v, t, given: _made(Log, given, level="info", text="status ok: well"),
    "bye": lambda v, t, given: _made(Bye, given),
}
TOPICS = tuple(_MAKERS)


def body(topic, **changes):
    """Return the JSON object that a subscriber reads."""
    return json.loads(encode(wire(topic, **changes)))


def message(topic, *, t_received_s=5.0, **changes):
    """Return what `Subscriber.poll` gives."""
    return Message(topic, body(topic, **changes), t_received_s)


def received(topic, *, t_received_s=5.0, **changes):
    """Return what the dashboard's state takes."""
    found = parse(message(topic, t_received_s=t_received_s, **changes))
    assert found is not None, (topic, changes)
    return found


def link(now_s, **changes):
    """Return a link that is well at `now_s`, this machine's clock."""
    well = Link(
        t_s=now_s,
        heard=True,
        alive=True,
        silent_s=0.1,
        offset_s=-LAG_S,
        session=SESSION,
    )
    return replace(well, **changes)


def frames(struct):
    """Return the two frames that go over the socket."""
    return [struct.topic.encode(), msgspec.json.encode(struct)]


class Played:
    """A session played into a state by hand: `tick` sends what one volume brings.

    `now_s` is the dashboard's clock; the publisher's is `LAG_S` ahead.
    """

    def __init__(self, state, now_s=5.0, *, rois=ROIS, channels=CHANNELS, tr_s=TR_S):
        self.state, self.now_s, self.tr_s = state, now_s, tr_s
        self.rois, self.channels = rois, channels
        self.volume = -1
        self.n_eeg = 0
        self.run_type = "train"  # told with the hello; empty: it is not told

    @property
    def lsl_s(self):
        return self.now_s + LAG_S

    def send(self, topic, **changes):
        changes.setdefault("t_lsl", self.lsl_s)
        got = received(topic, t_received_s=self.now_s, **changes)
        self.state.take(got, self.now_s)
        return got

    def link(self, **changes):
        self.state.take(link(self.now_s, **changes), self.now_s)

    def hello(self, **changes):
        self.link()
        got = self.send("hello", rois=self.rois, channels=self.channels, **changes)
        self._tell_run(changes)
        return got

    def wait(self, seconds, **changes):
        """Let time pass with heartbeats."""
        self.now_s += seconds
        self.send("hb")
        self.link(**changes)

    def tick(self, status="ok", reasons=(), value=0.42, **changes):
        """Let one TR pass; trigger, both predictions, quality."""
        self.wait(self.tr_s)
        self.volume += 1
        both = {"volume": self.volume, "status": status, "reasons": reasons, **changes}
        self.send("trigger", volume=self.volume)
        self._tell_run(changes)
        fb = self.send("pred.fb", value=value, **both)
        self.send("pred.roi", values=(value,) * len(self.rois), **self._hash(), **both)
        self.send("quality", volume=self.volume, channels=self._parts())
        return fb

    def _tell_run(self, changes):
        """Say once in a session of which kind its run is."""
        if self.run_type and self.state.phase is None:
            whose = {k: v for k, v in changes.items() if k == "session"}
            self.send("phase", run_type=self.run_type, block=0, **whose)

    def eeg(self, data_uv):
        """Send a block of (channels, samples) microvolt."""
        got = self.send("eeg", sample_index=self.n_eeg, data_uv=data_uv)
        self.n_eeg += data_uv.shape[1]
        return got

    def _hash(self):
        return {"roi_hash": roi_hash(self.rois)}

    def _parts(self):
        return tuple(ChannelPart(label=name, state="good") for name in self.channels)
