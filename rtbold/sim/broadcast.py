"""The twin on LSL: EEG, volume triggers and measured BOLD, from one seed."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rtbold.clock import Clock
from rtbold.sim.outlets import (
    MARKERS_WAIT_S,
    EegOutletSettings,
    LslEventOutlet,
    LslSampleOutlet,
    open_bold_outlet,
    open_eeg_outlet,
    open_marker_outlet,
)
from rtbold.sim.player import PlayReport, TimedEvent, Track, marker_events, play
from rtbold.sim.twin import TwinRecording, channels_of, stream_blocks

TRIGGER_LABEL = "R128"
LEAD_S = 0.2  # from now to the first sample
LINGER_S = 0.5  # so that the last chunk is out before its outlet is gone
WAIT_SLICE_S = 0.2


@dataclass(frozen=True, slots=True)
class BroadcastSettings:
    """How a twin session goes on the air."""

    name: str = "rtbold-twin"  # streams are NAME-eeg, NAME-markers, NAME-bold
    chunk_s: float = 0.05
    wait_for_consumers_s: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class TwinOutlets:
    """The three streams of a twin."""

    eeg: LslSampleOutlet
    markers: LslEventOutlet
    bold: LslEventOutlet


def open_outlets(recording: TwinRecording, name: str) -> TwinOutlets:
    """Open the three streams; each says that it is simulated, and from which seed."""
    settings = recording.settings
    note = f"twin, level {settings.level}, seed {settings.seed}"
    eeg = EegOutletSettings(
        name=f"{name}-eeg",
        channels=channels_of(settings, with_index=settings.sample_index_channel),
        rate_hz=settings.rate_hz,
        reference=settings.reference,
        simulated=True,
        note=note,
    )
    return TwinOutlets(
        eeg=open_eeg_outlet(eeg),
        markers=open_marker_outlet(f"{name}-markers", simulated=True, note=note),
        bold=open_bold_outlet(
            f"{name}-bold",
            recording.roi_names,
            tr_s=settings.tr_s,
            simulated=True,
            note=f"{note}; stamp is the volume's onset, sent one TR later",
        ),
    )


def bold_events(recording: TwinRecording) -> list[TimedEvent]:
    """Return one event a volume: stamped at its onset, sent one TR later.

    A scanner exports a volume once it is measured; so the last one, whose export would
    come after the recording's end, is never sent.
    """
    tr_s = recording.settings.tr_s
    return [
        TimedEvent((float(k), *row.tolist()), float(t_s), due_s=float(t_s) + tr_s)
        for k, (t_s, row) in enumerate(
            zip(recording.volume_onsets_s, recording.bold, strict=True)
        )
    ]


def broadcast(
    recording: TwinRecording,
    settings: BroadcastSettings,
    *,
    clock: Clock,
    stop: threading.Event,
    say: Callable[[str], None],
) -> PlayReport:
    """Play a session made by ``simulate_base`` in real time; block until its end.

    Parameters
    ----------
    clock : LSL's, for its stamps are what goes out.
    stop : ends the play within a chunk.
    say : is told what is on the air, once.
    """
    outlets = open_outlets(recording, settings.name)
    onsets_s = recording.volume_onsets_s
    labels = np.full(onsets_s.size, TRIGGER_LABEL).tolist()
    tracks = (
        Track(outlets.markers, marker_events(labels, onsets_s)),
        Track(outlets.bold, bold_events(recording)),
    )
    say(_on_air(recording, settings.name))
    if settings.wait_for_consumers_s > 0:
        _wait_for_both(outlets, settings.wait_for_consumers_s, stop, say)
    report = play(
        stream_blocks(recording),
        recording.settings.rate_hz,
        outlets.eeg,
        clock,
        start_s=clock.now_s() + LEAD_S,
        markers=tracks,
        chunk_s=settings.chunk_s,
        stop=stop,
    )
    if not stop.is_set():
        clock.sleep_until(clock.now_s() + LINGER_S)
    return report


def _wait_for_both(
    outlets: TwinOutlets,
    timeout_s: float,
    stop: threading.Event,
    say: Callable[[str], None],
) -> None:
    if not _has_consumers(outlets.eeg, timeout_s, stop):
        say("nobody listens yet; playing all the same")
    elif not _has_consumers(outlets.markers, MARKERS_WAIT_S, stop):
        say("nobody listens to the markers; playing all the same")


def _has_consumers(
    outlet: LslSampleOutlet | LslEventOutlet, timeout_s: float, stop: threading.Event
) -> bool:
    """Wait in slices, so that a signal is heard; True if somebody came, or `stop`."""
    for _ in range(int(np.ceil(timeout_s / WAIT_SLICE_S))):
        if stop.is_set() or outlet.wait_for_consumers(WAIT_SLICE_S):
            return True
    return False


def _on_air(recording: TwinRecording, name: str) -> str:
    settings = recording.settings
    return (
        f"simulated EEG on LSL: {name}-eeg ({len(settings.channels)} channels, "
        f"{settings.rate_hz:g} Hz, ref {settings.reference}), {name}-markers "
        f"({TRIGGER_LABEL} every {settings.tr_s:g} s), {name}-bold; "
        f"level {settings.level}, seed {settings.seed}, {settings.duration_s:g} s"
    )
