"""Samples with a truth: when each was taken, how it was stamped, when it came.

`ok_errors_s` is the judge: by how much the windows of predictions that are `ok` miss
the 16 s before their volume, in seconds of samples really taken.
"""

import itertools

import numpy as np
import pipeline_rig as rig

from rtbold.messages import EegChunk
from rtbold.predict.pipeline import Pipeline, PipelineSettings
from rtbold.window.schedule import ScheduleSettings

RATE_HZ = 250.0
TRANSPORT_S = 0.03


def taken_times(seconds, rate_hz=RATE_HZ):
    return rig.T0_S + np.arange(round(seconds * rate_hz)) / rate_hz


def lost(taken_s, *holes):
    """Return the samples that are left; each hole is (from, seconds), after T0."""
    kept = np.ones(len(taken_s), bool)
    for at_s, long_s in holes:
        since_s = taken_s - rig.T0_S
        kept &= (since_s < at_s - 1e-9) | (since_s >= at_s + long_s - 1e-9)
    return taken_s[kept]


def counted(taken_s, rate_hz=RATE_HZ):
    """Return the stamps of a sender that counts samples."""
    return taken_s[0] + np.arange(len(taken_s)) / rate_hz


def chunks(
    data_uv, taken_s, stamps_s, *, chunk_n=12, delays_s=None, transport_s=TRANSPORT_S
):
    """Cut into chunks; each arrives once its last sample was taken, plus its delay.

    Parameters
    ----------
    delays_s : function of the time a chunk was sent; more than the transport.
    """
    n, now_s = len(taken_s), -np.inf
    for first, end in itertools.pairwise([*range(0, n, chunk_n), n]):
        sent_s = float(taken_s[end - 1])
        arrived_s = sent_s + transport_s + (delays_s(sent_s) if delays_s else 0.0)
        now_s = max(now_s, arrived_s)  # a network keeps their order
        part = slice(first, end)
        yield EegChunk(data_uv[:, part], stamps_s[part], now_s, first)


def predictions(came, seconds, *, rate_hz=RATE_HZ, pipe=None, stream=None, tr_s=None):
    """Push a whole session; return the predictions of volumes, and the pipeline."""
    tr_s = tr_s or rig.TR_S
    if pipe is None:
        settings = PipelineSettings(schedule=ScheduleSettings(tr_s=tr_s))
        pipe = Pipeline(rig.card(tr_s=tr_s), rig.RecordingModel(), settings)
    markers = rig.triggers(seconds, tr_s=tr_s)
    events = rig.in_order(came, markers, rig.passing(seconds))
    found = rig.run(pipe, stream or rig.stream(rate_hz), events)
    return [p for p in found if p.tick.volume_index is not None], pipe


def session(taken_s, stamps_s, *, seconds=None, data_uv=None, rate_hz=RATE_HZ, **how):
    """Return predictions and pipeline of noise that was taken and stamped so."""
    if data_uv is None:
        data_uv = rig.eeg(rate_hz, len(taken_s) / rate_hz)
    seconds = seconds or taken_s[-1] - rig.T0_S
    given = {name: how.pop(name) for name in ("pipe", "stream", "tr_s") if name in how}
    came = chunks(data_uv, taken_s, stamps_s, **how)
    return predictions(came, seconds, rate_hz=rate_hz, **given)


def errors_s(found, taken_s):
    """Return by how much each window's newest sample misses its volume."""
    return np.array([taken_s[p.source_end - 1] - p.t_end_s for p in found])


def ok_errors_s(found, taken_s):
    """Return the largest such error among the predictions that are `ok`."""
    ok = [p for p in found if p.status == "ok"]
    return float(np.abs(errors_s(ok, taken_s)).max(initial=0.0))


def between(found, first_s, end_s):
    """Return the predictions whose window ends in that time after T0."""
    return [p for p in found if first_s <= p.t_end_s - rig.T0_S < end_s]


def statuses(found):
    return {p.status for p in found}
