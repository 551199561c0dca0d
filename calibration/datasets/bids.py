"""BIDS folders of EEG and fMRI: images with an atlas, or ROI time series.

``sub-*/[ses-*/]eeg/*_eeg.vhdr`` (or ``.set``, ``.edf``, ``.bdf``) is paired with the
BOLD of the same subject, session, task and run. The TR is the sidecar's. Some data sets
have conventions that their files do not tell; these stand in `CONVENTIONS`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rtbold.calibration.datasets.blocks import BlockSource
from rtbold.calibration.datasets.choices import BidsChoice, Ground
from rtbold.calibration.datasets.found import (
    Found,
    LeftOutScan,
    entities,
    fits,
    glob_below,
    is_there,
    not_fetched,
    safe_name,
)
from rtbold.calibration.datasets.sources import ScanSource
from rtbold.calibration.inputs.choices import Pairing
from rtbold.config import LONGEST_TR_S
from rtbold.electrodes import channel_kind
from rtbold.errors import ConfigError, DataFileError
from rtbold.files import damage_told
from rtbold.messages import ChannelKind
from rtbold.text import did_you_mean, first_few

EEG_SUFFIXES: Final = (".vhdr", ".set", ".edf", ".bdf")  # the first that is whole
CLEANED: Final = "eeg_pp"  # folder and suffix of the cleaned EEG of two data sets
DEFAULT_CONFOUNDS: Final = (
    "trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z",
    "framewise_displacement", "csf", "white_matter", "global_signal",
)  # fmt: skip
_SAMPLES: Final = (".eeg", ".dat", ".seg")
_IMAGES: Final = (".nii", ".nii.gz")
_CONFOUNDS: Final = ("timeseries", "regressors", "confounds")
_SHORTEST_TR_S: Final = 0.1
_DEFAULT: Final = BidsChoice()


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """What one published data set does, and its files do not say."""

    marker: str = "R128"  # of each volume
    reference: str | None = None  # of EEG whose format (.set) does not say it
    rest_marker: str | None = None
    task_marker: str | None = None
    task: str = "task"
    block_s: float | None = None
    lead_s: float = 0.0  # by which the scan begins before the cleaned EEG


_XP: Final = Convention(
    rest_marker="S 99", task_marker="S  2", block_s=20.0, lead_s=2.0
)
CONVENTIONS: Final[Mapping[str, Convention]] = {
    "ds002336": _XP,
    "ds002338": _XP,
    "ds003768": Convention(),
    "natview": Convention(reference="FCz"),
}


def is_bids(root: Path) -> bool:
    """Whether a folder holds EEG as BIDS has it."""
    return any(_eeg_files(root))


def find_bids(ground: Ground, choice: BidsChoice = _DEFAULT) -> Found:
    """Return the scans of a BIDS folder.

    Raises
    ------
    ConfigError : no EEG is there, or the convention is unknown.
    """
    root = ground.root
    eeg_root = _below(root, choice.eeg, "eeg")
    recordings = _chosen(_eeg_files(eeg_root), choice)
    if not recordings:
        raise ConfigError(
            f"{eeg_root} holds no EEG of the subjects, sessions and tasks that were "
            "asked for, expected sub-*/[ses-*/]eeg/*_eeg.vhdr, .set or .edf. Correct "
            "root or [bids]."
        )
    convention = convention_of(root, choice.convention)
    search = _Search(ground, choice, convention)
    sources, left_out = [], []
    for stem, files in recordings.items():
        found = search.scan(stem, files)
        if isinstance(found, ScanSource):
            sources.append(found)
        else:
            left_out.append(LeftOutScan(safe_name(stem), found))
    return _each_its_own(sources, left_out)


def _each_its_own(
    sources: Sequence[ScanSource], left_out: Sequence[LeftOutScan]
) -> Found:
    """Leave out recordings that share one file of BOLD: whose it is nobody says."""
    of_bold: dict[Path | None, list[str]] = {}
    for source in sources:
        of_bold.setdefault(source.bold, []).append(source.name)
    kept = [s for s in sources if len(of_bold[s.bold]) == 1]
    shared = [
        LeftOutScan(
            s.name,
            f"{s.bold.name if s.bold else 'its BOLD'} fits several recordings: "
            f"{', '.join(of_bold[s.bold])}. Name the run in its file name, or list the "
            "scan with its files",
        )
        for s in sources
        if len(of_bold[s.bold]) > 1
    ]
    return Found(tuple(kept), (*left_out, *shared))


def convention_of(root: Path, said: str | None) -> Convention | None:
    """Return the convention that is said, or whose data set this is.

    Raises
    ------
    ConfigError : there is no such convention.
    """
    if said is not None:
        if said.casefold() not in CONVENTIONS:
            raise ConfigError(
                f"convention is {said!r}, expected one of {', '.join(CONVENTIONS)}."
                f"{did_you_mean([said], CONVENTIONS)} Leave it out for any other data "
                "set."
            )
        return CONVENTIONS[said.casefold()]
    known = root / "dataset_description.json"
    about = _json(known) if is_there(known) else {}
    words = f"{about.get('DatasetDOI', '')} {about.get('Name', '')} {root.name}"
    named = [c for name, c in CONVENTIONS.items() if name in words.casefold()]
    return named[0] if named else None


# EEG.


def _eeg_files(root: Path) -> dict[str, list[Path]]:
    """Return the files of each recording by its stem, ``..._eeg`` cut off."""
    found: dict[str, list[Path]] = {}
    for folder in sorted({*root.glob("sub-*/eeg"), *root.glob("sub-*/ses-*/eeg"),
                          *root.glob(f"sub-*/{CLEANED}")}):  # fmt: skip
        for path in sorted(folder.iterdir()):
            stem = path.stem
            ends = next((e for e in ("_eeg", CLEANED) if stem.endswith(e)), None)
            if ends and path.suffix.lower() in EEG_SUFFIXES:
                key = stem.removesuffix(ends).rstrip("_")
                found.setdefault(key, []).append(path)
    return found


def _chosen(
    recordings: Mapping[str, list[Path]], choice: BidsChoice
) -> dict[str, list[Path]]:
    def asked(stem: str) -> bool:
        found = entities(stem)
        return all(
            not wanted or found.get(key, "") in {w.removeprefix(f"{key}-")
                                                 for w in wanted}
            for key, wanted in (("sub", choice.subjects), ("ses", choice.sessions),
                                ("task", choice.tasks))
        )  # fmt: skip

    return {stem: files for stem, files in recordings.items() if asked(stem)}


def whole_eeg(files: Sequence[Path]) -> Path:
    """Return the file of a recording that can be read.

    Some data sets carry ``.vhdr`` without its ``.eeg``, and a ``.set`` that is whole.

    Raises
    ------
    DataFileError : none can.
    """
    order = sorted(files, key=lambda path: EEG_SUFFIXES.index(path.suffix.lower()))
    lacks = [_lacks(path) for path in order]
    for path, reason in zip(order, lacks, strict=True):
        if not reason:
            return path
    raise DataFileError(lacks[0])


def _lacks(path: Path) -> str:
    """Return what a file of EEG lacks to be read; empty: nothing."""
    if not is_there(path):
        return not_fetched(path)
    suffix = path.suffix.lower()
    companions = {".vhdr": (*_SAMPLES, ".vmrk"), ".set": (".fdt",)}.get(suffix, ())
    beside = [path.with_suffix(each) for each in companions]
    if broken := [p for p in beside if p.is_symlink() and not is_there(p)]:
        return not_fetched(broken[0])
    if suffix == ".vhdr" and not any(map(is_there, _samples_of(path))):
        return (
            f"{path.name} has no file of samples beside it ({', '.join(_SAMPLES)}). "
            "Copy it too, or leave the header away"
        )
    return ""


def _samples_of(header: Path) -> list[Path]:
    """Return where the samples of a BrainVision header may be."""
    places = [header.with_suffix(suffix) for suffix in _SAMPLES]
    for line in header.read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, value = line.partition("=")
        if key.strip().casefold() == "datafile" and value.strip():
            named = value.strip().replace("$b", header.stem)
            return [header.parent / named, *places]
    return places


def _kinds(eeg: Path) -> dict[str, ChannelKind]:
    """Return what channels.tsv says of channels that are no EEG."""
    table = eeg.with_name(f"{eeg.stem.removesuffix('_eeg')}_channels.tsv")
    if not is_there(table):
        return {}
    lines = table.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    header = lines[0].split("\t") if lines else []
    if not {"name", "type"} <= set(header):
        return {}
    kinds: dict[str, ChannelKind] = {}
    for line in lines[1:]:
        cells = dict(zip(header, line.split("\t"), strict=False))
        said = cells.get("type", "").strip().upper()
        if said not in ("", "EEG", "N/A"):
            declared = "EOG" if said in ("VEOG", "HEOG") else said
            kind = channel_kind(cells["name"], declared)
            kinds[cells["name"]] = "misc" if kind == "eeg" else kind
    return kinds


# What belongs to a recording.


class _Search:
    """Looks for what belongs to each recording, among files that are listed once."""

    def __init__(
        self, ground: Ground, choice: BidsChoice, convention: Convention | None
    ) -> None:
        self._reading, self._choice, self._convention = (
            ground.reading, choice, convention,
        )  # fmt: skip
        root = ground.root
        images = _below(root, choice.images, "images")
        self._wants_series = choice.bold == "series" or (
            choice.bold is None and ground.reading.atlas is None
        )
        if self._wants_series:
            bold = [
                p
                for p in glob_below(root, choice.series, "series")
                if not _is_confounds(p)
            ]
        else:
            bold = [p for p in _functional(images, "_bold") if p.name.endswith(_IMAGES)]
        self._bold_files = sorted(bold)
        self._sidecar_files = _sidecars(dict.fromkeys([root, images]))
        self._event_files = [
            path
            for path in (_functional(root, "_events") if choice.events else ())
            if path.suffix == ".tsv"
        ]
        tables = (root / choice.confounds_in).glob("**/*.tsv")
        self._confound_files = [p for p in sorted(tables) if _is_confounds(p)]

    def scan(self, stem: str, files: Sequence[Path]) -> ScanSource | str:
        """Return the scan of a recording, or why there is none."""
        wanted = entities(stem)
        try:
            eeg = whole_eeg(files)
            source = ScanSource(
                name=safe_name(stem),
                subject=wanted.get("sub", stem),
                session=wanted.get("ses", "1"),
                eeg=eeg,
                kinds=_kinds(eeg),
                bold=(bold := self._bold(wanted)),
                bold_tr_s=self._tr_s(wanted, bold),
                blocks=self._blocks(wanted),
            )
            source = self._with_confounds(source, wanted)
        except DataFileError as error:
            return str(error)
        return _with_convention(source, self._convention)

    def _bold(self, wanted: Mapping[str, str]) -> Path:
        """Return the BOLD of the scan: an image, or ROI series."""
        found, space = _of_scan(self._bold_files, wanted), self._choice.space
        if space is not None:
            found = [p for p in found if entities(_stem(p)).get("space") == space]
        if len(found) == 1 and is_there(found[0]):
            return found[0]
        if len(found) == 1:
            raise DataFileError(not_fetched(found[0]))
        if found:
            told = first_few([path.name for path in found])
            key = "series" if self._wants_series else "images"
            raise DataFileError(
                f"several files of BOLD fit: {told}. Say which with {key} or space"
            )
        if self._wants_series:
            raise DataFileError(
                f"no ROI time series fits ({self._choice.series}). Name them with "
                "series, or give an atlas to read images"
            )
        raise DataFileError(
            f"no image of BOLD fits below {self._choice.images} (func/*_bold.nii.gz). "
            "Name the folder with images, or read ROI time series: bold = 'series'"
        )

    def _tr_s(self, wanted: Mapping[str, str], bold: Path) -> float | None:
        """Return the TR of the sidecars; by BIDS a deeper one goes over the others."""
        tr_s, where = None, None
        for path in [*_applying(self._sidecar_files, wanted), _beside(bold)]:
            said = _json(path).get("RepetitionTime") if is_there(path) else None
            if said is not None:
                tr_s, where = said, path
        if tr_s is None or where is None:
            return None
        number = isinstance(tr_s, int | float) and not isinstance(tr_s, bool)
        if number and _SHORTEST_TR_S <= float(str(tr_s)) <= LONGEST_TR_S:
            return float(str(tr_s))
        raise DataFileError(
            f"{where.name} gives a RepetitionTime of {tr_s!r}, expected seconds from "
            f"{_SHORTEST_TR_S:g} to {LONGEST_TR_S:g}. Correct that file"
        )

    def _blocks(self, wanted: Mapping[str, str]) -> BlockSource:
        found = _of_scan(self._event_files, wanted)
        table = found[0] if len(found) == 1 and is_there(found[0]) else None
        c = self._convention
        if c is None:
            return BlockSource(table=table)
        return BlockSource(
            table=table,
            rest_marker=c.rest_marker,
            task_marker=c.task_marker,
            task=c.task,
            block_s=c.block_s,
        )

    def _with_confounds(
        self, source: ScanSource, wanted: Mapping[str, str]
    ) -> ScanSource:
        """Return the scan with fMRIPrep's confounds: those named, or the usual ones.

        ROI series were cleaned by who made them, so for these confounds must be named.

        Raises
        ------
        DataFileError : confounds are named, and no table is there for them.
        """
        names = self._reading.confounds
        if names == () or (names is None and self._wants_series):
            return source
        found = [p for p in _of_scan(self._confound_files, wanted) if is_there(p)]
        if len(found) != 1:
            told = (
                f"{len(found) or 'no'} tables of confounds fit below "
                f"{self._choice.confounds_in} (*_desc-confounds_timeseries.tsv)"
            )
            if names is not None:
                raise DataFileError(
                    f"{told}, expected one. Correct confounds_in, or name no confounds"
                )
            return replace(source, notes=(*source.notes, f"{told}: none is used"))
        if names is None:
            names = _usual(found[0])
        return replace(source, confounds=found[0], confound_columns=names)


def _usual(table: Path) -> tuple[str, ...]:
    """Return those of the usual confounds that a table has."""
    with damage_told(table, "confounds"), table.open(encoding="utf-8-sig") as file:
        held = {name.strip() for name in file.readline().split("\t")}
    return tuple(name for name in DEFAULT_CONFOUNDS if name in held)


def _with_convention(source: ScanSource, c: Convention | None) -> ScanSource:
    if c is None:
        return source
    source = replace(source, known_marker=c.marker, reference=c.reference)
    cut = source.eeg is not None and source.eeg.stem.endswith(CLEANED)
    if not cut or not c.lead_s or source.bold_tr_s is None:
        return source
    # It was cut where the protocol begins: the first volumes have no marker in it
    n = round(c.lead_s / source.bold_tr_s)
    note = f"cleaned EEG begins with the protocol: the first {n} volumes are left out"
    pairing = Pairing(drop_volumes=n)
    return replace(source, pairing=pairing, notes=(*source.notes, note))


def _stem(path: Path) -> str:
    name = path.name
    for suffix in (".nii.gz", ".nii", path.suffix):
        name = name.removesuffix(suffix)
    return name


def _below(root: Path, folder: str, key: str) -> Path:
    path = root if folder == "." else root / folder
    if not path.is_dir():
        raise ConfigError(
            f"{key} in [bids] is {folder!r}, but there is no folder {str(path)!r}. "
            "Correct it; it begins at root."
        )
    return path


def _of_scan(files: Sequence[Path], wanted: Mapping[str, str]) -> list[Path]:
    """Return the files of one scan.

    Subject, session and task must be the recording's. So must the run, unless one of
    the two says none: then only one file may be of that task.
    """
    same = [
        (path, found)
        for path in files
        if fits(wanted, found := entities(_stem(path)), ("sub", "ses", "task"))
    ]
    runs = [path for path, found in same if fits(wanted, found, ("run",))]
    if runs:
        return runs
    unsaid = "run" not in wanted or all("run" not in found for _, found in same)
    return [path for path, _ in same] if unsaid else []


def _is_confounds(path: Path) -> bool:
    stem = _stem(path)
    last = stem.rpartition("_")[2]
    return last in _CONFOUNDS and (
        last == "confounds" or entities(stem).get("desc") == "confounds"
    )


_FUNCTIONAL: Final = ("sub-*/func", "sub-*/ses-*/func")


def _functional(root: Path, suffix: str) -> list[Path]:
    """Return the files of a suffix in the folders of functional images."""
    return sorted(
        path
        for pattern in _FUNCTIONAL
        for folder in root.glob(pattern)
        for path in folder.iterdir()
        if _stem(path).endswith(suffix)
    )


def _sidecars(roots: Iterable[Path]) -> list[Path]:
    """Return the sidecars of BOLD, those that stand nearer to the root first."""
    patterns = ("", "sub-*/", "sub-*/ses-*/", *(f"{p}/" for p in _FUNCTIONAL))
    return [
        path
        for root in roots
        for _, path in sorted(
            (len(path.relative_to(root).parts), path)
            for pattern in patterns
            for path in root.glob(f"{pattern}*bold.json")
        )
    ]


def _applying(sidecars: Iterable[Path], wanted: Mapping[str, str]) -> list[Path]:
    """Return the sidecars whose every entity is the scan's."""
    found = []
    for path in sidecars:
        said = entities(path.stem)
        if fits(wanted, said, [k for k in ("sub", "ses", "task", "run") if k in said]):
            found.append(path)
    return found


def _beside(bold: Path) -> Path:
    return bold.with_name(f"{_stem(bold)}.json")


def _json(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataFileError(
            f"{path} cannot be read as JSON ({error}), expected a sidecar of BIDS. "
            "Copy it again."
        ) from error
    return found if isinstance(found, dict) else {}
