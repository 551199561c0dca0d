"""A calibration scan from live streams to files: EEG by the recorder, BOLD as a table.

What is fitted afterwards reads these files as any others; nothing is kept elsewhere.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from rtbold.acquire import (
    Acquisition,
    AcquisitionSettings,
    BoldSource,
    EventGate,
    OpenFeed,
    open_bold,
)
from rtbold.calibration.inputs.choices import Pairing
from rtbold.calibration.inputs.eeg import read_eeg
from rtbold.calibration.inputs.triggers import (
    find_volume_marker,
    select_run,
    trigger_runs,
)
from rtbold.calibration.live.protocol import Phase, VolumeCount, phase_at
from rtbold.clock import Clock
from rtbold.errors import RtboldError
from rtbold.files import BoldWriter
from rtbold.messages import EegChunk, Event, Marker, MeasuredVolume, SenderChanged
from rtbold.record import RecordingRun, SessionPaths, open_session_folder
from rtbold.run_names import DEFAULT_SESSION
from rtbold.truth import Misnumbered, misnumbered

# Whether a recorded scan's measured volumes are those of its triggers. Pure.
#
# A recording that is started after the scan's first triggers counts from the first that
# it heard, and everything would be learnt from the wrong EEG.

MOST_WRONG = 0.5  # of the measured volumes; more, and the scan is not fitted


class LiveNumbers:
    """The measured volumes of a scan, held against its triggers.

    Parameters
    ----------
    first : number that the source gives to the first volume after the dummies.
    """

    def __init__(self, first: int) -> None:
        self._first = first
        self._volumes: list[MeasuredVolume] = []
        self._told = False

    def tell(
        self, volume: MeasuredVolume, count: VolumeCount, say: Callable[[str], None]
    ) -> None:
        """Take one measured volume; say once that its number is wrong."""
        found = self.take(volume, count)
        if found is None or self._told or count.tr_s is None:
            return
        self._told = True
        text = in_words(found, count.tr_s)
        say(f"NUMBERS: {text}. Stop with Ctrl-C, and begin before the scan.")

    def require(self, count: VolumeCount, folder: Path) -> None:
        """Refuse a scan whose volumes are not those of its triggers.

        Raises
        ------
        RtboldError : most volumes have another number than their triggers.
        """
        wrong = self.wrong(count)
        if count.tr_s is None or len(wrong) <= MOST_WRONG * len(self._volumes):
            return
        raise RtboldError(
            f"{len(wrong)} of {len(self._volumes)} measured volumes are not those of "
            f"their number: {in_words(wrong[-1], count.tr_s)}. Nothing was fitted. The "
            f"files are in {folder}: calibrate on them with --eeg and --bold, and "
            "leave the rows without a trigger out with --drop-volumes."
        )

    def take(self, volume: MeasuredVolume, count: VolumeCount) -> Misnumbered | None:
        """Take one measured volume; return what is wrong with its number."""
        self._volumes.append(replace(volume, rois=(), values=()))
        return self._look(volume, count)

    def wrong(self, count: VolumeCount) -> list[Misnumbered]:
        """Return all that are wrong, by all triggers."""
        found = [self._look(volume, count) for volume in self._volumes]
        return [each for each in found if each is not None]

    def _look(self, volume: MeasuredVolume, count: VolumeCount) -> Misnumbered | None:
        begun_s, tr_s = count.begun_s, count.tr_s
        if begun_s is None or tr_s is None:
            return None
        index = volume.volume_index - self._first
        return misnumbered(volume, begun_s + index * tr_s, tr_s)


def in_words(found: Misnumbered, tr_s: float) -> str:
    """Return what is wrong, in words."""
    n = max(1, round(-found.off_s / tr_s))
    return (
        f"{found.in_words()}: the recording seems to have missed the scan's first "
        f"triggers (about {n}), or the source counts from another number "
        "(--bold-first)"
    )


TURN_S: Final = 0.05
LOGGED_EVERY_S: Final = 20.0
LATE_S: Final = 15.0  # at the end, for volumes that are still exported
TASK: Final = "calib"
LEAST_S: Final = 360.0  # below it no strict folds can be cut at a TR of 2.1 s
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSettings:
    """What is recorded, and for how long."""

    subject: str
    folder: Path  # of all recordings
    session: str = DEFAULT_SESSION
    acquire: AcquisitionSettings
    source: BoldSource
    source_rois: tuple[str, ...] = ()  # of a source that sends numbers alone
    first: int = 0  # number that the source gives to the first volume after dummies
    trigger_label: str | None = None
    trigger_every: int = 1
    dummy_volumes: int = 0
    phases: tuple[Phase, ...]


@dataclass(frozen=True, slots=True)
class LiveScan:
    """The files of a scan that was recorded."""

    eeg: Path
    bold: Path
    first: int  # first and last volume that was measured, from 0 after the dummies
    last: int
    n_usable: int  # by the running count


def record_scan(
    settings: LiveSettings, *, clock: Clock, say: Say, stopping: Callable[[], bool]
) -> LiveScan:
    """Record until the protocol is over, or `stopping`; return the files.

    Raises
    ------
    RtboldError : a stream cannot be had or used, or nothing was measured.
    """
    with ExitStack() as stack:
        acquisition = Acquisition(settings.acquire)
        stack.callback(acquisition.close)
        acquisition.start()
        source = open_bold(settings.source, settings.source_rois, clock)
        stack.callback(source.close)
        paths = open_session_folder(
            settings.folder, settings.subject, session=settings.session, task=TASK
        )
        recording = _recording(settings, paths, acquisition, clock)
        stack.callback(recording.close)
        table = paths.folder / f"{paths.stem}_bold.tsv"
        writer = stack.enter_context(BoldWriter(table, first=settings.first))
        say(f"recording into {paths.folder}")
        scan = Scan(settings, writer, say)
        streams = _Streams(settings, acquisition, source, recording, say=say)
        while not scan.over(clock.now_s(), stopping()):
            for event in streams.events():
                recording.take(event)
                scan.take(event)
        problem = recording.close()
    if problem:
        say(f"RECORDING: {problem}")
    return scan.result(paths)


def _recording(
    settings: LiveSettings, paths: SessionPaths, acquisition: Acquisition, clock: Clock
) -> RecordingRun:
    """Start the recorder on EEG and triggers."""
    acquire = settings.acquire
    channel = getattr(acquire.trigger, "channel", None)
    given = {"unit": acquire.unit, "trigger_channel": channel}
    header = {key: value for key, value in given.items() if value is not None}
    recording = RecordingRun(paths, clock, header=header)
    found = (acquisition.description, acquisition.marker_description)
    recording.start([stream for stream in found if stream is not None])
    return recording


class _Streams:
    """What comes from all streams, and what is wrong with them, told once."""

    def __init__(
        self,
        settings: LiveSettings,
        acquisition: Acquisition,
        source: OpenFeed,
        recording: RecordingRun,
        *,
        say: Say,
    ) -> None:
        self._acquisition = acquisition
        self._source = source
        self._recording = recording
        self._say = say
        self._gate = EventGate(settings.trigger_label, acquisition, say=say)
        self._told = ""

    def events(self) -> list[Event]:
        """Return what has come; wait a turn at most."""
        if self._acquisition.refused is not None:
            raise self._acquisition.refused
        self._tell()
        events: list[Event] = []
        for event in self._acquisition.events(TURN_S):
            events += self._gate(event)
        return [*events, *self._source.volumes()]

    def _tell(self) -> None:
        eeg = self._acquisition.eeg
        texts = (eeg.problem or "", self._source.problem, self._recording.problem)
        problem = "; ".join(text for text in texts if text)
        if problem and problem != self._told:
            self._say(problem)
        self._told = problem


class Scan:
    """Where the protocol is, and what has been measured. Pure but for its table.

    Parameters
    ----------
    writer : of the measured volumes.
    """

    def __init__(self, settings: LiveSettings, writer: BoldWriter, say: Say) -> None:
        self._settings = settings
        self._writer = writer
        self._say = say
        self.count = VolumeCount(settings.dummy_volumes, settings.trigger_every)
        self._phase: int | None = None
        self._ended_s: float | None = None
        self._n_at_end = 0  # volumes that had begun then
        self._logged_s = -np.inf
        self._numbers = LiveNumbers(settings.first)
        self._other_sender = ""  # a stream that did not come from one sender alone
        total_s = sum(phase.duration_s for phase in settings.phases)
        if total_s < LEAST_S:
            say(
                f"the protocol lasts {total_s:g} s: too short to calibrate on, "
                f"expected {LEAST_S:g} s or more, better 16 minutes"
            )

    def take(self, event: Event) -> None:
        """Count one event; write it if it is a measured volume."""
        if isinstance(event, EegChunk):
            self.count.eeg(event.t_arrived_s)
        elif isinstance(event, Marker):
            self.count.trigger(event.t_arrived_s)
        elif isinstance(event, SenderChanged):
            self._sender_changed(event)
        elif isinstance(event, MeasuredVolume):
            if event.two_senders:
                self.came_from_two("measured BOLD")
            index = self._writer.write(event)
            if index is not None:
                self.count.volume(index)
                self._numbers.tell(event, self.count, self._say)

    def _sender_changed(self, event: SenderChanged) -> None:
        """Say that from here on it may be another head's scan."""
        what = "EEG" if event.stream == "eeg" else "triggers"
        self.came_from_two(what)
        who = "another sender of that name" if event.is_other else "the first sender"
        self._say(f"SENDER: the {what} come from {who} now; this scan is not fitted")

    def came_from_two(self, what: str) -> None:
        """Note that a stream did not come from one sender alone."""
        self._other_sender = self._other_sender or what

    def over(self, now_s: float, stopping: bool) -> bool:
        """Say where the protocol is; return whether nothing more is to come."""
        if self._ended_s is None and self._protocol_is_over(now_s, stopping):
            self._ended_s = now_s
            self._say("the protocol is over; waiting for the last measured volumes")
        if self._ended_s is None:
            self._tell(now_s)
            return False
        newest = self._writer.indices[-1] if self._writer.indices else -1
        complete = newest + 1 >= self._n_at_end > 0
        return complete or now_s - self._ended_s > LATE_S

    def _protocol_is_over(self, now_s: float, stopping: bool) -> bool:
        begun_s = self.count.begun_s
        at = 0 if begun_s is None else None
        if begun_s is not None:
            found = phase_at(self._settings.phases, now_s - begun_s)
            if found is not None:
                at = found[0]
                self._enter(*found)
        if not stopping and at is not None:
            return False
        self._n_at_end = self.count.n_volumes
        return True

    def _enter(self, number: int, left_s: float) -> None:
        if number == self._phase:
            return
        self._phase = number
        phase, n = self._settings.phases[number], len(self._settings.phases)
        self._say(f"phase {number + 1} of {n}, {left_s:.0f} s: {phase.instruction}")

    def _tell(self, now_s: float) -> None:
        if now_s - self._logged_s < LOGGED_EVERY_S:
            return
        self._logged_s = now_s
        if self.count.begun_s is None:
            self._say("waiting for the first volume trigger of the scanner")
            return
        self._say(
            f"{self.count.n_volumes} volumes scanned, {len(self.count.measured)} "
            f"measured, about {self.count.n_usable} usable"
        )

    def result(self, paths: SessionPaths) -> LiveScan:
        """Return what was recorded.

        Raises
        ------
        RtboldError : no trigger came, no volume was measured, the measured volumes
            are not those of the triggers, or a stream came from two senders.
        """
        indices = self._writer.indices
        if not indices or self.count.begun_s is None:
            what = "no measured volume" if self.count.begun_s else "no volume trigger"
            raise RtboldError(
                f"{what} came while {paths.folder} was recorded, expected both. Look "
                "at --bold-source and --trigger-stream (rtbold streams lists what is "
                "there)."
            )
        if self._other_sender:
            raise RtboldError(
                f"the {self._other_sender} came from two senders of one name, expected "
                f"one: it may be two heads. Nothing was fitted. The files are in "
                f"{paths.folder}: calibrate on them with --eeg and --bold, if both "
                "are this participant's."
            )
        self._numbers.require(self.count, paths.folder)
        return LiveScan(
            eeg=paths.xdf(),
            bold=self._writer.path,
            first=indices[0],
            last=indices[-1],
            n_usable=self.count.n_usable,
        )


def live_pairing(
    scan: LiveScan, pairing: Pairing, *, trigger_channel: str | None = None
) -> Pairing:
    """Return how rows and triggers of the recorded files go together.

    Triggers before the first and after the last measured volume have no row. A last
    volume whose trigger came after the EEG's last sample is left out on both sides:
    the streams of a recording do not end at the same instant.

    Raises
    ------
    RtboldError : the recording's triggers cannot be told; as in any calibration.
    """
    eeg = read_eeg(scan.eeg, trigger_channel=trigger_channel)
    every = pairing.marker.every
    marker = find_volume_marker(eeg.markers, tr_s=pairing.tr_s, choice=pairing.marker)
    tr_s = pairing.tr_s or marker.interval_s * every
    runs = trigger_runs(marker.times_s, tr_s, every=every)
    run = runs[select_run(runs, pairing.run, said=marker.text) - 1]
    start, end = (pairing.dummy_volumes + n for n in (scan.first, scan.last + 1))
    n_late = int((run.onsets_s[start:end] > eeg.last_s).sum())
    return replace(
        pairing,
        dummy_volumes=start,
        spare_triggers=max(len(run) - end, 0) + n_late,
        drop_last_volumes=pairing.drop_last_volumes + n_late,
    )
