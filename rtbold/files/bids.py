"""BIDS: recordings of EEG with their events, and what was computed from them.

The samples are written by MNE-BIDS, as BrainVision. Everything is first made in a
folder of its own; a target gets whole recordings or nothing, and loses no file.
"""

import json
import re
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from rtbold import distribution
from rtbold.errors import ConfigError, RtboldError
from rtbold.files.recording import NAME as SIMULATED_NAME, require
from rtbold.messages import Channel, ChannelKind, Float32Array
from rtbold.run_names import RunName

BIDS_VERSION = "1.10.0"
PIPELINE = "rtbold"  # folder of the derivatives
_SOURCE = "samples"  # file name of a recording before MNE-BIDS gives it its own
_BLOCK_N = 16_384  # samples
NOTHING = "n/a"  # as BIDS writes what is not there
_MNE_TYPE: dict[ChannelKind, str] = {
    "eeg": "eeg", "ecg": "ecg", "eog": "eog", "emg": "emg", "trigger": "stim",
    "cwl": "misc", "motion": "misc", "misc": "misc",
}  # fmt: skip
_SAID_OF: dict[ChannelKind, str] = {"cwl": "carbon wire loop", "motion": "motion"}
Column = Mapping[str, object]  # what BIDS says of one column


@dataclass(frozen=True, slots=True)
class BidsTable:
    """A TSV and its sidecar. Cells are written as `str` makes them; None is n/a."""

    columns: Mapping[str, Sequence[object]]
    meaning: Mapping[str, Column]  # by column
    facts: Mapping[str, object] = field(default_factory=dict)  # of the whole table

    def text(self) -> str:
        """Return the TSV."""
        rows = zip(*self.columns.values(), strict=True)
        lines = [self.columns.keys(), *([_cell(v) for v in row] for row in rows)]
        return "".join("\t".join(line) + "\n" for line in lines)

    def sidecar(self) -> str:
        """Return the JSON beside it."""
        return as_json({**self.meaning, **self.facts})


@dataclass(frozen=True, slots=True, eq=False)
class BidsRecording:
    """One continuous recording, and what belongs to it."""

    name: RunName
    data_uv: Float32Array  # (channels, samples); microvolt where the unit is "uV"
    rate_hz: float
    channels: tuple[Channel, ...]  # labels without control characters
    events: BidsTable  # with onset and duration, in order
    sidecar: Mapping[str, object]  # of the EEG; goes over what MNE-BIDS says
    derived: Mapping[str, BidsTable] = field(default_factory=dict)  # by desc-LABEL
    line_hz: float | None = None  # of the mains; None: not known
    simulated: bool = False
    reference: str | None = None  # for the header; None: it says none
    markers: tuple[tuple[int, str], ...] = ()  # (sample, label): for the file as well
    bold: BidsTable | None = None  # ROI series, one row a volume
    parcels: str = ""  # whose ROIs they are, for the name of the file


@dataclass(frozen=True, slots=True)
class BidsTexts:
    """What a new data set says of itself; one that is there keeps its own words."""

    readme: str
    derivative_readme: str
    commit: str | None = None  # of rtbold, where it is known
    name: str = "EEG with BOLD predicted live"
    derivative_name: str = "BOLD predicted from EEG, as it was published live"


def write_bids(
    root: Path, recordings: Iterable[BidsRecording], texts: BidsTexts
) -> tuple[Path, ...]:
    """Add recordings to the data set in `root`; make it if it is not there.

    Parameters
    ----------
    recordings : taken one by one, so that one alone need be in memory.

    Returns
    -------
    The files of the recordings, relative to `root`.

    Raises
    ------
    ConfigError : `root` holds something else, or one of the files already.
    RtboldError : MNE-BIDS is missing, or the folder cannot be written.
    """
    mne = require("mne", extra="bids", purpose="writing BIDS")
    mne_bids = require("mne_bids", extra="bids", purpose="writing BIDS")
    require("pybv", extra="bids", purpose="writing BIDS")
    check_target(root)
    try:
        made = not root.exists()
        root.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryDirectory(dir=root, prefix=".rtbold-") as folder:
                added = _Added()
                for recording in recordings:
                    check_free(root, recording.name)
                    _check_kind(root, recording)
                    _write_recording(Path(folder), recording, mne, mne_bids)
                    added.take(recording)
                _describe(root, added, texts)
                files = _place_all(Path(folder), root)
            _add_participants(root, added.subjects)
        finally:
            if made and not any(root.iterdir()):
                root.rmdir()
    except OSError as error:
        raise RtboldError(
            f"cannot write the BIDS folder {root}: {error.strerror or error}. Expected "
            "a folder that can be written, with room for the recording; choose another "
            "with --bids."
        ) from error
    return files


@dataclass(slots=True)
class _Added:
    """What the data set must know of recordings that are not in memory any more."""

    subjects: list[str] = field(default_factory=list)
    simulated: bool = False
    derived: bool = False
    bold: bool = False

    def take(self, recording: BidsRecording) -> None:
        """Take one recording."""
        self.subjects.append(recording.name.subject)
        self.simulated |= recording.simulated
        self.derived |= bool(recording.derived) or recording.bold is not None
        self.bold |= recording.bold is not None


def check_target(root: Path) -> None:
    """Refuse a folder that holds something and is no BIDS data set.

    Raises
    ------
    ConfigError : it is a file, or has no dataset_description.json.
    """
    if root.exists() and not root.is_dir():
        raise ConfigError(
            f"{root} is a file, expected a folder. Choose another: --bids"
        )
    if not root.is_dir() or (root / "dataset_description.json").is_file():
        return
    if others := sorted(path.name for path in root.iterdir()):
        raise ConfigError(
            f"{root} holds {others[:3]} and no dataset_description.json, expected a "
            "BIDS data set, an empty folder or none. Choose another with --bids."
        )


def check_free(root: Path, name: RunName) -> None:
    """Refuse a recording of which some file is there.

    Raises
    ------
    ConfigError : one is.
    """
    derived = root / "derivatives" / PIPELINE
    for folder in (
        root / name.datatype_folder,
        derived / name.datatype_folder,
        derived / _functional(name),
    ):
        there = sorted(folder.glob(f"{name.stem}_*")) if folder.is_dir() else []
        if there:
            raise ConfigError(
                f"{there[0]} is there already, and nothing is overwritten. Expected a "
                "recording that the data set does not hold; give another --run or "
                "--session, or choose another folder with --bids."
            )


def _functional(name: RunName) -> Path:
    """Return where BIDS has what was measured of BOLD, below a root."""
    return name.datatype_folder.with_name("func")


def _check_kind(root: Path, recording: BidsRecording) -> None:
    """Refuse to mix simulated and real EEG in one folder, which has one note."""
    folder = root / recording.name.datatype_folder
    noted = (folder / SIMULATED_NAME).is_file()
    if noted != recording.simulated and folder.is_dir() and any(folder.iterdir()):
        old, new = ("simulated", "real") if noted else ("real", "simulated")
        raise ConfigError(
            f"{folder} holds {old} EEG, this recording is {new}. Expected one kind in "
            "a folder; give another --session, or choose another folder with --bids."
        )


def _write_recording(
    stage: Path, recording: BidsRecording, mne: ModuleType, mne_bids: ModuleType
) -> None:
    name = recording.name
    target = mne_bids.BIDSPath(
        subject=name.subject, session=name.session, task=name.task,
        run=f"{name.run:02d}", acquisition=name.acquisition, datatype="eeg", root=stage,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(dir=stage, prefix=".source-") as folder:
        with warnings.catch_warnings():
            # pybv and MNE tell that BrainVision knows no other unit than microvolt
            warnings.simplefilter("ignore")
            raw = _brainvision(Path(folder), recording, mne)
            mne_bids.write_raw_bids(
                raw, target, readme=False, overwrite=False, verbose="ERROR"
            )
            raw.close()  # or Windows keeps the folder
    beside = stage / name.datatype_folder / name.stem
    _over(Path(f"{beside}_eeg.json"), recording.sidecar)
    channels = Path(f"{beside}_channels.tsv")
    channels.write_text(_channels(recording), encoding="utf-8", newline="\n")
    _write_table(Path(f"{beside}_events"), recording.events)
    if recording.simulated:
        note = as_json({"simulated": True})
        (stage / name.datatype_folder / SIMULATED_NAME).write_text(
            note, encoding="utf-8"
        )
    derived = stage / "derivatives" / PIPELINE / name.datatype_folder
    derived.mkdir(parents=True, exist_ok=True)
    for label, table in recording.derived.items():
        _write_table(derived / f"{name.stem}_desc-{label}_events", table)
    if recording.bold is not None:
        _write_bold(stage / "derivatives" / PIPELINE, recording, recording.bold)


def _write_bold(top: Path, recording: BidsRecording, bold: BidsTable) -> None:
    folder = top / _functional(recording.name)
    folder.mkdir(parents=True, exist_ok=True)
    parcels = f"_seg-{recording.parcels}" if recording.parcels else ""
    _write_table(folder / f"{recording.name.stem}{parcels}_timeseries", bold)
    if recording.simulated:
        note = as_json({"simulated": True})
        (folder / SIMULATED_NAME).write_text(note, encoding="utf-8")


def _brainvision(folder: Path, recording: BidsRecording, mne: ModuleType) -> Any:  # noqa: ANN401 -- untyped
    """Write the samples, to the last bit and block by block; return MNE's Raw.

    MNE-BIDS copies such a file. From memory it would write it too, with ten times the
    recording in memory and each value rounded.
    """
    pybv = require("pybv", extra="bids", purpose="writing BIDS")
    channels = recording.channels
    names = unique([channel.label for channel in channels])
    pybv.write_brainvision(  # a header that knows no length; the samples come next
        data=np.zeros((len(channels), 1)), sfreq=recording.rate_hz, ch_names=names,
        fname_base=_SOURCE, folder_out=str(folder), resolution=1.0,
        unit=["µV" if channel.unit == "uV" else NOTHING for channel in channels],
        fmt="binary_float32", ref_ch_names=recording.reference,
    )  # fmt: skip
    _add_markers(folder / f"{_SOURCE}.vmrk", recording.markers)
    n_samples = recording.data_uv.shape[1]
    with (folder / f"{_SOURCE}.eeg").open("wb") as file:
        for first in range(0, n_samples, _BLOCK_N):
            block_uv = recording.data_uv[:, first : first + _BLOCK_N]
            file.write(np.ascontiguousarray(block_uv.T, dtype="<f4").tobytes())
    header = folder / f"{_SOURCE}.vhdr"
    raw = mne.io.read_raw_brainvision(header, verbose="ERROR")
    kinds = [_MNE_TYPE[channel.kind] for channel in channels]
    raw.set_channel_types(dict(zip(raw.ch_names, kinds, strict=True)), verbose="ERROR")
    raw.info["line_freq"] = recording.line_hz
    return raw


def _add_markers(path: Path, markers: Sequence[tuple[int, str]]) -> None:
    """Add markers to a file of them; a sample is counted from 0, there from 1."""
    if not markers:
        return
    text = path.read_text(encoding="utf-8").rstrip("\n")
    first = len(re.findall(r"^Mk\d+=", text, re.M)) + 1
    lines = [
        f"Mk{number}=Response,{label},{sample + 1},1,0"
        for number, (sample, label) in enumerate(markers, start=first)
    ]
    path.write_text("\n".join([text, *lines, ""]), encoding="utf-8", newline="\n")


def unique(labels: Sequence[str]) -> list[str]:
    """Return labels that all differ; the second of a name gets ``-2``."""
    found: list[str] = []
    for label in labels:
        number, name = 1, label
        while name in found:
            number += 1
            name = f"{label}-{number}"
        found.append(name)
    return found


def _channels(recording: BidsRecording) -> str:
    """Return channels.tsv; MNE-BIDS says more of filters and quality than is known."""
    channels = recording.channels
    kinds = [_MNE_TYPE[channel.kind].upper() for channel in channels]
    bids = {"STIM": "TRIG"}
    n = len(channels)
    table = BidsTable(
        {
            "name": unique([channel.label for channel in channels]),
            "type": [bids.get(kind, kind) for kind in kinds],
            "units": ["µV" if c.unit == "uV" else c.unit or None for c in channels],
            "low_cutoff": [None] * n,
            "high_cutoff": [None] * n,
            "description": [_SAID_OF.get(channel.kind) for channel in channels],
            "sampling_frequency": [recording.rate_hz] * n,
            "status": [None] * n,
        },
        {},
    )
    return table.text()


def _write_table(path: Path, table: BidsTable) -> None:
    """Write ``path.tsv`` and ``path.json``; neither is there yet."""
    path.with_name(f"{path.name}.tsv").write_text(
        table.text(), encoding="utf-8", newline="\n"
    )
    path.with_name(f"{path.name}.json").write_text(table.sidecar(), encoding="utf-8")


def _over(path: Path, more: Mapping[str, object]) -> None:
    known = json.loads(path.read_text(encoding="utf-8-sig"))
    path.write_text(as_json({**known, **more}), encoding="utf-8")


def as_json(values: Mapping[str, object]) -> str:
    """Return a JSON file."""
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, float) and not np.isfinite(value):
        return NOTHING
    if isinstance(value, np.floating):
        return str(value) if np.isfinite(value) else NOTHING
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value) or NOTHING


def _place_all(stage: Path, root: Path) -> tuple[Path, ...]:
    """Move the recordings' files from `stage` to `root`; all of them, or none."""
    placed: list[Path] = []
    try:
        for file in _of_recordings(stage):
            target = root / file.relative_to(stage)
            if file.name == SIMULATED_NAME and target.exists():
                continue  # of an earlier recording of the same session
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                raise ConfigError(
                    f"{target} has come meanwhile, and nothing is overwritten. Is "
                    "another export running? Run this one again."
                )
            file.rename(target)
            placed.append(target)
    except BaseException:
        for target in placed:
            target.unlink(missing_ok=True)
        raise
    return tuple(target.relative_to(root) for target in placed)


def _of_recordings(stage: Path) -> Iterator[Path]:
    """Yield the files below the subjects, but for the lists of scans.

    A list of scans would hold dates, and nothing else that the names do not say.
    """
    for top in (stage, stage / "derivatives" / PIPELINE):
        for file in sorted(top.glob("sub-*/**/*")):
            if file.is_file() and not file.name.endswith("_scans.tsv"):
                yield file


# What is said once of a data set.


SIMULATED_TEXT = "SIMULATED EEG: no brain made it.\n\n"


def _describe(root: Path, added: _Added, texts: BidsTexts) -> None:
    warning = SIMULATED_TEXT if added.simulated else ""
    about = {
        "Name": f"SIMULATED {texts.name}" if added.simulated else texts.name,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "raw",
        "GeneratedBy": [
            _generated_by(texts.commit),
            {"Name": "MNE-BIDS", "Version": version("mne-bids")},
        ],
    }
    _if_absent(root / "dataset_description.json", as_json(about))
    if not any(root.glob("README*")):
        _if_absent(root / "README", warning + texts.readme)
    if added.simulated:
        _add_ignored(root / ".bidsignore", f"**/{SIMULATED_NAME}")
    derived = root / "derivatives" / PIPELINE
    if added.derived:
        derived.mkdir(parents=True, exist_ok=True)
        of_derived = {
            **about,
            "Name": texts.derivative_name,
            "DatasetType": "derivative",
            "GeneratedBy": [_generated_by(texts.commit)],
            "SourceDatasets": [{"URL": "../.."}],
        }
        _if_absent(derived / "dataset_description.json", as_json(of_derived))
        _if_absent(derived / "README", warning + texts.derivative_readme)
    if added.bold:  # BIDS has no place for series of ROIs yet (proposal 12)
        for pattern in ("**/*_timeseries.*", f"**/{SIMULATED_NAME}"):
            _add_ignored(derived / ".bidsignore", pattern)


def _generated_by(commit: str | None) -> dict[str, str]:
    known = {"Description": f"commit {commit}"} if commit else {}
    return {"Name": "rtbold", "Version": distribution.version(), **known}


def _if_absent(path: Path, text: str) -> None:
    if not path.exists():
        _write_whole(path, text)


def _add_participants(root: Path, subjects: Sequence[str]) -> None:
    """Add those that are not there; columns of others are left n/a."""
    path = root / "participants.tsv"
    old = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    lines = old.splitlines() or ["participant_id"]
    n_columns = lines[0].count("\t") + 1
    known = {line.split("\t")[0] for line in lines[1:]}
    new = [f"sub-{s}" for s in dict.fromkeys(subjects) if f"sub-{s}" not in known]
    if not new:
        return
    lines += ["\t".join([name] + [NOTHING] * (n_columns - 1)) for name in new]
    _write_whole(path, "\n".join(lines) + "\n")
    meaning = {"participant_id": {"Description": "code of the participant"}}
    _if_absent(root / "participants.json", as_json(meaning))


def _add_ignored(path: Path, pattern: str) -> None:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    if pattern not in lines:
        _write_whole(path, "\n".join([*lines, pattern]) + "\n")


def _write_whole(path: Path, text: str) -> None:
    """Write a file that appears whole or not at all."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8", newline="\n")
    new.replace(path)
