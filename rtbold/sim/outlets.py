"""LSL outlets for whatever is played: EEG, markers, BOLD, with full descriptions.

Metadata follows the XDF specification (``desc/channels/channel/{label,unit,type}``).
A stream is simulated when ``desc/rtbold/simulated`` says ``true``.
"""

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rtbold.clock import Clock
from rtbold.messages import Channel, Float32Array
from rtbold.sim.player import PlayReport, TimedEvent, Track, marker_events, play
from rtbold.sim.recording import SimulatedRecording, channels_of
from rtbold.sim.twin import stream_blocks

if TYPE_CHECKING:
    import pylsl
_LSL_UNITS = {"uV": "microvolts"}  # the spelling of the XDF specification
_LSL_TYPES = {"misc": "Misc", "motion": "Motion", "trigger": "Trigger"}
MARKERS_WAIT_S = 10.0  # for their listener once the EEG has one: no trigger is lost


@dataclass(frozen=True, slots=True)
class EegOutletSettings:
    """What an EEG stream says about itself."""

    name: str
    channels: tuple[Channel, ...]  # unit "" means "uV"
    rate_hz: float
    reference: str | None = None  # electrode name, "average", or None: not said
    simulated: bool = False
    type: str = "EEG"
    source_id: str = ""  # "": a new one each time, as a restarted upstream has
    manufacturer: str = "rtbold"
    note: str = ""  # free text in desc/rtbold/note
    max_buffered_s: int = 60  # held for a consumer that is slow


class LslSampleOutlet:
    """A regular stream; one chunk a push, so that consumers see it at once."""

    def __init__(self, outlet: "pylsl.StreamOutlet") -> None:
        self._outlet = outlet

    def push_block(self, samples: Float32Array, t_last_s: float) -> None:
        """Send (samples, channels); the last one is stamped `t_last_s`."""
        self._outlet.push_chunk(samples, t_last_s)

    def wait_for_consumers(self, timeout_s: float) -> bool:
        """Wait for a subscriber; return whether one came."""
        return bool(self._outlet.wait_for_consumers(timeout_s))


class LslEventOutlet:
    """An irregular stream: markers, or one BOLD volume at a time."""

    def __init__(self, outlet: "pylsl.StreamOutlet") -> None:
        self._outlet = outlet

    def push_event(
        self, values: tuple[str, ...] | tuple[float, ...], t_s: float
    ) -> None:
        """Send one sample, stamped `t_s`."""
        self._outlet.push_sample(list(values), t_s)

    def wait_for_consumers(self, timeout_s: float) -> bool:
        """Wait for a subscriber; return whether one came."""
        return bool(self._outlet.wait_for_consumers(timeout_s))


def open_eeg_outlet(settings: EegOutletSettings) -> LslSampleOutlet:
    """Open an EEG outlet (float32) with its whole description."""
    import pylsl

    info = pylsl.StreamInfo(
        settings.name,
        settings.type,
        len(settings.channels),
        settings.rate_hz,
        pylsl.cf_float32,
        settings.source_id or _new_source_id(settings.name),
    )
    desc = info.desc()
    _describe_channels(desc, settings.channels)
    if settings.reference is not None:
        desc.append_child("reference").append_child_value("label", settings.reference)
    acquisition = desc.append_child("acquisition")
    acquisition.append_child_value("manufacturer", settings.manufacturer)
    _describe_rtbold(desc, simulated=settings.simulated, note=settings.note)
    outlet = pylsl.StreamOutlet(info, max_buffered=settings.max_buffered_s)
    return LslSampleOutlet(outlet)


def open_marker_outlet(
    name: str, *, source_id: str = "", simulated: bool = False, note: str = ""
) -> LslEventOutlet:
    """Open a marker outlet: one string channel, irregular, type ``Markers``."""
    import pylsl

    info = pylsl.StreamInfo(
        name,
        "Markers",
        1,
        pylsl.IRREGULAR_RATE,
        pylsl.cf_string,
        source_id or _new_source_id(name),
    )
    _describe_rtbold(info.desc(), simulated=simulated, note=note)
    return LslEventOutlet(pylsl.StreamOutlet(info))


def open_bold_outlet(
    name: str,
    roi_names: tuple[str, ...],
    *,
    tr_s: float,
    source_id: str = "",
    simulated: bool = False,
    note: str = "",
) -> LslEventOutlet:
    """Open a BOLD outlet: ``volume_index``, then one channel per ROI; irregular.

    The stamp of a sample is its volume's onset; it is sent later, when a scanner's
    export would have it, so its rate as it arrives means nothing.
    """
    import pylsl

    channels = (
        Channel("volume_index", "count", "misc"),
        *(Channel(roi, "a.u.", "misc") for roi in roi_names),
    )
    info = pylsl.StreamInfo(
        name,
        "BOLD",
        len(channels),
        pylsl.IRREGULAR_RATE,
        pylsl.cf_double64,
        source_id or _new_source_id(name),
    )
    desc = info.desc()
    _describe_channels(desc, channels)
    desc.append_child("acquisition").append_child_value("tr_s", repr(float(tr_s)))
    _describe_rtbold(desc, simulated=simulated, note=note)
    return LslEventOutlet(pylsl.StreamOutlet(info))


def _describe_channels(desc: "pylsl.XMLElement", channels: tuple[Channel, ...]) -> None:
    parent = desc.append_child("channels")
    for channel in channels:
        unit = channel.unit or "uV"
        element = parent.append_child("channel")
        element.append_child_value("label", channel.label)
        element.append_child_value("unit", _LSL_UNITS.get(unit, unit))
        element.append_child_value(
            "type", _LSL_TYPES.get(channel.kind, channel.kind.upper())
        )


def _describe_rtbold(desc: "pylsl.XMLElement", *, simulated: bool, note: str) -> None:
    element = desc.append_child("rtbold")
    element.append_child_value("simulated", "true" if simulated else "false")
    if note:
        element.append_child_value("note", note)


def _new_source_id(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:12]}"


# The twin on LSL: EEG, volume triggers and measured BOLD, from one seed.

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


def open_outlets(recording: SimulatedRecording, name: str) -> TwinOutlets:
    """Open the three streams; each says that it is simulated, and from which seed."""
    settings = recording.settings
    note = settings.title
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


def bold_events(recording: SimulatedRecording) -> list[TimedEvent]:
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
    recording: SimulatedRecording,
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


def _on_air(recording: SimulatedRecording, name: str) -> str:
    settings = recording.settings
    return (
        f"simulated EEG on LSL: {name}-eeg ({len(settings.channels)} channels, "
        f"{settings.rate_hz:g} Hz, ref {settings.reference}), {name}-markers "
        f"({TRIGGER_LABEL} every {settings.tr_s:g} s), {name}-bold; "
        f"level {settings.level}, seed {settings.seed}, {settings.duration_s:g} s"
    )
