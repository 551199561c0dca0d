"""LSL outlets for whatever is played: EEG, markers, BOLD, with full descriptions.

Metadata follows the XDF specification (``desc/channels/channel/{label,unit,type}``).
A stream is simulated when ``desc/rtbold/simulated`` says ``true``.
"""

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtbold.messages import Channel, Float32Array

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
