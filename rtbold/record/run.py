"""Everything that a recorded run leaves behind, in one hand."""

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from rtbold.clock import Clock
from rtbold.messages import EegChunk, Event, StreamChanged, StreamDescription
from rtbold.record.copy import RecordingCopy
from rtbold.record.events_log import EventLogWriter, LineLog, PublishedLog
from rtbold.record.folder import SessionPaths
from rtbold.record.parts import RecorderState
from rtbold.record.recorder import Recorder
from rtbold.run_names import parse

# Of the newest chunks the samples are kept: a recorder that dies had not written its
# last half second, and a disk that is full is noticed after some seconds only.
KEEP_S = 10.0


class RecordingRun:
    """LabRecorder in its own process, and what the loop saw and said beside its XDF.

    Parameters
    ----------
    paths : of the run; the folder exists and is empty.
    clock : LSL's.
    header : first line of the event log: session, unit, trigger_channel.
    copy : folder on another disk for a second copy; None: there is none.
    """

    def __init__(
        self,
        paths: SessionPaths,
        clock: Clock,
        *,
        header: Mapping[str, Any],
        copy: Path | None = None,
    ) -> None:
        self.paths = paths
        self.begun_s: float | None = None  # since when all streams are recorded
        self._clock = clock
        self._recorder = Recorder(paths, clock)
        self._logs = [EventLogWriter(paths.events, clock, header=header)]
        self._published = [PublishedLog(paths.published, clock)]
        self._copy = (
            None if copy is None else RecordingCopy(paths, copy, clock, header=header)
        )
        if self._copy and self._copy.events and self._copy.published:
            self._logs.append(self._copy.events)
            self._published.append(self._copy.published)
        self._beside: list[LineLog] = []
        self._kept: deque[EegChunk] = deque()  # written without their samples
        self._uid = ""
        self._started = False
        self._closed = False
        self._final_problem = ""

    @property
    def number(self) -> int:
        """The number of the run, as its files are named."""
        name = parse(self.paths.stem)
        assert name is not None  # `open_session_folder` made it
        return name.run

    def start(self, streams: Sequence[StreamDescription]) -> None:
        """Start LabRecorder on these streams; wait until it collects them all.

        Raises
        ------
        RtboldError : it is not installed, or does not begin.
        """
        self._started = True  # so that a start that is interrupted is stopped again
        self._recorder.start(streams)
        self.begun_s = self._clock.now_s()

    def marker_changed(self, description: StreamDescription) -> None:
        """Tell that the markers now come from this stream; returns at once."""
        self._recorder.source_changed(description)

    def take(self, event: Event) -> None:
        """Log one event before the pipeline sees it."""
        covered = self._recorder.covers(self._uid)
        if not covered:
            self._write_kept()
        if isinstance(event, StreamChanged):
            self._uid = event.description.uid
            if self._started:
                self._recorder.source_changed(event.description)
        if not isinstance(event, EegChunk):
            self._append(event)
            return
        self._recorder.samples_came(self._uid, event.t_arrived_s)
        self._append(event, inline_samples=not covered)
        if covered:
            self._keep(event)

    def keep_beside(self, log: LineLog) -> None:
        """Watch and close one more log of this run."""
        self._beside.append(log)

    def published(self, topic: str, message: msgspec.Struct) -> None:
        """Keep what has gone out."""
        for log in self._published:
            log.append(topic, message)

    def _append(self, event: Event, *, inline_samples: bool = False) -> None:
        for log in self._logs:
            log.append(event, inline_samples=inline_samples)

    def _keep(self, chunk: EegChunk) -> None:
        self._kept.append(chunk)
        while self._kept[0].t_arrived_s < chunk.t_arrived_s - KEEP_S:
            self._kept.popleft()

    def _write_kept(self) -> None:
        """Write the samples that the recorder may have had no time to write."""
        while self._kept:
            chunk = self._kept.popleft()
            for log in self._logs:
                log.append_samples(chunk)

    @property
    def state(self) -> RecorderState:
        """How the first copy is doing."""
        return self._recorder.state

    @property
    def problem(self) -> str:
        """What the operator must know; empty while all is well."""
        recorder = self._recorder.state
        bad = recorder.status in ("degraded", "failed")
        own = self._logs[0], self._published[0], *self._beside
        logs = [log.state.message for log in own]
        copy = self._copy.problem if self._copy else ""
        texts = [recorder.message if bad else "", *logs, copy]
        return "; ".join(dict.fromkeys(text for text in texts if text))

    def close(self) -> str:
        """Stop all; return what is wrong with what they wrote.

        Empty if nothing is. A second call only says it again.
        """
        if self._closed:
            return self._final_problem
        self._closed = True
        problem = self.problem
        if self._started:
            parts = self._recorder.stop()
            broken = [part.path.name for part in parts if not part.whole]
            if broken:
                self._write_kept()
            problem = problem or "; ".join(f"{name} is not whole" for name in broken)
        for log in (self._logs[0], self._published[0], *self._beside):
            state = log.close()
            problem = problem or state.message
        if self._copy is not None:
            of_copy = self._copy.close()
            problem = problem or of_copy
        self._final_problem = problem
        return problem
