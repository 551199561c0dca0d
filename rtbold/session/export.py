"""A recorded session as a BIDS data set that can be shared.

What goes out is chosen, not what stays: samples, events, what was published, and those
settings that say how it came about. Times are counted from the first sample of a file;
no date, host, user, path or serial number is among what is chosen.
"""

import getpass
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rtbold.errors import ConfigError, DataFileError, RtboldError
from rtbold.files import (
    BidsRecording,
    BidsTable,
    BidsTexts,
    XdfStream,
    check_free,
    check_target,
    in_microvolt,
    is_markers,
    load_streams,
    stream_markers,
    write_bids,
)
from rtbold.messages import (
    Channel,
    Event,
    Marker,
    MeasuredVolume,
    OperatorCommand,
    StreamDescription,
)
from rtbold.publish import EVENTS_NAME as STATUS_STREAM, PREDICTIONS_NAME
from rtbold.record import (
    EVENTS_NAME,
    NOTE_NAME,
    PUBLISHED_NAME,
    Loss,
    session_events,
    session_parts,
    xdf_parts,
)
from rtbold.run_names import RunName, check_label, check_run, parse
from rtbold.session.blocks import recorded_blocks
from rtbold.session.nameless import Nameless, home_names
from rtbold.session.provenance import commit, kept_facts
from rtbold.session.published import read_log
from rtbold.session.published_tables import (
    Placing,
    measured_table,
    read_published,
    tables,
)
from rtbold.session.timeline import Stretch, Timeline, stretch_of

_MARK_NEAR_S = 0.5  # between a mark in the event log and in the XDF


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What a recording does not say, or is to be called."""

    subject: str | None = None  # None: as the recording is named
    session: str | None = None
    task: str | None = None
    run: int | None = None
    line_hz: float | None = None  # of the mains; None: n/a
    words: bool = True  # what operators wrote; False: left out

    def __post_init__(self) -> None:
        """Refuse what is no code, run or frequency."""
        for what in ("subject", "session", "task"):
            if (label := getattr(self, what)) is not None:
                check_label(what, label)
        check_run(self.run)
        if self.line_hz is not None and not 10 <= self.line_hz <= 100:
            raise ConfigError(
                f"--line-frequency is {self.line_hz:g}, expected that of the mains in "
                "hertz, 50 or 60."
            )


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export has written."""

    names: tuple[str, ...]  # beginning of the file names of each recording
    files: tuple[Path, ...]  # relative to the data set
    n_words: int  # events that hold what an operator wrote
    notes: tuple[str, ...]  # what is not as in a whole session


def export_session(path: Path, root: Path, options: ExportOptions) -> Exported:
    """Add the session of `path` to the BIDS data set in `root`.

    Parameters
    ----------
    path : folder of a session, a file in it, or a folder of several.

    Raises
    ------
    ConfigError : names are missing or taken, or `root` is no place for it.
    DataFileError : there is no session, or it cannot be read.
    """
    check_target(root)
    folders = recorded_folders(path)
    if options.run is not None and len(folders) > 1:
        raise ConfigError(
            f"--run was given for {len(folders)} recordings below {path}, expected one "
            "recording. Leave it out, or name the folder of one."
        )
    names = [entities(folder, options) for folder in folders]
    if len({name.stem for name in names}) < len(names):
        raise ConfigError(
            f"the recordings below {path} would have the same names "
            f"({', '.join(name.stem for name in names)}), expected different ones. "
            "Export them one by one, each with its own --run or --session."
        )
    for name in names:
        check_free(root, name)  # before the work, which takes a while
    exported = _Exporting(options)
    files = write_bids(root, exported.recordings(folders, names), _texts())
    return Exported(
        tuple(exported.names), files, exported.n_words, tuple(exported.notes)
    )


class _Exporting:
    """Hands out the recordings of sessions one by one; keeps what is said of them."""

    def __init__(self, options: ExportOptions) -> None:
        self._options = options
        self.names: list[str] = []
        self.notes: list[str] = []
        self.n_words = 0

    def recordings(
        self, folders: Sequence[Path], names: Sequence[RunName]
    ) -> Iterator[BidsRecording]:
        """Yield the recordings of these sessions."""
        for folder, name in zip(folders, names, strict=True):
            session = _Session(folder, name, self._options)
            for recording in session.recordings():
                self.names.append(recording.name.stem)
                self.n_words += _n_words(recording.events)
                yield recording
            self.notes += [f"{name.stem}: {note}" for note in session.notes]


def recorded_folders(path: Path) -> list[Path]:
    """Return the folders of the sessions that `path` is, is in, or holds.

    Raises
    ------
    DataFileError : there is none.
    """
    folder = path if path.is_dir() else path.parent
    if path.exists() and (folder / EVENTS_NAME).is_file():
        return [folder]
    found = (
        sorted(log.parent for log in folder.rglob(EVENTS_NAME))
        if path == folder
        else []
    )
    if not found:
        raise DataFileError(
            f"{path} is no recorded session, expected the folder that rtbold run "
            f"--record made, with its {EVENTS_NAME}. A recording made by others is "
            "brought into BIDS by the tools of its format."
        )
    return found


def entities(folder: Path, options: ExportOptions) -> RunName:
    """Return what a recording is called: by the options, else by its own name.

    Raises
    ------
    ConfigError : neither says it.
    """
    places = [folder.name, *sorted(file.name for file in folder.glob("*.xdf"))]
    found = next((hit for place in places if (hit := parse(place))), None)
    names: dict[str, Any] = {
        key: getattr(options, key) or getattr(found, key, None)
        for key in ("subject", "session", "task", "run")
    }
    if missing := [f"--{key}" for key, value in names.items() if value is None]:
        raise ConfigError(
            f"{folder.name!r} does not say what the recording is called, expected a "
            f"name such as sub-S01_ses-01_task-nf_run-01. Give {', '.join(missing)}."
        )
    return RunName(**names)


class _Session:
    """Reads one recorded session and says what of it may be shared."""

    def __init__(self, folder: Path, name: RunName, options: ExportOptions) -> None:
        self._folder = folder
        self._name = name
        self._options = options
        self.notes: list[str] = []
        self._kept = kept_facts(folder)
        self._timeline = Timeline()
        self._whole = True
        self._timeline.take(self._recorded_events())
        self._stretches = self._timeline.stretches()
        self._streams = self._small_streams()
        self._nameless = Nameless(self._known_names(), words=options.words)
        self._published = read_published(folder, self._streams, self._kept.rois)

    def recordings(self) -> Iterator[BidsRecording]:
        """Yield the recordings of the session; `notes` then say what is not whole.

        Raises
        ------
        DataFileError : it holds no EEG.
        """
        if not self._stretches:
            raise DataFileError(
                f"{self._folder} holds no sample of EEG, expected a session that "
                "received some. There is nothing to export."
            )
        if (self._folder / NOTE_NAME).is_file():
            self.notes.append(
                f"{NOTE_NAME} is there: if the session still runs, what comes from now "
                "on is missing"
            )
        self.notes += self._published.notes
        if not self._published.predictions:
            self.notes.append(
                "the session kept nothing of what it published; derivatives hold none"
            )
        for at in range(len(self._stretches)):
            yield self._recording(at)

    def _recorded_events(self) -> Iterator[Event]:
        """Yield the events of the session up to where its record breaks off."""
        events = session_events(_xdf(self._folder), tell=self._lost)
        assert events is not None  # its log is there
        n = 0
        try:
            for event in events:
                n += 1
                yield event
        except DataFileError as error:
            if n == 0:
                raise
            self._whole = False
            self.notes.append(f"exported up to where the record breaks off: {error}")

    def _lost(self, loss: Loss) -> None:
        """Note what is missing in the record; the rest is exported."""
        self._whole = self._whole and loss.kind == "part"
        self.notes.append(str(loss))

    def _small_streams(self) -> list[XdfStream]:
        """Return the streams of the XDF but for the EEG, which the events have."""
        eeg = {stretch.description.name for stretch in self._stretches}
        found = []
        for part in xdf_parts(_xdf(self._folder)):
            try:
                streams, notes = load_streams(part)
            except RtboldError as error:
                self.notes.append(f"{part.name} is left out: {error}")
                continue
            self.notes += notes
            found += [s for s in streams if s.is_text or s.description.name not in eeg]
        return found

    def _known_names(self) -> set[str]:
        """Return what must not go out: machines, users, streams, other codes."""
        described = list(self._timeline.described)
        described += [stream.description for stream in self._streams]
        texts = [v for v in self._kept.run.values() if isinstance(v, str)]
        names = {d.uid for d in described}
        names |= {d.source_id for d in described if any(map(str.isdigit, d.source_id))}
        hosts = {d.host for d in described} | {platform.node()}
        hosts |= {
            str(self._kept.run.get(key) or "") for key in ("host", "trigger_host")
        }
        names |= hosts | {
            host.partition(".")[0] for host in hosts if host[:1].isalpha()
        }
        names |= home_names(texts) | {_user()}
        found = parse(self._folder.name)
        codes = {self._kept.run.get("subject"), found.subject if found else None}
        codes.add(self._kept.run.get("record_as"))
        codes.add(self._kept.origin.get("subject"))
        return names | {str(c) for c in codes if c and c != self._name.subject}

    def _recording(self, at: int) -> BidsRecording:
        stretch, name = self._stretches[at], self._name
        if len(self._stretches) > 1:
            name = replace(name, acquisition=f"part{at + 1:02d}")
        simulated = any(s.description.simulated for s in self._stretches)
        return BidsRecording(
            name=name,
            data_uv=stretch.data_uv,
            rate_hz=stretch.description.rate_hz,
            channels=self._channels(stretch.description),
            events=self._events(at),
            sidecar=self._sidecar(stretch, simulated=simulated),
            derived=dict(self._derived(at, simulated=simulated)),
            line_hz=self._options.line_hz,
            simulated=simulated,
        )

    def _channels(self, description: StreamDescription) -> tuple[Channel, ...]:
        return tuple(
            replace(
                channel,
                label=self._nameless.label(channel.label) or f"Ch{number}",
                unit=self._nameless.label(channel.unit),
            )
            for number, channel in enumerate(
                in_microvolt(description.channels, self._kept.run.get("unit")), start=1
            )
        )

    def _sidecar(self, stretch: Stretch, *, simulated: bool) -> dict[str, object]:
        reference = self._kept.run.get("reference") or stretch.description.reference
        duration_s = stretch.data_uv.shape[1] / stretch.description.rate_hz
        about = ["A session in which BOLD was predicted from this EEG, live."]
        about += ["SIMULATED: no brain made this EEG."] if simulated else []
        if not self._whole:
            about.append("The record breaks off, or parts of it are missing.")
        if stretch.gaps:
            about.append("Samples that never came are zeros; events BAD_gap say where.")
        return {  # the keys of the standard alone: some validators know no others
            "TaskName": self._name.task,
            "TaskDescription": " ".join(about),
            "EEGReference": self._nameless.label(str(reference or "")) or "n/a",
            "RecordingDuration": duration_s,
            "PowerLineFrequency": self._options.line_hz or "n/a",
            "SoftwareFilters": self._filters(stretch.description),
            "HardwareFilters": "n/a",
            "Manufacturer": "n/a",
            "EEGPlacementScheme": "n/a",
        }

    def _filters(self, description: StreamDescription) -> dict[str, object] | str:
        """Return how the EEG was cleaned before the session received it."""
        cleaning = self._cleaning(description)
        if not cleaning:
            return "n/a"
        mode, _, software = cleaning.partition(":")
        delay_ms = self._kept.run.get("upstream_delay_ms")
        known: dict[str, object] = {"mode": mode, "software": software or "n/a"}
        known["delay_s"] = delay_ms / 1000 if delay_ms is not None else "n/a"
        return {"cleaned upstream": known}

    def _cleaning(self, description: StreamDescription) -> str:
        said = self._kept.run.get("cleaning") or description.cleaning
        return self._nameless.label(str(said or ""))

    def _events(self, at: int) -> BidsTable:
        stretch = self._stretches[at]
        rate_hz, n = stretch.description.rate_hz, stretch.data_uv.shape[1]
        rows: list[_Row] = [
            _Row(gap.first, "BAD_gap", duration_s=gap.n / rate_hz)
            for gap in stretch.gaps
        ]
        n_outside = 0
        for t_s, row in self._happened():
            if stretch_of(self._stretches, t_s) != at:
                continue
            place = stretch.place(t_s)
            if -0.5 <= place <= n - 0.5:
                rows.append(replace(row, place=place))
            else:
                n_outside += 1
        if n_outside:
            self.notes.append(f"{n_outside} events lie outside the EEG; left out")
        return _event_table(sorted(rows, key=lambda row: row.place), rate_hz)

    def _happened(self) -> Iterator[tuple[float, "_Row"]]:
        """Yield what happened, with its time; places are not known yet."""
        label, words = self._nameless.label, self._nameless.words
        seen = set()
        for happening in self._timeline.happenings:
            event, t_s = happening.event, happening.t_s
            if isinstance(event, Marker):
                seen.add((event.label, event.t_lsl_s))
                yield t_s, _Row(0, "trigger", value=label(event.label))
            elif isinstance(event, OperatorCommand):
                t_s = self._mark_s(event, t_s)
                yield t_s, _Row(0, event.op, text=words(event.text))
        for block in recorded_blocks(_published(self._folder)):
            words_of = label(block.words)
            value, long_s = label(block.name), block.duration_s
            yield block.t_on_s, _Row(0, "block", value, words_of, long_s)
        for stream in self._streams:
            for text, stamp_s, t_s in _other_markers(stream):
                if (text, stamp_s) not in seen:  # parts may overlap, too
                    seen.add((text, stamp_s))
                    yield t_s, _Row(0, "marker", value=label(text))

    def _mark_s(self, command: OperatorCommand, near_s: float) -> float:
        """Return when a mark was made, as the LSL mirror stamped it, if it did."""
        wanted = f"{command.op}: {command.text}"
        stamps = [
            float(stamp_s)
            for stream in self._streams
            if stream.description.name == STATUS_STREAM
            for row, stamp_s in zip(stream.values, stream.stamps_s, strict=True)
            if row[0] == wanted and abs(stamp_s - near_s) < _MARK_NEAR_S
        ]
        return min(stamps, key=lambda s: abs(s - near_s), default=near_s)

    def _derived(self, at: int, *, simulated: bool) -> Iterator[tuple[str, BidsTable]]:
        stretch = self._stretches[at]
        label = self._nameless.label
        published = replace(
            self._published,
            rois=tuple(map(label, self._published.rois)),
            target=label(self._published.target),
        )
        placing = Placing(
            onset_s=lambda t_s: stretch.place(t_s) / stretch.description.rate_hz,
            holds=lambda t_s: stretch_of(self._stretches, t_s) == at,
            tr_s=self._kept.tr_s,
            facts=self._facts(stretch, simulated=simulated),
        )
        yield from tables(published, placing)
        volumes = [
            (happening.t_s, happening.event)
            for happening in self._timeline.happenings
            if isinstance(happening.event, MeasuredVolume)
        ]
        if (measured := measured_table(volumes, placing, label)) is not None:
            yield "measured", measured

    def _facts(self, stretch: Stretch, *, simulated: bool) -> dict[str, object]:
        """Return what each sidecar of the derivatives says."""
        sources = "; ".join(self._published.sources) or "nothing was kept"
        return {
            "Source": f"as published live: {sources}",
            "Recomputed": False,
            "Simulated": simulated,
            **self._kept.provenance(
                self._nameless.label,
                cleaning=self._cleaning(stretch.description) or None,
            ),
        }


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may know no user
        return ""


@dataclass(frozen=True, slots=True)
class _Row:
    """One event of a file."""

    place: float  # samples
    kind: str
    value: str = ""
    text: str = ""
    duration_s: float = 0.0


def _event_table(rows: Sequence[_Row], rate_hz: float) -> BidsTable:
    columns: dict[str, Sequence[object]] = {
        "onset": [round(row.place / rate_hz, 6) for row in rows],
        "duration": [round(row.duration_s, 6) for row in rows],
        "trial_type": [row.kind for row in rows],
        "value": [row.value for row in rows],
        "sample": [round(row.place) for row in rows],
        "text": [row.text for row in rows],
    }
    kinds = {
        "trigger": "a volume trigger, as the session took it",
        "marker": "another marker that was recorded",
        "mark": "a mark of the operator or an app",
        "note": "a note of the operator",
        "pause": "predictions were paused",
        "resume": "predictions went on",
        "block": "a block of the protocol, whose name is the value",
        "participant_stop": "the participant asked to stop",
        "adverse_event": "an adverse event, as the operator noted it",
        "answer": "an answer to a question of the protocol",
        "BAD_gap": "no samples came; zeros stand for them",
    }
    meaning: dict[str, Mapping[str, object]] = {
        "onset": {"Description": "from the first sample, by the samples", "Units": "s"},
        "duration": {"Description": "0: a moment", "Units": "s"},
        "trial_type": {"Description": "what happened", "Levels": kinds},
        "value": {"Description": "label of the trigger or marker, name of the block"},
        "sample": {"Description": "the nearest sample, from 0"},
        "text": {"Description": "words of the operator; what can be known by its form "
                                "to name somebody is taken out"},
    }  # fmt: skip
    return BidsTable(columns, meaning)


def _n_words(events: BidsTable) -> int:
    return sum(bool(text) for text in events.columns["text"])


def _other_markers(stream: XdfStream) -> Iterator[tuple[str, float, float]]:
    """Yield text, stamp and time of the markers that are not rtbold's own."""
    if stream.description.name in (STATUS_STREAM, PREDICTIONS_NAME):
        return
    if is_markers(stream):
        for marker in stream_markers(stream):
            yield marker.label, marker.stamp_s, marker.t_s


# Reading, and what is said once.


def _published(folder: Path) -> tuple[Mapping[str, Any], ...]:
    """Return what ``published.jsonl`` holds; nothing where it is not there."""
    path = folder / PUBLISHED_NAME
    return read_log(path).messages if path.is_file() else ()


def _xdf(folder: Path) -> Path:
    """Return the first part of the recording; it need not be there."""
    return next(iter(session_parts(folder)), folder / "none.xdf")


def _texts() -> BidsTexts:
    readme = (
        "EEG recorded during sessions of rtbold, which predicts fMRI BOLD "
        "from EEG while it is recorded.\n\n"
        "The EEG is what the session received, by then perhaps cleaned by other "
        "software (SoftwareFilters in *_eeg.json). Samples that never came are zeros, "
        "and events BAD_gap say where. Triggers, marks and notes are in *_events.tsv. "
        "derivatives/rtbold holds what the session published.\n\n"
        "Dates, hosts, users and serial numbers were left out.\n"
    )
    derivative = (
        "What rtbold published, one row per volume, as it was published and "
        "not computed again.\n\n"
        "desc-predictions: BOLD of every region. desc-feedback: the value that was fed "
        "back. desc-zscores, desc-low95 and so on: where they were published. "
        "desc-measured: BOLD measured by the scanner, where it was sent. The sidecars "
        "hold protocol, model and versions.\n\n"
        "Use values whose status is ok or degraded.\n"
    )
    return BidsTexts(readme, derivative, commit())
