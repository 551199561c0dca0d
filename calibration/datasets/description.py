"""A data set: described by one TOML, or a folder whose layout is found.

name = "our lab"
layout = "bids"
root = "/data/study"

[reading]
atlas = "schaefer100.nii.gz"

[bids]
tasks = ["rest"]
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from rtbold.calibration.datasets.bids import find_bids, is_bids
from rtbold.calibration.datasets.choices import (
    LAYOUTS,
    Description,
    Ground,
    Layout,
    Reading,
    convert,
    file_at,
    merged,
)
from rtbold.calibration.datasets.found import Found, LeftOutScan, check_unique
from rtbold.calibration.datasets.neurobolt import find_neurobolt, is_neurobolt
from rtbold.calibration.datasets.pairs import (
    find_pairs,
    find_twin,
    find_twin_files,
    is_twin,
    own_reading,
)
from rtbold.calibration.datasets.sessions import find_sessions, is_sessions
from rtbold.calibration.datasets.sources import ScanSource, in_keys
from rtbold.calibration.datasets.xdf import find_xdf, is_xdf
from rtbold.calibration.inputs.choices import MarkerChoice, Pairing
from rtbold.disk import read_file
from rtbold.errors import ConfigError, DataFileError
from rtbold.text import did_you_mean

DESCRIPTION_NAME: Final = "dataset.toml"  # in a folder: it describes that folder
MOST_BYTES: Final = 4_000_000
_FOUND_BY: Final[Mapping[Layout, Callable[[Path], bool]]] = {
    "neurobolt": is_neurobolt,
    "bids": is_bids,
    "sessions": is_sessions,
    "twin": is_twin,
    "xdf": is_xdf,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """The scans of a data set; nothing of them is read yet."""

    name: str
    layout: Layout
    root: Path
    sources: tuple[ScanSource, ...]
    left_out: tuple[LeftOutScan, ...]  # what makes no scan, or was left out

    @property
    def subjects(self) -> tuple[str, ...]:
        """Whose scans they are, each once."""
        return tuple(dict.fromkeys(source.subject for source in self.sources))


def open_dataset(path: str | Path, *, atlas: Path | None = None) -> DataSet:
    """Return what a data set holds.

    Parameters
    ----------
    path : a TOML; or a folder, whose ``dataset.toml`` counts, else its layout.
    atlas : labels or maps for its images; goes over the description's.

    Raises
    ------
    ConfigError : there is no such thing, a key is wrong, the layout is not known or
        not clear, or no scan is there.
    """
    path = Path(path)
    if path.is_dir():
        own = path / DESCRIPTION_NAME
        return _described(own, atlas) if own.is_file() else _found(path, atlas)
    if not path.is_file():
        raise ConfigError(
            f"there is nothing at {str(path)!r}, expected a folder of scans or a TOML "
            "that describes them. Check the path."
        )
    if path.suffix.lower() != ".toml":
        raise ConfigError(
            f"{path.name} is a file, expected a folder of scans or a .toml that "
            "describes them. Give one of these."
        )
    return _described(path, atlas)


def _found(root: Path, atlas: Path | None) -> DataSet:
    ground = Ground(root, root, _with_atlas(Reading(), atlas))
    described = Description(layout=_layout_of(root))
    return _data_set(root.resolve().name, ground, described)


def _described(path: Path, atlas: Path | None) -> DataSet:
    try:
        text = read_file(path, at_most_bytes=MOST_BYTES)
        described = convert(tomllib.loads(text.decode("utf-8")), Description)
        root = path.parent / Path(described.root).expanduser()
        if not root.is_dir():
            raise ConfigError(
                f"root is {described.root!r}, but there is no folder {str(root)!r}. "
                "Correct it; it begins at the description's folder."
            )
        reading = _with_atlas(convert(described.reading, Reading), atlas)
        ground = Ground(root, path.parent, reading)
        fallback = path.parent.resolve().name
        name = path.stem if path.name != DESCRIPTION_NAME else fallback
        return _data_set(described.name or name, ground, described)
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror or error}. Expected the description "
            "of a data set."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(
            f"{path} is not valid TOML ({error}), expected the description of a data "
            "set. Correct that line."
        ) from error
    except (ConfigError, DataFileError) as error:
        raise ConfigError(f"{path.name}: {in_keys(str(error))}") from error


def _with_atlas(reading: Reading, atlas: Path | None) -> Reading:
    if atlas is None:
        return reading
    return msgspec.structs.replace(reading, atlas=str(atlas.absolute()))


def _data_set(name: str, ground: Ground, described: Description) -> DataSet:
    layout = described.layout or _layout_said(described) or _layout_of(ground.root)
    found = _find(layout, ground, described)
    changes = dict(described.changes)
    if layout == "pairs":
        for source, given in zip(found.sources, described.scan, strict=True):
            own = {**own_reading(given), **changes.get(source.name, {})}
            changes[source.name] = own
    check_unique(found.sources)
    _refuse_unknown(changes, found)
    sources, left_out = [], list(found.left_out)
    for source in found.sources:
        reading = merged(ground.reading, changes.get(source.name, {}))
        if reading.leave_out is not None:
            left_out.append(LeftOutScan(source.name, reading.leave_out))
        else:
            sources.append(read_as(source, reading, ground.home))
    if not sources:
        why = "".join(f" {scan}: {reason}." for scan, reason in left_out[:3])
        raise ConfigError(
            f"{ground.root} ({layout}) holds no scan that can be read, expected at "
            f"least one.{why}"
        )
    return DataSet(
        name=name,
        layout=layout,
        root=ground.root,
        sources=tuple(sources),
        left_out=tuple(left_out),
    )


def _find(layout: Layout, ground: Ground, described: Description) -> Found:
    if layout == "neurobolt":
        return find_neurobolt(ground, described.neurobolt)
    if layout == "bids":
        return find_bids(ground, described.bids)
    if layout == "xdf":
        return find_xdf(ground, described.xdf)
    if layout == "sessions":
        return find_sessions(ground)
    if layout == "pairs":
        return find_pairs(ground, described.scan)
    if described.twin is None and is_twin(ground.root):
        return find_twin_files(ground.root)
    return find_twin(described.twin)


def _layout_said(described: Description) -> Layout | None:
    """Return the layout whose table a description has; None: of none, or of several."""
    usual = Description()
    said: dict[Layout, bool] = {
        "pairs": bool(described.scan),
        "twin": described.twin is not None,
        "neurobolt": described.neurobolt != usual.neurobolt,
        "bids": described.bids != usual.bids,
        "xdf": described.xdf != usual.xdf,
    }
    named = [layout for layout, has_table in said.items() if has_table]
    return named[0] if len(named) == 1 else None


def _layout_of(root: Path) -> Layout:
    """Return the layout of a folder by what lies in it.

    Raises
    ------
    ConfigError : no layout fits, or more than one does.
    """
    fits = [layout for layout, is_so in _FOUND_BY.items() if is_so(root)]
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise ConfigError(
            f"{root} fits the layouts {', '.join(fits)}, expected one. Say which in a "
            f"description ({DESCRIPTION_NAME} in that folder): layout = {fits[0]!r}"
        )
    raise ConfigError(
        f"no layout fits {root}, expected one of {', '.join(LAYOUTS)}. Is it the "
        "folder of the whole data set? Scans of any layout can be listed in a "
        f"description ({DESCRIPTION_NAME} in that folder): [[scan]]"
    )


def _refuse_unknown(changes: Mapping[str, object], found: Found) -> None:
    known = [source.name for source in found.sources]
    skipped = [scan.name for scan in found.left_out]
    unknown = sorted(set(changes) - {*known, *skipped})
    if unknown:
        raise ConfigError(
            f"changes names {', '.join(unknown)}, expected names of scans."
            f"{did_you_mean(unknown, known)} rtbold prepare --list lists them."
        )


def read_as(source: ScanSource, reading: Reading, home: Path) -> ScanSource:
    """Return a scan with what a description says of how it is read.

    Raises
    ------
    ConfigError : the atlas or a table of confounds is not there.
    """
    given: dict[str, Any] = {
        key: value
        for key in ("rois", "stream", "unit", "reference", "trigger_channel")
        if (value := getattr(reading, key)) is not None
    }
    if reading.atlas is not None:
        given["atlas"] = file_at(home, reading.atlas, "atlas")
    if reading.confounds:
        if source.confounds is None:
            raise ConfigError(
                f"confounds names {', '.join(reading.confounds)}, but scan "
                f"{source.name!r} has no table of confounds. Give it one "
                "(confounds_table, or confounds_in of [bids]), or name none."
            )
        given["confound_columns"] = reading.confounds
    return replace(source, pairing=_pairing(source.pairing, reading), **given)


def _pairing(own: Pairing, reading: Reading) -> Pairing:
    marker = MarkerChoice(
        reading.trigger if reading.trigger is not None else own.marker.label,
        reading.trigger_stream or own.marker.stream,
        reading.trigger_every or own.marker.every,
    )
    counts = {
        key: value
        for key in ("tr_s", "dummy_volumes", "spare_triggers", "drop_volumes",
                    "drop_last_volumes")
        if (value := getattr(reading, key)) is not None
    }  # fmt: skip
    if reading.trigger_run is not None:
        counts["run"] = reading.trigger_run
    return replace(own, marker=marker, **counts)
