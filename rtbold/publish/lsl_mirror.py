"""The feed once more as LSL, so that LabRecorder stores feedback with the EEG.

``rtbold-pred``: one sample per TR, stamped with the window's end (the volume's onset).
Channels: every ROI, the target's feedback value, ``status`` (0 ok, 1 degraded, 2
invalid, 3 warmup, 4 paused: that of ``pred.fb``), ``volume_index``. NaN where the feed
says null. ``rtbold-events``: text markers for changes of status and marks.
"""

import hashlib
import math
import platform
from dataclasses import dataclass
from typing import Any

from rtbold.messages import STATUS_RANK
from rtbold.publish.wire import PredFb, PredRoi

PREDICTIONS_NAME = "rtbold-pred"
EVENTS_NAME = "rtbold-events"


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorSettings:
    """What the mirror's streams say about themselves."""

    rois: tuple[str, ...]
    target: str
    tr_s: float
    model_sha256: str
    simulated: bool  # the EEG, hence the predictions
    port: int = 0  # of the feed; tells two sessions on one machine apart
    name: str = PREDICTIONS_NAME
    events_name: str = EVENTS_NAME

    @property
    def labels(self) -> tuple[str, ...]:
        """Channel labels in order."""
        return (*self.rois, f"target:{self.target}", "status", "volume_index")

    def source_id(self, name: str) -> str:
        """Return an id that is the same after a restart with port and channels alike.

        Inlets then recover by themselves; other channels are another stream. Without
        the port, a recorder would take the predictions of a second session on this
        machine for ours.
        """
        channels = hashlib.sha256("\n".join(self.labels).encode()).hexdigest()[:12]
        return f"{name}@{platform.node()}:{self.port}-{channels}"


def row(roi: PredRoi, fb: PredFb, *, n_rois: int) -> list[float]:
    """Return one sample of ``rtbold-pred``.

    Parameters
    ----------
    n_rois : channels of ROIs; 0 in a blinded session.

    Raises
    ------
    ValueError : the two messages are not of one tick.
    """
    if (roi.volume_index, roi.window) != (fb.volume_index, fb.window):
        raise ValueError(
            f"pred.roi is of volume {roi.volume_index}, pred.fb of {fb.volume_index}; "
            "expected both of one tick."
        )
    values = (None,) * n_rois if roi.values is None else roi.values[:n_rois]
    numbers = (*values, fb.value, STATUS_RANK[fb.status], fb.volume_index)
    return [math.nan if number is None else float(number) for number in numbers]


def status_text(fb: PredFb) -> str:
    """Return the marker for a status, such as ``status invalid: gap, rate``."""
    return f"status {fb.status}: {', '.join(fb.reasons)}".removesuffix(": ")


class LslMirror:
    """Two LSL outlets; open from construction to `close`. One thread uses it."""

    def __init__(self, settings: MirrorSettings) -> None:
        import pylsl  # late: `rtbold --help` must not load LSL

        self._settings = settings
        self._predictions: pylsl.StreamOutlet | None = pylsl.StreamOutlet(
            _predictions_info(settings)
        )
        self._events: pylsl.StreamOutlet | None = pylsl.StreamOutlet(
            _events_info(settings)
        )
        self._last_status = ""

    def push(self, roi: PredRoi, fb: PredFb) -> None:
        """Send the two messages of one tick, and a marker if the status changed."""
        sample = row(roi, fb, n_rois=len(self._settings.rois))
        if self._predictions is not None:
            self._predictions.push_sample(sample, fb.window.t_end)
        if (status := status_text(fb)) != self._last_status:
            self._last_status = status
            self.push_event(status, fb.window.t_end)

    def push_event(self, text: str, t_lsl_s: float) -> None:
        """Send one text marker."""
        if self._events is not None:
            self._events.push_sample([text], t_lsl_s)

    def close(self) -> None:
        """Take both streams off the network."""
        # liblsl closes an outlet when its last reference goes
        self._predictions = self._events = None


def _predictions_info(settings: MirrorSettings) -> Any:  # noqa: ANN401 -- pylsl is untyped
    import pylsl

    info = pylsl.StreamInfo(
        name=settings.name,
        type="Prediction",
        channel_count=len(settings.labels),
        # not 0: LSL4Unity sizes its buffer from the rate and reads nothing at 0
        nominal_srate=1 / settings.tr_s,
        channel_format=pylsl.cf_float32,
        source_id=settings.source_id(settings.name),
    )
    desc = info.desc()
    channels = desc.append_child("channels")
    for label in settings.labels:
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", _unit(label))
        channel.append_child_value("type", "BOLD" if _is_value(label) else "Misc")
    _describe(desc, settings)
    return info


def _events_info(settings: MirrorSettings) -> Any:  # noqa: ANN401 -- pylsl is untyped
    import pylsl

    info = pylsl.StreamInfo(
        name=settings.events_name,
        type="Markers",
        channel_count=1,
        nominal_srate=pylsl.IRREGULAR_RATE,
        channel_format=pylsl.cf_string,
        source_id=settings.source_id(settings.events_name),
    )
    _describe(info.desc(), settings)
    return info


def _describe(desc: Any, settings: MirrorSettings) -> None:  # noqa: ANN401
    about = desc.append_child("rtbold")
    about.append_child_value("simulated", "true" if settings.simulated else "false")
    about.append_child_value("target", settings.target)
    about.append_child_value("model_sha256", settings.model_sha256)


def _is_value(label: str) -> bool:
    return label not in ("status", "volume_index")


def _unit(label: str) -> str:
    return "model units" if _is_value(label) else "integer"
