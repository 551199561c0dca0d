"""A measured baseline, kept beside a recording for the runs that follow it.

Each start of the scanner is a run of its own, and so is often its program. A run whose
feedback is held against a measured baseline begins with the newest one of the same
subject, session and task that was measured with the same model, target and smoothing.
What it began with stands in its own settings, so that a replay needs no other folder.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from rtbold.config import FeedbackSettings, KindName
from rtbold.disk import read_file
from rtbold.feedback import FeedbackChain, Reference
from rtbold.messages import BoldPrediction
from rtbold.owner_only import create, write_all
from rtbold.protocol import BlockNow
from rtbold.run_names import RunGroup
from rtbold.session.recompute import Where, nowhere

BASELINE_NAME: Final = "baselines.jsonl"
_MAX_BYTES: Final = 10_000_000
_RUN: Final = re.compile(r"_run-(\d+)$")


class KeptBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, and of what: another model's or target's does not fit."""

    model_sha256: str
    weights: dict[str, float]  # of the target's ROIs
    smooth: str
    reference: Reference
    version: int = 1


@dataclass(frozen=True, slots=True)
class FoundBaseline:
    """A baseline of an earlier run, and what is to be said of the search."""

    reference: Reference | None
    text: str


def as_kept(
    reference: Reference, chain: FeedbackChain, *, model_sha256: str
) -> KeptBaseline:
    """Return a baseline with what it holds for."""
    return KeptBaseline(
        model_sha256=model_sha256,
        weights=dict(chain.target.weights),
        smooth=_smoothing(chain.settings),
        reference=reference,
    )


def keep_baseline(folder: Path, kept: KeptBaseline) -> None:
    """Add a line on a baseline to the folder of its run; the last one holds.

    Nothing is rewritten: a second copy of the recording follows files as they grow.

    Raises
    ------
    OSError : it cannot be written.
    """
    with create(folder / BASELINE_NAME) as file:
        write_all(file, msgspec.json.encode(kept) + b"\n")


def find_baseline(
    root: Path,
    group: RunGroup,
    settings: FeedbackSettings,
    *,
    weights: dict[str, float],
    model_sha256: str,
) -> FoundBaseline:
    """Return the newest baseline of earlier runs that holds for this one.

    Parameters
    ----------
    root : of all recordings.
    group : the runs among which it is looked for.
    settings : of this run's feedback.
    weights : of its target.
    """
    wanted = model_sha256, weights, _smoothing(settings)
    others = 0
    for folder in _newest_first(root, group):
        kept = _read(folder / BASELINE_NAME)
        if kept is None:
            continue
        if (kept.model_sha256, kept.weights, kept.smooth) != wanted:
            others += 1
            continue
        found = kept.reference
        n_eff = "?" if found.n_eff is None else f"{found.n_eff:g}"
        return FoundBaseline(
            found,
            f"baseline {found.name!r} of {folder.name}: {found.n} volumes, {n_eff} "
            "independent",
        )
    left = f" ({others} of another model, target or smoothing)" if others else ""
    return FoundBaseline(None, f"no earlier run of this session has a baseline{left}")


def whole_run(kind: KindName, number: int = 1) -> Where:
    """Return where the volumes of a run without a protocol lie.

    A training has no blocks: each volume is fed back. Any other run is one block
    without feedback; of a baseline run it is the baseline block.
    """
    if kind == "training":
        return nowhere

    def where(prediction: BoldPrediction) -> BlockNow | None:
        volume = prediction.tick.volume_index
        if volume is None:
            return None
        return BlockNow(
            run=number, attempt=1, run_type=kind, block=1, name=kind,
            task="baseline" if kind == "baseline" else "regulate", direction=None,
            feedback="none", volume_in_block=volume, n_volumes=volume + 1,
            last_of_block=False,
        )  # fmt: skip

    return where


def _smoothing(settings: FeedbackSettings) -> str:
    """Return in one word what values went through before they were normalised."""
    how = {
        "none": "none",
        "mean": f"mean:{settings.smooth_n}",
        "exponential": f"exponential:{settings.smooth_s!r}",
    }[settings.smooth]
    limit_sd = settings.winsorise_sd
    return how if limit_sd is None else f"{how} winsorise:{float(limit_sd)!r}"


def _newest_first(root: Path, group: RunGroup) -> list[Path]:
    """Return the folders of runs, the highest number first."""
    folder = group.run(1).folder(root).parent
    found = {
        int(number.group(1)): path
        for path in folder.glob(f"{group.stem}_run-*")
        if path.is_dir() and (number := _RUN.search(path.name)) is not None
    }
    return [found[number] for number in sorted(found, reverse=True)]


def _read(path: Path) -> KeptBaseline | None:
    """Return what was kept last; None: nothing, or nothing that can be used.

    A last line that a crash has cut off is passed over.
    """
    try:
        text = read_file(path, at_most_bytes=_MAX_BYTES)
        line = text[: text.rfind(b"\n") + 1].splitlines()[-1:]
        kept = msgspec.json.decode(b"".join(line), type=KeptBaseline)
    except (OSError, msgspec.MsgspecError, RecursionError):
        return None
    known = kept.reference
    usable = kept.version == 1 and known.sd > 0 and known.raw_sd > 0 and known.ordered
    return kept if usable else None
