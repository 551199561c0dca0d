"""From a message of the feed to what the dashboard works with. Pure.

What cannot be read becomes None: a faulty publisher must not end a dashboard.
"""

import base64
from collections.abc import Callable
from typing import Final

import numpy as np

from rtbold.client import Body, Message
from rtbold.gui.state import body_fields as field
from rtbold.gui.state.received_kinds import (
    BandPowers,
    Beat,
    Bye,
    ChannelQuality,
    EegBlock,
    FeedbackValue,
    Hello,
    LogLine,
    Phase,
    Prediction,
    Quality,
    Received,
    Score,
    TriggerSeen,
    Truth,
)

MOST_CHANNELS: Final = 1024  # a body that says more is a fault, not a cap


def parse(message: Message) -> Received | None:
    """Return what `message` says; None if it cannot be read or is of no known topic."""
    read = _READERS.get(message.topic)
    if read is None:
        return None
    try:
        return read(message.body, message.t_received_s)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def _hello(body: Body, t_received_s: float) -> Hello:
    ports = body["ports"]
    tr_s = field.number(body["tr_s"])
    if tr_s <= 0:
        raise ValueError(f"tr_s is {tr_s}, expected seconds above 0")
    return Hello(
        session=field.text(body["session"]),
        t_lsl=field.number(body["t_lsl"]),
        subject=None if body["subject"] is None else field.text(body["subject"]),
        model_name=field.text(body["model_name"]),
        model_origin=field.text(body["model_origin"]),
        engine=field.text(body.get("engine", "")),
        precision=field.text(body.get("precision", "")),
        simulated=field.flag(body["simulated_stream"]),
        rate_hz=field.number(body["rate_hz"]),
        channels=field.texts(body["channels"]),
        tr_s=tr_s,
        rois=field.texts(body["rois"]),
        roi_hash=field.text(body["roi_hash"]),
        target=field.text(body["target"]),
        horizon_tr=field.count(body["horizon_tr"]),
        slice_reference=field.maybe(body["slice_reference"]),
        upstream_delay_ms=field.maybe(body["upstream_delay_ms"]),
        atlas=field.text(body["atlas"]),
        feed_port=field.count(ports["feed"]),
        control_port=field.maybe_count(ports.get("control")),
        reference=field.text(body["reference"]),
        window_s=field.number(body["window_s"]),
        clock_uncertainty_ms=field.maybe(body.get("clock_uncertainty_ms")),
    )


def _prediction(body: Body, t_received_s: float) -> Prediction:
    usable = body["status"] in ("ok", "degraded")
    values = field.maybe_row(body["values"]) if usable else None
    n = None if values is None else len(values)
    return Prediction(
        t_lsl=field.number(body["t_lsl"]),
        volume_index=field.maybe_count(body["volume_index"]),
        t_trigger=field.maybe(body["t_trigger"]),
        trigger_locked=field.flag(body["trigger_locked"]),
        t_end=field.number(body["window"]["t_end"]),
        bold_time=field.number(body["bold_time"]),
        status=field.status(body["status"]),
        reasons=field.texts(body["reasons"]),
        values=values,
        values_z=field.maybe_row(body["values_z"], n),
        low=field.maybe_row(body.get("low"), n),
        high=field.maybe_row(body.get("high"), n),
        low_80=field.maybe_row(body.get("low_80"), n),
        high_80=field.maybe_row(body.get("high_80"), n),
        unlikeness=field.maybe(body.get("unlikeness")),
        age_ms=field.number(body["age_ms"]),
        latency_ms=field.latency(body["latency_ms"]),
        next_due_lsl=field.maybe(body["next_due_lsl"]),
        t_received_s=t_received_s,
        seq=field.count(body["seq"]),
        horizon_tr=field.count(body["horizon_tr"]),
        roi_hash=field.text(body["roi_hash"]),
        replayed=field.flag(body.get("replayed", False)),
    )


def _feedback(body: Body, t_received_s: float) -> FeedbackValue:
    usable = body["status"] in ("ok", "degraded")
    return FeedbackValue(
        t_lsl=field.number(body["t_lsl"]),
        volume_index=field.maybe_count(body["volume_index"]),
        t_trigger=field.maybe(body["t_trigger"]),
        status=field.status(body["status"]),
        reasons=field.texts(body["reasons"]),
        target=field.text(body["target"]),
        value=field.maybe(body["value"]) if usable else None,
        z=field.maybe(body["z"]) if usable else None,
        low=field.maybe(body.get("low")),
        high=field.maybe(body.get("high")),
        low_80=field.maybe(body.get("low_80")),
        high_80=field.maybe(body.get("high_80")),
        clipped=field.flag(body.get("clipped", False)),
        model_origin=field.text(body["model_origin"]),
        age_ms=field.number(body["age_ms"]),
        latency_ms=field.latency(body["latency_ms"]),
        next_due_lsl=field.maybe(body["next_due_lsl"]),
        t_received_s=t_received_s,
        seq=field.count(body["seq"]),
        t_end=field.number(body["window"]["t_end"]),
        trigger_locked=field.flag(body["trigger_locked"]),
        unlikeness=field.maybe(body.get("unlikeness")),
        horizon_tr=field.count(body["horizon_tr"]),
        replayed=field.flag(body.get("replayed", False)),
        t_unix_ms=field.number(body.get("t_unix_ms", 0.0)),
    )


def _truth(body: Body, t_received_s: float) -> Truth:
    rois = field.texts(body["rois"])
    n, target_score = len(rois), body.get("target_score")
    return Truth(
        volume_index=field.count(body["volume_index"]),
        rois=rois,
        values=field.row(body["values"], n),
        filtered=field.row(body.get("filtered", ()), n),
        predicted=field.row(body.get("predicted", ()), n),
        scores=tuple(_score(part) for part in body.get("scores", ())),
        target=field.text(body.get("target", "")),
        target_score=None if target_score is None else _score(target_score),
        enough_n_eff=field.number(body.get("enough_n_eff", 20.0)),
        t_volume=field.maybe(body.get("t_volume")),
        lowpass_hz=field.maybe(body.get("lowpass_hz")),
    )


def _score(part: Body) -> Score:
    return Score(
        r=field.maybe(part["r"]),
        low=field.maybe(part["low"]),
        high=field.maybe(part["high"]),
        n=field.count(part["n"]),
        n_eff=field.number(part["n_eff"]),
    )


def _eeg(body: Body, t_received_s: float) -> EegBlock:
    n_channels, rate_hz = field.count(body["n_channels"]), field.number(body["rate_hz"])
    dtype = body.get("dtype", "<f4")
    if dtype != "<f4" or not 0 < n_channels <= MOST_CHANNELS or rate_hz <= 0:
        raise ValueError(f"{dtype}, {n_channels} channels at {rate_hz} Hz")
    flat = np.frombuffer(base64.b64decode(body["data"], validate=True), dtype="<f4")
    data_uv = flat.reshape(n_channels, field.count(body["n_samples"]))
    return EegBlock(
        sample_index=field.count(body["sample_index"]),
        t_first=field.number(body["t_first"]),
        rate_hz=rate_hz,
        data_uv=data_uv.astype(np.float32),
    )


def _bands(body: Body, t_received_s: float) -> BandPowers:
    bands = field.texts(body["bands"])
    rows = [field.row(row) for row in body["power_uv2"]]
    edges = tuple(
        (field.number(low), field.number(high)) for low, high in body["edges_hz"]
    )
    if not len(rows) == len(bands) == len(edges):
        raise ValueError(f"{len(rows)} rows for {len(bands)} bands")
    return BandPowers(
        t_end=field.number(body["t_end"]),
        bands=bands,
        edges_hz=edges,
        power_uv2=np.stack(rows) if rows else np.empty((0, 0)),
    )


def _quality(body: Body, t_received_s: float) -> Quality:
    return Quality(
        stream_state=field.text(body["stream_state"]),
        stream_age_ms=field.maybe(body["stream_age_ms"]),
        rate_hz_nominal=field.maybe(body["rate_hz_nominal"]),
        rate_hz_effective=field.maybe(body["rate_hz_effective"]),
        channels=tuple(
            ChannelQuality(
                field.text(part["label"]),
                field.text(part["state"]),
                field.flag(part.get("interpolated", False)),
            )
            for part in body["channels"]
        ),
        n_gaps=field.count(body.get("n_gaps", 0)),
        n_missing_samples=field.count(body.get("n_missing_samples", 0)),
        n_stamp_steps=field.count(body.get("n_stamp_steps", 0)),
        n_triggers=field.count(body.get("n_triggers", 0)),
        n_triggers_missed=field.count(body.get("n_triggers_missed", 0)),
        n_triggers_double=field.count(body.get("n_triggers_double", 0)),
        trigger_age_ms=field.maybe(body.get("trigger_age_ms")),
        trigger_lag_ms=field.maybe(body.get("trigger_lag_ms")),
        n_triggers_implausible=field.count(body.get("n_triggers_implausible", 0)),
        n_overflow_samples=field.count(body.get("n_overflow_samples", 0)),
    )


def _trigger(body: Body, t_received_s: float) -> TriggerSeen:
    return TriggerSeen(
        kind=field.text(body["kind"]),
        volume_index=field.maybe_count(body["volume_index"]),
        t_trigger=field.number(body["t_trigger"]),
        label=field.text(body["label"]),
    )


def _beat(body: Body, t_received_s: float) -> Beat:
    return Beat(
        t_lsl=field.number(body["t_lsl"]),
        state=field.text(body["state"]),
        last_pred_seq=field.maybe_count(body["last_pred_seq"]),
        stream_age_ms=field.maybe(body["stream_age_ms"]),
        queue=field.count(body["queue"]),
        n_dropped=field.count(body.get("n_dropped", 0)),
        n_encode_errors=field.count(body.get("n_encode_errors", 0)),
    )


def _log(body: Body, t_received_s: float) -> LogLine:
    return LogLine(
        t_unix_ms=field.number(body["t_unix_ms"]),
        level=field.level(body["level"]),
        text=field.text(body["text"]),
    )


def _phase(body: Body, t_received_s: float) -> Phase:
    return Phase(
        run=field.count(body["run"]),
        run_type=field.text(body["run_type"]),
        block=field.count(body["block"]),
        name=field.text(body["name"]),
        t_on=field.number(body["t_on"]),
        t_off_planned=field.maybe(body["t_off_planned"]),
    )


def _bye(body: Body, t_received_s: float) -> Bye:
    return Bye(field.text(body.get("reason", "end")))


_READERS: Final[dict[str, Callable[[Body, float], Received]]] = {
    "hello": _hello,
    "pred.roi": _prediction,
    "pred.fb": _feedback,
    "truth": _truth,
    "trigger": _trigger,
    "eeg": _eeg,
    "bands": _bands,
    "phase": _phase,
    "quality": _quality,
    "hb": _beat,
    "log": _log,
    "bye": _bye,
}
