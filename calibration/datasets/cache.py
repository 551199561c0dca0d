"""A folder of prepared scans, written by any number of processes at once.

    CACHE/cache.json                 the settings that every scan in it was made by
    CACHE/scans/NAME.json            what is known of one scan, or why it is left out
    CACHE/data/NAME.KEY/eeg_uv.npy   its conditioned EEG, memory-mapped
    CACHE/data/NAME.KEY/arrays.npz   everything else of it that is an array

Each file and folder is made under another name and renamed when it is whole; a scan
counts from the moment that its file in `scans` is there. KEY is a hash of what the scan
was made from, so a scan that was made again from other files never mixes with the old.
"""

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final, Literal, TypeVar
from zipfile import BadZipFile

import msgspec
import numpy as np

from rtbold.bundle import Card, Cleaning, Conditioning, Normalisation, Origin, SeenScan
from rtbold.calibration.datasets.scan import Scan
from rtbold.calibration.datasets.whole_files import (
    DRAFT_SUFFIX,
    lay_down,
    new_folder,
    replace_file,
    room_told,
    write_npy,
    write_through,
)
from rtbold.calibration.fit.split import IntArray
from rtbold.calibration.fit.target import TargetScaling, TargetSettings
from rtbold.errors import ConfigError, DataFileError
from rtbold.messages import WINDOW_SAMPLES, Float32Array, FloatArray
from rtbold.owner_only import make_folder
from rtbold.sim import ForeignSettings, SimulationSettings, TwinSettings
from rtbold.text import first_few

CACHE_FORMAT: Final = 1
SETTINGS_NAME: Final = "cache.json"
SCANS_FOLDER: Final = "scans"
DATA_FOLDER: Final = "data"
EEG_NAME: Final = "eeg_uv.npy"
ARRAYS_NAME: Final = "arrays.npz"
KEY_LENGTH: Final = 16  # of the key, in the folder's name

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")
_CONFOUND: Final = "confound:"  # before a confound's name, among the arrays
_MATRICES: Final = ("matrices", "matrix_of")  # not there: the EEG is the model's


class CacheSettings(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """What all scans of a cache have in common."""

    format: int = CACHE_FORMAT
    data_set: str
    channels: tuple[str, ...]  # of the model, in its order
    rois: tuple[str, ...]  # of the data set; a scan may lack some
    tr_s: float
    reference: str = "average"  # of the windows: an electrode's name, or this
    atlas: str = ""
    chain: Literal["live", "published", "published-within"] = "live"
    conditioning: Conditioning = Conditioning()  # what a session on such a model runs
    interpolate_missing: bool = False
    targets: TargetSettings = TargetSettings(drift_degree=0)
    confounds: tuple[str, ...] | None = None  # regressed out; None: all that are given
    cleaning: Cleaning = Cleaning()


class PreparedReport(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """What `rtbold prepare` says of one scan."""

    n_volumes: int
    n_markers: int  # volumes with a trigger of their own
    n_missed: int
    n_windows: int
    lag_peak_s: float | None = None  # None: too short to tell
    lag_p: float | None = None
    bad_channels: dict[str, float] = {}  # of the model -> share of volumes, 1: missing
    without_window: dict[str, int] = {}  # reason -> volumes
    dropped_rois: dict[str, str] = {}  # name -> why
    regressed: tuple[str, ...] = ()  # confounds
    global_signal: str = ""  # where it came from
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A scan that could not be prepared."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class PreparedScan:
    """One scan, ready for any model."""

    name: str
    subject: str
    session: str
    scan: Scan  # its `bold`: targets without global-signal regression
    bold_gsr: FloatArray  # (windows, rois), the same with it
    volume: IntArray  # (windows,), number of the volume in the scan
    rois: tuple[str, ...]
    channels: tuple[str, ...]
    tr_s: float
    confounds: Mapping[str, FloatArray]  # (windows,) each
    simulated: bool
    twin: SimulationSettings | None
    content_sha256: str  # of the samples as they were measured
    scaling: TargetScaling  # how the measured became `scan.bold`
    scaling_gsr: TargetScaling
    report: PreparedReport

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.volume)


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the cache knows of one scan beside its arrays."""

    format: int = CACHE_FORMAT
    name: str
    key: str
    left_out: str = ""  # why; nothing else is set then
    subject: str = ""
    session: str = ""
    rois: tuple[str, ...] = ()
    simulated: bool = False
    twin: TwinSettings | None = None
    foreign: ForeignSettings | None = None  # in place of the twin
    content_sha256: str = ""
    remove_mean: bool = True
    n_samples: int = 0  # of the conditioned EEG
    seen: SeenScan | None = None
    scaling: TargetScaling | None = None
    scaling_gsr: TargetScaling | None = None
    report: PreparedReport | None = None


_Kind = TypeVar("_Kind", CacheSettings, Entry)

# Reading.


class Cache:
    """An open cache; what is prepared after `open_cache` is not in it."""

    def __init__(
        self, folder: Path, settings: CacheSettings, entries: tuple[Entry, ...]
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.entries = entries  # of prepared scans, by name
        self.left_out: tuple[LeftOut, ...] = ()

    @cached_property
    def scans(self) -> tuple[PreparedScan, ...]:
        """All prepared scans by name, each with the ROIs that all of them have."""
        return tuple(self.read(entry.name) for entry in self.entries)

    @cached_property
    def rois(self) -> tuple[str, ...]:
        """The data set's ROIs that no scan lacks.

        Raises
        ------
        DataFileError : there is none.
        """
        shared = [set(entry.rois) for entry in self.entries]
        rois = tuple(r for r in self.settings.rois if all(r in s for s in shared))
        if not rois:
            raise DataFileError(
                f"the scans in {self.folder} have no ROI in common, expected at least "
                "one with a signal in every scan. Prepare them without the scans that "
                "lack most (rtbold prepare --list tells which)."
            )
        return rois

    @property
    def simulated(self) -> bool:
        """Whether any scan is simulated: a model of it is then, too."""
        return any(entry.simulated for entry in self.entries)

    @property
    def subjects(self) -> tuple[str, ...]:
        """All subjects, sorted."""
        return tuple(sorted({entry.subject for entry in self.entries}))

    def card(self) -> Card:
        """Return the draft card: the stream that a model of this cache needs."""
        simulated = [entry.simulated for entry in self.entries]
        return draft_card(self.settings, self.rois, simulated=simulated)

    def read(self, name: str) -> PreparedScan:
        """Return one scan; its EEG stays on the disk until it is looked at.

        Raises
        ------
        DataFileError : there is no such scan, or its files are damaged.
        """
        entry = next((e for e in self.entries if e.name == name), None)
        if entry is None:
            raise DataFileError(
                f"{self.folder} has no prepared scan {name!r}, expected one of "
                f"{first_few([e.name for e in self.entries])}."
            )
        chosen = [entry.rois.index(roi) for roi in self.rois]
        scan = read_scan(self.folder, self.settings, entry)
        if scan.rois == self.rois:
            return scan
        return replace(
            scan,
            scan=replace(scan.scan, bold=scan.scan.bold[:, chosen]),
            bold_gsr=scan.bold_gsr[:, chosen],
            rois=self.rois,
            scaling=_of_rois(scan.scaling, chosen),
            scaling_gsr=_of_rois(scan.scaling_gsr, chosen),
        )


def draft_card(
    settings: CacheSettings, rois: tuple[str, ...], *, simulated: Sequence[bool]
) -> Card:
    """Return the card that windows are made by, and that a model of them begins with.

    Parameters
    ----------
    simulated : of each scan.
    """
    whole = all(simulated)
    return Card(
        name=settings.data_set,
        architecture="",
        channels=settings.channels,
        reference=settings.reference,
        tr_s=settings.tr_s,
        rois=rois,
        atlas=settings.atlas,
        normalisation=Normalisation(
            method=settings.targets.method, lowpass_hz=settings.targets.lowpass_hz
        ),
        conditioning=settings.conditioning,
        cleaning=settings.cleaning,
        scanner="simulated" if whole else "inside_running",
        origin=Origin(
            kind="simulated" if whole else "group",
            simulated_lineage=any(simulated),
        ),
    )


def open_cache(folder: str | Path) -> Cache:
    """Open what has been prepared so far.

    Raises
    ------
    DataFileError : it is no cache, holds no scan, or was made by another version.
    """
    folder = Path(folder)
    settings = read_settings(folder)
    if settings is None:
        raise DataFileError(
            f"{folder} is no cache: it holds no {SETTINGS_NAME}. Make one with: "
            f"rtbold prepare DATASET --out {folder}"
        )
    entries = list(entries_of(folder))
    left_out = tuple(LeftOut(e.name, e.left_out) for e in entries if e.left_out)
    prepared = tuple(e for e in entries if not e.left_out)
    if not prepared:
        why = f": all {len(left_out)} scans are left out" if left_out else ""
        raise DataFileError(
            f"{folder} holds no prepared scan{why}. Run rtbold prepare, and look at "
            "what it says of each scan."
        )
    cache = Cache(folder, settings, prepared)
    cache.left_out = left_out
    return cache


def read_settings(folder: Path) -> CacheSettings | None:
    """Return the settings of a cache; None: there is no cache yet.

    Raises
    ------
    DataFileError : the file is damaged, or of another version.
    """
    path = folder / SETTINGS_NAME
    if not path.exists():
        return None
    return _decoded(path, CacheSettings)


def entries_of(folder: Path) -> Iterator[Entry]:
    """Yield every scan that is prepared or left out, by name."""
    for path in sorted((folder / SCANS_FOLDER).glob("*.json")):
        yield _decoded(path, Entry)


def entry_of(folder: Path, name: str) -> Entry | None:
    """Return what the cache knows of a scan; None: nothing."""
    path = _entry_path(folder, name)
    return _decoded(path, Entry) if path.exists() else None


def read_scan(folder: Path, settings: CacheSettings, entry: Entry) -> PreparedScan:
    """Return a scan with all the ROIs that it has.

    Raises
    ------
    DataFileError : its files are missing, cut short, or do not fit each other.
    """
    place = data_folder(folder, entry)
    try:
        eeg_uv = np.load(place / EEG_NAME, mmap_mode="r", allow_pickle=False)
        with (
            (place / ARRAYS_NAME).open("rb") as stream,
            np.load(stream, allow_pickle=False) as packed,
        ):
            arrays = dict(packed)
        _check_arrays(entry, eeg_uv, arrays)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise _damaged(place, str(error)) from error
    return _scan_of(entry, settings, eeg_uv=eeg_uv, arrays=arrays)


def _scan_of(
    entry: Entry,
    settings: CacheSettings,
    *,
    eeg_uv: Float32Array,
    arrays: Mapping[str, np.ndarray],
) -> PreparedScan:
    assert entry.scaling is not None
    assert entry.scaling_gsr is not None
    assert entry.report is not None
    scan = Scan(
        name=entry.name,
        eeg_uv=eeg_uv,
        first=arrays["first"],
        bold=arrays["bold"],
        onsets_s=arrays["onsets_s"],
        seen=entry.seen,
        matrices=arrays.get("matrices"),
        matrix_of=arrays.get("matrix_of"),
        remove_mean=entry.remove_mean,
    )
    return PreparedScan(
        name=entry.name,
        subject=entry.subject,
        session=entry.session,
        scan=scan,
        bold_gsr=arrays["bold_gsr"],
        volume=arrays["volume"],
        rois=entry.rois,
        channels=settings.channels,
        tr_s=settings.tr_s,
        confounds={
            name.removeprefix(_CONFOUND): column
            for name, column in arrays.items()
            if name.startswith(_CONFOUND)
        },
        simulated=entry.simulated,
        twin=entry.twin or entry.foreign,
        content_sha256=entry.content_sha256,
        scaling=entry.scaling,
        scaling_gsr=entry.scaling_gsr,
        report=entry.report,
    )


def _check_arrays(
    entry: Entry, eeg_uv: Float32Array, arrays: Mapping[str, np.ndarray]
) -> None:
    n = len(arrays["first"])
    for name in ("bold", "bold_gsr", "onsets_s", "volume"):
        if len(arrays[name]) != n:
            raise ValueError(f"{name} has {len(arrays[name])} rows and not {n}")
    if eeg_uv.ndim != 2 or eeg_uv.shape[1] != entry.n_samples:
        raise ValueError(f"the EEG has the shape {eeg_uv.shape}")
    if n and arrays["first"].max() + WINDOW_SAMPLES > entry.n_samples:
        raise ValueError("a window reaches beyond the EEG")
    if entry.report is None or entry.scaling is None or entry.scaling_gsr is None:
        raise ValueError("its entry is not whole")


def _damaged(place: Path, why: str) -> DataFileError:
    name = place.name.rpartition(".")[0]
    return DataFileError(
        f"the prepared scan in {place} is damaged ({why}), expected the files that "
        f"rtbold prepare wrote. Remove {place.parent.parent / SCANS_FOLDER / name}"
        ".json and prepare it again."
    )


def _of_rois(scaling: TargetScaling, chosen: list[int]) -> TargetScaling:
    def pick(row: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(row[i] for i in chosen)

    return msgspec.structs.replace(
        scaling,
        mean=pick(scaling.mean),
        scale=pick(scaling.scale),
        drift=tuple(map(pick, scaling.drift)),
        confound_weights=tuple(map(pick, scaling.confound_weights)),
    )


def _decoded(path: Path, kind: type[_Kind]) -> _Kind:
    try:
        text = path.read_bytes()
        found = msgspec.json.decode(text, type=_Format).format
        if found == CACHE_FORMAT:
            return msgspec.json.decode(text, type=kind)
    except (OSError, msgspec.MsgspecError, ConfigError) as error:
        raise DataFileError(
            f"{path} cannot be read ({error}), expected what rtbold prepare wrote. "
            "Remove it and prepare again."
        ) from error
    raise DataFileError(
        f"{path} has the format {found}, expected {CACHE_FORMAT}: another version of "
        "rtbold made this cache. Prepare into a new folder."
    )


class _Format(msgspec.Struct):
    format: int


# Writing.


def claim_cache(folder: Path, settings: CacheSettings) -> None:
    """Make the cache, or see that it is one of the same settings.

    Whichever of several processes is first lays the settings down.

    Raises
    ------
    ConfigError : it was made with other settings; says which.
    DataFileError : the folder cannot be written, or its disk is full.
    """
    with room_told(folder):
        for place in (folder, folder / SCANS_FOLDER, folder / DATA_FOLDER):
            make_folder(place)
        if not (folder / SETTINGS_NAME).exists():
            lay_down(folder / SETTINGS_NAME, _text(settings))
    found = read_settings(folder)
    if found is not None and found != settings:
        raise ConfigError(other_settings(folder, found, settings))


def other_settings(folder: Path, found: CacheSettings, wanted: CacheSettings) -> str:
    """Return the sentence on a cache whose settings are not those that are wanted."""
    differing = [
        f"{name} {_short(getattr(found, name))} instead of "
        f"{_short(getattr(wanted, name))}"
        for name in found.__struct_fields__
        if getattr(found, name) != getattr(wanted, name)
    ]
    return (
        f"the cache {folder} was made with other settings: {'; '.join(differing)}. "
        "Expected the same ones for all of its scans: give them again, or name a new "
        "folder with --out."
    )


def write_scan(folder: Path, scan: PreparedScan, key: str) -> None:
    """Write a prepared scan; it is there when this returns, or not at all.

    Parameters
    ----------
    key : hash of what it was made from.

    Raises
    ------
    DataFileError : the disk is full, or refuses.
    """
    entry = _entry(scan, key)
    place = data_folder(folder, entry)
    earlier = entry_of(folder, entry.name)
    with room_told(folder):
        again = earlier is not None and earlier.key == key  # they were damaged
        with new_folder(place, replace=again) as draft:
            write_npy(draft / EEG_NAME, scan.scan.eeg_uv)
            with (draft / ARRAYS_NAME).open("wb") as stream:
                np.savez(stream, allow_pickle=False, **_arrays(scan))
                write_through(stream.fileno())
        replace_file(_entry_path(folder, entry.name), _text(entry))
    _forget(folder, earlier, key)


def write_left_out(folder: Path, name: str, *, key: str, reason: str) -> None:
    """Note why a scan is not in the cache; what was there of it goes.

    Raises
    ------
    DataFileError : the disk is full, or refuses.
    """
    earlier = entry_of(folder, name)
    entry = Entry(name=name, key=key, left_out=reason)
    with room_told(folder):
        replace_file(_entry_path(folder, name), _text(entry))
    _forget(folder, earlier, "")


def data_folder(folder: Path, entry: Entry) -> Path:
    """Return where the arrays of a scan lie."""
    return folder / DATA_FOLDER / f"{entry.name}.{entry.key[:KEY_LENGTH]}"


def unfinished(folder: Path) -> tuple[Path, ...]:
    """Return what processes that were killed have left, or others are writing now."""
    places = (folder, folder / SCANS_FOLDER, folder / DATA_FOLDER)
    return tuple(p for place in places for p in sorted(place.glob(f".*{DRAFT_SUFFIX}")))


def _entry(scan: PreparedScan, key: str) -> Entry:
    return Entry(
        name=scan.name,
        key=key,
        subject=scan.subject,
        session=scan.session,
        rois=scan.rois,
        simulated=scan.simulated,
        twin=scan.twin if isinstance(scan.twin, TwinSettings) else None,
        foreign=scan.twin if isinstance(scan.twin, ForeignSettings) else None,
        content_sha256=scan.content_sha256,
        remove_mean=scan.scan.remove_mean,
        n_samples=scan.scan.eeg_uv.shape[1],
        seen=scan.scan.seen,
        scaling=scan.scaling,
        scaling_gsr=scan.scaling_gsr,
        report=scan.report,
    )


def _arrays(scan: PreparedScan) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {
        "first": scan.scan.first,
        "bold": scan.scan.bold,
        "bold_gsr": scan.bold_gsr,
        "onsets_s": scan.scan.onsets_s,
        "volume": scan.volume,
    }
    for name in _MATRICES:
        if (array := getattr(scan.scan, name)) is not None:
            arrays[name] = array
    return arrays | {f"{_CONFOUND}{k}": v for k, v in scan.confounds.items()}


def _entry_path(folder: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"the scan is called {name!r}, expected letters, digits, '.', '_', '+' and "
            "'-', because it becomes part of file names. Give it another name."
        )
    return folder / SCANS_FOLDER / f"{name}.json"


def _forget(folder: Path, earlier: Entry | None, key: str) -> None:
    """Remove the arrays of a scan that was made from something else."""
    if earlier is not None and not earlier.left_out and earlier.key != key:
        shutil.rmtree(data_folder(folder, earlier), ignore_errors=True)


def _text(value: CacheSettings | Entry) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
