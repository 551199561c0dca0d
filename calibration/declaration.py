"""What was declared before a scan, and what was tried on it before.

A declaration is a file of the subject's folder, with its date and a hash of what it
says. Whoever edits it afterwards is refused; a new one may be written at any time, and
counts for scans that come after it. No torch.
"""

import datetime
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from rtbold import bundle as bundles
from rtbold.bundle import Bundle, Card, Declaration
from rtbold.calibration.beforehand import target_of
from rtbold.calibration.evaluate.looks import check_looks, look_levels, look_of
from rtbold.disk import read_file
from rtbold.errors import ConfigError, DataFileError, RtboldError
from rtbold.owner_only import make_folder, write_bytes
from rtbold.run_names import check_label

if TYPE_CHECKING:
    from rtbold.calibration.lineage import ScanMarks
    from rtbold.calibration.settings import CalibrationSettings

_PREFIX: Final = "declared-"
_MAX_BYTES: Final = 100_000
_MAX_CARD: Final = 100_000_000
_STAMP: Final = "%Y%m%d-%H%M%S"


class DeclaredTarget(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """What will be fed back, and how it will be tested."""

    subject: str
    target: str  # a ROI, or the contrast's name
    contrast: dict[str, float] = {}  # ROI -> weight; empty: the ROI itself
    alpha: float = 0.05  # over all looks
    looks_min: tuple[float, ...] = ()  # minutes of scan; empty: one look
    declared: str  # ISO date and time, UTC
    sha256: str = ""  # of all of the above

    @property
    def moment(self) -> datetime.datetime:
        """When it was declared."""
        return datetime.datetime.fromisoformat(self.declared)


def sealed(draft: DeclaredTarget) -> DeclaredTarget:
    """Return a declaration with the hash of what it says."""
    bare = msgspec.structs.replace(draft, sha256="")
    text = msgspec.json.encode(bare, order="sorted")
    return msgspec.structs.replace(bare, sha256=hashlib.sha256(text).hexdigest())


def declare(root: Path, draft: DeclaredTarget) -> tuple[DeclaredTarget, Path]:
    """Write a declaration into the subject's folder; earlier ones stay.

    Raises
    ------
    ConfigError : the subject's code, level or looks are none.
    RtboldError : it cannot be written, or there is one of this very second.
    """
    check_label("subject", draft.subject)
    check_looks(draft.looks_min or (1.0,), draft.alpha)
    if not draft.target.strip():
        raise ConfigError("the target has no name, expected a ROI or --contrast.")
    whole = sealed(draft)
    folder = root / draft.subject
    path = folder / f"{_PREFIX}{draft.moment.strftime(_STAMP)}.json"
    try:
        make_folder(folder)
        if path.exists():
            raise RtboldError(f"{path} is there already. Declare again in a second.")
        write_bytes(path, msgspec.json.format(msgspec.json.encode(whole)) + b"\n")
    except OSError as error:
        raise RtboldError(
            f"{path} cannot be written: {error.strerror or error}. Choose another "
            "folder with --root."
        ) from error
    return whole, path


def newest_declaration(root: Path, subject: str) -> DeclaredTarget | None:
    """Return what was declared last for a subject; None: nothing was.

    Raises
    ------
    DataFileError : the file cannot be read, or was changed after it was declared.
    """
    check_label("subject", subject)
    found = sorted((root / subject).glob(f"{_PREFIX}*.json"))
    return read_declaration(found[-1]) if found else None


def read_declaration(path: Path) -> DeclaredTarget:
    """Return a declaration that is as it was written.

    Raises
    ------
    DataFileError : it is not.
    """
    try:
        text = read_file(path, at_most_bytes=_MAX_BYTES, inside=path.parent)
        found = msgspec.json.decode(text, type=DeclaredTarget)
        named = path.name == f"{_PREFIX}{found.moment.strftime(_STAMP)}.json"
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise DataFileError(
            f"{path} is no declaration: {error}. Expected a file of rtbold declare; "
            "move it away, and declare again before the next scan."
        ) from error
    if sealed(found) != found or not named:
        raise DataFileError(
            f"{path} was changed after it was declared (its hash or its date does not "
            "fit). Expected it as rtbold declare wrote it: a target that is set after "
            "the scan is none that was declared. Restore the file, or move it away and "
            "calibrate without it; the verdict then says that nothing was declared."
        )
    return found


def is_before(declared: DeclaredTarget, files: Iterable[Path]) -> bool:
    """Return whether a scan may have come after a declaration.

    A file that was last written before it holds a scan that was made before it. One
    that was written later proves nothing, because copying writes too.
    """
    written = [path.stat().st_mtime for path in files if path.exists()]
    return all(moment >= declared.moment.timestamp() for moment in written)


def parse_looks(text: str | None) -> tuple[float, ...]:
    """Return the minutes of ``10,20,30``; of None none.

    Raises
    ------
    ConfigError : they are no numbers.
    """
    if text is None:
        return ()
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError as error:
        raise ConfigError(
            f"--looks is {text!r}, expected minutes with commas between, such as "
            "10,20,30."
        ) from error


def with_declaration(
    settings: "CalibrationSettings", found: DeclaredTarget | None, *, recorded: bool
) -> "CalibrationSettings":
    """Return settings with what was declared; the target too, if none was named.

    Parameters
    ----------
    recorded : the scan lies in files; else it is recorded now.

    Raises
    ------
    ConfigError : no target was named, and the declaration came after the scan.
    """
    if found is None:
        return settings
    files = [settings.scan.eeg, Path(settings.scan.bold)] if recorded else []
    named = settings.target is not None or bool(settings.contrast)
    if not is_before(found, files):
        if named:
            return settings
        raise ConfigError(
            f"{found.target!r} was declared for {found.subject} on {found.declared}, "
            "after the files of this scan were last written. Expected a declaration "
            "from before the scan. Name the --target yourself (the verdict then says "
            "that nothing was declared), or calibrate a later scan."
        )
    if named:
        return replace(settings, declared=found)
    return replace(
        settings, target=found.target, contrast=found.contrast, declared=found
    )


def on_card(declared: DeclaredTarget, scan_min: float) -> Declaration:
    """Return what a card keeps of a declaration, with the look that a scan is for."""
    looks = declared.looks_min
    return Declaration(
        sha256=declared.sha256,
        declared=declared.declared,
        alpha=declared.alpha,
        looks_min=looks,
        look=look_of(looks, scan_min) if looks else 1,
    )


def level_of(declaration: Declaration) -> float:
    """Return what p has to reach at this look; 0: the first look is still to come."""
    if not declaration.looks_min:
        return declaration.alpha
    levels = look_levels(declaration.looks_min, declaration.alpha)
    return levels[declaration.look - 1] if declaration.look else 0.0


# How often these data were calibrated before.


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """How many calibrations there are of these data, this one included."""

    n: int = 1  # with another target or another model
    n_models: int = 1  # with another model: whatever the target, it answers all ROIs
    names: tuple[str, ...] = ()  # of the earlier ones


@dataclass(frozen=True, slots=True)
class Key:
    """What makes one calibration another one than the next."""

    target: str  # with its weights
    asked: str  # base, strategy and the like
    data_sha256: str


def asked_of(settings: "CalibrationSettings", base: Bundle | None) -> str:
    """Return what a model was asked to be, beside its target and data."""
    horizon = "auto" if settings.horizon is None else settings.horizon
    return (
        f"base {base.sha256[:12] if base else 'nothing'}, {settings.strategy}, "
        f"{settings.size}, horizon {horizon}, {settings.n_folds} folds, "
        f"seed {settings.seed}"
    )


def told_target(target: str, weights: Mapping[str, float]) -> str:
    """Return a target by its weights, so that a contrast's name does not count."""
    if set(weights) <= {target}:
        return target
    return " ".join(f"{roi}={weights[roi]:g}" for roi in sorted(weights))


def told_declared(declared: DeclaredTarget, rois: Sequence[str]) -> str:
    """Return what was declared by its weights, as far as there are these ROIs."""
    target, contrast = declared.target, declared.contrast
    try:
        return told_target(*target_of(target, contrast, rois, of="the BOLD has"))
    except ConfigError:  # a name that is none here: still another target
        return told_target(target, contrast)


def earlier_tries(
    cards: Mapping[str, Card], marks: "ScanMarks", own: Declaration | None
) -> dict[str, Key]:
    """Return the calibrations of the data at hand, or of the same look, by name.

    A planned look before this one is none: the bounds allow for it.

    Parameters
    ----------
    cards : of all calibrations there are.
    own : what was declared for the scan at hand.
    """
    found = {}
    for name, card in cards.items():
        if card.verdict is None or card.lineage is None or not card.lineage.scans:
            continue
        gate = card.verdict.gate
        looked = _look_of_plan(gate.declaration, own)
        if own is not None and looked is not None and looked < own.look:
            continue
        if looked is not None or marks.shared_with(card.lineage.scans[-1]).seen:
            fitting = card.fitting
            asked = fitting and (fitting.asked or f"{fitting.base}, {fitting.strategy}")
            told = told_target(gate.target, gate.weights)
            found[name] = Key(told, asked or "", card.training_data_sha256)
    return found


def _look_of_plan(
    declaration: Declaration | None, own: Declaration | None
) -> int | None:
    """Return which look of the own plan a calibration was; None: of another one."""
    if declaration is None or own is None or declaration.sha256 != own.sha256:
        return None
    return declaration.look


def earlier_cards(root: Path) -> dict[str, Card]:
    """Return the cards of all calibrations of all subjects, by subject and name.

    One that cannot be read is left out: it can be no base either.
    """
    found = {}
    for subject in bundles.list_subjects(root):
        for each in bundles.calibrations(root, subject):
            try:
                text = read_file(
                    each.path / "card.json", at_most_bytes=_MAX_CARD, inside=each.path
                )
                card = bundles.parse_card(text, where=str(each.path))
            except (OSError, RtboldError):
                continue
            found[f"{subject} {each.name}"] = card
    return found


def count_tries(own: Key, earlier: Mapping[str, Key]) -> Tries:
    """Return how many different calibrations these are, with `own`.

    The same one again is no other, whatever came between.
    """
    others = {name: key for name, key in earlier.items() if key != own}
    models = {(key.asked, key.data_sha256) for key in (*others.values(), own)}
    return Tries(
        n=len({*others.values(), own}), n_models=len(models), names=tuple(others)
    )
