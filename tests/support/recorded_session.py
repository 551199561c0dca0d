"""A folder as ``rtbold run --record`` leaves it, of events that a test makes up."""

import json

import numpy as np
from xdf_writer import write_xdf

from rtbold.clock import HandCrankedClock
from rtbold.messages import Channel, EegChunk, StreamDescription, TimePassed
from rtbold.record.events_log import EventLogWriter

RATE_HZ = 250.0
LABELS = ("Fp1", "Cz", "Oz", "EKG", "ACC")
CHANNELS = (
    Channel("Fp1", "uV"), Channel("Cz", "uV"), Channel("Oz", "uV"),
    Channel("EKG", "uV", "ecg"), Channel("ACC", "g", "motion"),
)  # fmt: skip
NAME = "sub-S01_ses-01_task-nf_run-01"
HOST, USER, SERIAL = "scanner-pc", "mmuster", "actiCHamp-19030123"
ROIS = ("Insula", "Heschl's gyrus")
SETTINGS = {
    "version": 1,
    "run": {
        "model": f"/home/{USER}/models/mine.rtbold", "subject": "S01",
        "stream": SERIAL, "host": HOST, "record": f"/home/{USER}/rec",
        "trigger": "R128", "tr_s": 2.0, "cleaning": "online:RecView",
        "upstream_delay_ms": 40.0, "truth": f"file:/home/{USER}/bold.tsv",
    },
    "pipeline": {"schedule": {"tr_s": 2.0, "mode": "trigger"}},
    "model_sha256": "ab" * 32,
    "engine": {"name": "openvino", "precision": "f32", "n_threads": 1},
}  # fmt: skip
CARD = {
    "name": "mine", "rois": list(ROIS), "atlas": "two", "tr_s": 2.0,
    "origin": {"kind": "subject", "subject": "S01"}, "created": "2026-11-22",
}  # fmt: skip


def describe(**changes):
    return StreamDescription(**{
        "name": SERIAL, "type": "EEG", "rate_hz": RATE_HZ, "channels": CHANNELS,
        "reference": "FCz", "host": HOST, "source_id": f"{SERIAL}@{HOST}",
        "uid": "96628c7e-6926-40fe-84dd-a353fc9fc740", **changes,
    })  # fmt: skip


def samples(n, seed=0, n_channels=5):
    values = np.random.default_rng(seed).normal(0, 30, (n_channels, n))
    return values.astype(np.float32)


def chunks(data_uv, *, t0=100.0, index=0, size=50, rate_hz=RATE_HZ):
    """Cut samples into chunks that arrive when their last sample was taken."""
    for first in range(0, data_uv.shape[1], size):
        piece = data_uv[:, first : first + size]
        t_s = t0 + np.arange(first, first + piece.shape[1]) / rate_hz
        yield EegChunk(piece, t_s, float(t_s[-1]) + 0.01, index + first)
        yield TimePassed(float(t_s[-1]) + 0.02)


def write_session(
    root, events, *, streams=(), name=NAME, parts=None, lost_from=10**9, **files
):
    """`streams`: of the XDF, as `write_xdf` takes them; `parts`: further files;
    `lost_from`: the first sample that no file holds any more."""
    folder = root / name
    folder.mkdir(parents=True)
    log = EventLogWriter(folder / "events.jsonl", HandCrankedClock(0.0))
    for event in events:
        kept = isinstance(event, EegChunk) and event.index < lost_from
        log.append(event, inline_samples=kept)
    assert log.close().n_lost == 0
    write_xdf(folder / f"{name}_eeg.xdf", [marker_stream([]), *streams])
    for number, part in enumerate(parts or (), start=2):
        write_xdf(folder / f"{name}_eeg_part-{number:02d}.xdf", part)
    for file, value in {"settings": SETTINGS, "card": CARD, **files}.items():
        (folder / f"{file}.json").write_text(json.dumps(value))
    return folder


def marker_stream(markers, name="Markers", **more):
    """`markers`: (text, stamp)."""
    return {
        "name": name, "type": "Markers", "rate": 0, "labels": ["marker"],
        "values": [text for text, _ in markers],
        "stamps": np.array([t for _, t in markers]), **more,
    }  # fmt: skip


def mirror(rows):
    """`rows`: (stamp, ROI values or None, feedback value, status rank, volume)."""
    values = [
        [*(roi or [np.nan] * len(ROIS)), fb, rank, volume]
        for _, roi, fb, rank, volume in rows
    ]
    return {
        "name": "rtbold-pred", "type": "Prediction", "rate": 0.5,
        "labels": [*ROIS, "target:Insula", "status", "volume_index"],
        "values": np.array(values, np.float32).reshape(len(rows), len(ROIS) + 3),
        "stamps": np.array([row[0] for row in rows]),
    }  # fmt: skip
