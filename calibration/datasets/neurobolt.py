"""The published NeuroBOLT set: EEGLAB sets, and a pickle of DiFuMo series a scan.

``data/EEG/subXX-scanYY_eeg.set`` and ``data/fMRI_difumo/subXX-scanYY_difumo64_roi.pkl``
as published; those who use it again have other folders and write the pickle without the
64. All are taken, by what the files are called.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rtbold.calibration.datasets.choices import Ground, NeuroBoltChoice
from rtbold.calibration.datasets.found import (
    Found,
    LeftOutScan,
    is_there,
    not_fetched,
)
from rtbold.calibration.datasets.sources import ScanSource
from rtbold.errors import ConfigError

MARKER: Final = "R149"  # of each volume
REFERENCE: Final = "FCz"  # of the recordings; their files do not say it
_EEG: Final = re.compile(r"(sub\w+?)-(scan\w+?)_eeg\.set", re.I)
_BOLD: Final = re.compile(
    r"(sub\w+?)-(scan\w+?)_difumo(?:64)?_roi\.(?:pkl|pickle|tsv|csv)", re.I
)
_TOPS: Final = ("", "data")
_EEG_FOLDERS: Final = ("eeg",)
_BOLD_FOLDERS: Final = ("fmri_difumo", "fmri_difumo64", "fmri_difumo_64", "fmri")
_DEFAULT: Final = NeuroBoltChoice()


def is_neurobolt(root: Path) -> bool:
    """Whether a folder holds sets as the published data set calls them."""
    return any(_files(_folders(root, _EEG_FOLDERS), _EEG))


def find_neurobolt(ground: Ground, choice: NeuroBoltChoice = _DEFAULT) -> Found:
    """Return the scans of a copy of the published set.

    Raises
    ------
    ConfigError : there is no folder of EEG.
    """
    root = ground.root
    eeg_folders = _given(root, choice.eeg) or _folders(root, _EEG_FOLDERS)
    bold_folders = _given(root, choice.bold) or _folders(root, _BOLD_FOLDERS)
    eeg, bold = _by_scan(eeg_folders, _EEG), _by_scan(bold_folders, _BOLD)
    if not eeg:
        raise ConfigError(
            f"{root} holds no EEG as NeuroBOLT publishes it, expected "
            "data/EEG/sub01-scan01_eeg.set and the like. Correct root, or name the "
            "folder: eeg in [neurobolt]."
        )
    sources, left_out = [], []
    for name in sorted({*eeg, *bold}):
        here = eeg.get(name, []), bold.get(name, [])
        if reason := _why_not(name, *here):
            left_out.append(LeftOutScan(name, reason))
        else:
            sources.append(_source(name, here[0][0], here[1][0]))
    return Found(tuple(sources), tuple(left_out))


def _why_not(name: str, eeg: list[Path], bold: list[Path]) -> str:
    """Return why there is no scan of this name; empty: there is one."""
    if not eeg:
        return f"it has BOLD and no EEG, expected {name}_eeg.set"
    if not bold:
        return f"it has EEG and no BOLD, expected {name}_difumo64_roi.pkl"
    for files, key in ((eeg, "eeg"), (bold, "bold")):
        if len(files) > 1:
            told = ", ".join(f"{path.parent.name}/{path.name}" for path in files)
            return f"it is there more than once: {told}; name a folder with {key}"
    absent = [path for path in (eeg[0], bold[0]) if not is_there(path)]
    return "; ".join(map(not_fetched, absent))


def _source(name: str, eeg: Path, bold: Path) -> ScanSource:
    subject, session = name.split("-")
    return ScanSource(
        name=name,
        subject=subject,
        session=session.removeprefix("scan"),
        eeg=eeg,
        bold=bold,
        reference=REFERENCE,
        known_marker=MARKER,
    )


def _given(root: Path, folder: str | None) -> list[Path]:
    if folder is None:
        return []
    path = root / folder
    if not path.is_dir():
        raise ConfigError(
            f"[neurobolt] names {folder!r}, but there is no folder {str(path)!r}. "
            "Correct it; it begins at root."
        )
    return [path]


def _folders(root: Path, names: tuple[str, ...]) -> list[Path]:
    """Return the folders of these names, whatever their case, in root or in data."""
    tops = [top for part in _TOPS if (top := root / part).is_dir()]
    return [
        folder
        for top in tops
        for folder in sorted(top.iterdir())
        if folder.name.casefold() in names and folder.is_dir()
    ]


def _by_scan(folders: list[Path], pattern: re.Pattern[str]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for name, path in _files(folders, pattern):
        found.setdefault(name, []).append(path)
    return found


def _files(folders: list[Path], pattern: re.Pattern[str]) -> Iterator[tuple[str, Path]]:
    """Yield the scan's name and the path of each file that is called so."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if match := pattern.fullmatch(path.name):
                yield f"{match[1]}-{match[2]}".lower(), path
