"""Scans that are listed with their files, and simulated ones."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from rtbold.calibration.datasets.blocks import BlockSource
from rtbold.calibration.datasets.choices import (
    Ground,
    PairChoice,
    TwinChoice,
    convert,
    file_at,
    numbers_of,
)
from rtbold.calibration.datasets.found import Found, safe_name
from rtbold.calibration.datasets.sources import ScanSource
from rtbold.calibration.inputs.bold_paths import split_part
from rtbold.errors import ConfigError
from rtbold.files import NAME as SIMULATED_NAME
from rtbold.sim import (
    FOREIGN,
    SessionOptions,
    SimulationSettings,
    simulation_settings,
)

_TWIN_EEG: Final = "eeg.vhdr"
_TWIN_BOLD: Final = "bold.tsv"


def find_pairs(ground: Ground, listed: Sequence[Mapping[str, object]]) -> Found:
    """Return the scans that a description lists.

    Raises
    ------
    ConfigError : none is listed, a key is wrong, or a file is not there.
    """
    if not listed:
        raise ConfigError(
            "the description lists no scan, expected [[scan]] tables with eeg, bold "
            "and subject. Add them, or name another layout."
        )
    return Found(tuple(_pair(ground, given, k + 1) for k, given in enumerate(listed)))


def _pair(ground: Ground, given: Mapping[str, object], number: int) -> ScanSource:
    try:
        pair = convert(given, PairChoice)
        if pair.leave_out is not None:
            raise ConfigError("it has leave_out, expected no entry for a scan to skip.")
        eeg = file_at(ground.root, pair.eeg, "eeg")
        path, part = split_part(pair.bold)
        bold = file_at(ground.root, str(path), "bold")
        events = pair.events and file_at(ground.root, pair.events, "events")
        table = pair.confounds_table and file_at(
            ground.root, pair.confounds_table, "confounds_table"
        )
    except ConfigError as error:
        raise ConfigError(f"[[scan]] number {number}: {error}") from error
    stem = eeg.stem.removesuffix("_eeg")
    whole = stem if pair.subject in stem else f"{pair.subject}_{pair.session}_{stem}"
    return ScanSource(
        name=safe_name(pair.name or whole),
        subject=pair.subject,
        session=pair.session,
        eeg=eeg,
        bold=bold if part is None else bold.with_name(f"{bold.name}:{part}"),
        confounds=Path(table) if table else None,
        blocks=BlockSource(table=Path(events) if events else None),
    )


def own_reading(given: Mapping[str, object]) -> dict[str, object]:
    """Return the keys of a listed scan that say how it is read."""
    files = {"eeg", "bold", "subject", "session", "name", "confounds_table", "events"}
    return {key: value for key, value in given.items() if key not in files}


# The twin.


def find_twin(choice: TwinChoice | None) -> Found:
    """Return a simulated scan for each seed.

    Raises
    ------
    ConfigError : there are no seeds, or a setting is wrong.
    """
    if choice is None:
        raise ConfigError(
            "layout is 'twin', expected a [twin] table with seeds. Add it: seeds = "
            "'1000-1009'"
        )
    options: SessionOptions = {"duration_s": choice.duration_s, "tr_s": choice.tr_s}
    if choice.rate_hz is not None:
        options["rate_hz"] = choice.rate_hz
    if choice.channels is not None:
        options["channels"] = choice.channels
    return Found(
        tuple(
            _simulated(
                simulation_settings(seed, choice.level, session=session, **options),
                session,
            )
            for seed in numbers_of(choice.seeds)
            for session in choice.sessions
        )
    )


def _simulated(settings: SimulationSettings, session: int) -> ScanSource:
    """Return the scan of one simulated session; a seed is one subject."""
    foreign = settings.level == FOREIGN
    name = f"twin-{settings.level}-{settings.seed}"
    return ScanSource(
        name=f"{FOREIGN}-{settings.seed}-{session}" if foreign else name,
        subject=f"{FOREIGN if foreign else 'twin'}{settings.seed}",
        session=str(session),
        twin=settings,
    )


def is_twin(root: Path) -> bool:
    """Whether a folder holds sessions that the twin wrote."""
    return bool(_twin_folders(root))


def _twin_folders(root: Path) -> list[Path]:
    notes = [root / SIMULATED_NAME, *root.glob(f"*/{SIMULATED_NAME}")]
    return [
        note.parent
        for note in sorted(notes)
        if note.is_file()
        and (note.parent / _TWIN_EEG).is_file()
        and (note.parent / _TWIN_BOLD).is_file()
    ]


class _Note(msgspec.Struct):
    """What the twin writes of its settings beside its files."""

    seed: int
    level: str
    session: int = 1


def find_twin_files(root: Path) -> Found:
    """Return the sessions that the twin wrote into folders."""
    sources = []
    for folder in _twin_folders(root):
        try:
            text = (folder / SIMULATED_NAME).read_text(encoding="utf-8")
            note = msgspec.convert(json.loads(text), _Note)
        except (ValueError, RecursionError, msgspec.ValidationError) as error:
            raise ConfigError(
                f"{folder / SIMULATED_NAME} is no note of the twin ({error}), expected "
                "seed and level. List the scan with its files: [[scan]]."
            ) from error
        foreign = note.level == FOREIGN
        name = folder.name if folder != root else root.resolve().name
        sources.append(
            ScanSource(
                name=safe_name(name),
                subject=f"{FOREIGN if foreign else 'twin'}{note.seed}",
                session=str(note.session),
                eeg=folder / _TWIN_EEG,
                bold=folder / _TWIN_BOLD,
            )
        )
    return Found(tuple(sources))
