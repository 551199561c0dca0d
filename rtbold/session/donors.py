"""Recorded sessions as donors of a yoked participant: read from what they published."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from rtbold.blinding import (
    Donor,
    DonorRefused,
    PlannedBlock,
    TargetScale,
    fitted_donor,
    note_of,
    recorded_blocks,
)
from rtbold.bundle import Card, parse_card
from rtbold.disk import read_file
from rtbold.errors import RtboldError
from rtbold.protocol import (
    COPY_NAME,
    PlannedBlock as Block,
    RunPlan,
    plan_run,
    read_attempts,
    read_protocol,
)
from rtbold.record import CARD_NAME, EVENTS_NAME, PUBLISHED_NAME
from rtbold.run_names import parse
from rtbold.session.published import Fields, read_log

MOST_DONORS = 200
Train = dict[int, float | None]  # z by volume, from one start of the scanner
_MAX_CARD_BYTES = 100_000_000


def free_plan(n_volumes: int, *, tr_s: float) -> RunPlan:
    """Return the plan of a run without a protocol: one block, which is all of it."""
    whole = Block(
        number=1,
        name="run",
        task="regulate",
        direction=None,
        feedback="continuous",
        first_volume=0,
        n_volumes=n_volumes,
    )
    return RunPlan(
        study="",
        run=1,
        attempt=1,
        run_type="training",
        name="run",
        tr_s=tr_s,
        blocks=(whole,),
    )


def find_donors(
    folder: Path, plan: Sequence[PlannedBlock], *, target: str, not_of: str
) -> tuple[list[Donor], list[DonorRefused]]:
    """Return the recordings below a folder that fit a plan, and why others do not.

    Parameters
    ----------
    plan : of the session that is about to begin.
    target : what is fed back; a donor had the same.
    not_of : the participant, who is nobody's donor to themselves.
    """
    fitting: list[Donor] = []
    refused: list[DonorRefused] = []
    for found in sorted(folder.rglob(EVENTS_NAME))[:MOST_DONORS]:
        try:
            fitting.append(_donor(found.parent, plan, target=target, not_of=not_of))
        except DonorRefused as error:
            refused.append(error)
        except (RtboldError, OSError, ValueError, KeyError, TypeError) as error:
            name = found.parent.name
            refused.append(DonorRefused(f"donor {name} cannot be read: {error}"))
    return fitting, refused


def _donor(
    folder: Path, plan: Sequence[PlannedBlock], *, target: str, not_of: str
) -> Donor:
    name = parse(folder.name)
    if name is not None and name.subject == not_of:
        raise DonorRefused(
            f"donor {folder.name} is the participant; expected another person."
        )
    if note_of(folder) is not None:
        raise DonorRefused(
            f"donor {folder.name} is of a blinded session: whether it fits would tell "
            "its arm. Expected an open one, such as a pilot's."
        )
    data = read_file(folder / CARD_NAME, at_most_bytes=_MAX_CARD_BYTES)
    card = parse_card(data, where=str(folder / CARD_NAME))
    messages = read_log(folder / PUBLISHED_NAME).messages
    had = {str(m.get("target")) for m in messages if m.get("topic") == "pred.fb"}
    if had != {target}:
        raise DonorRefused(
            f"donor {folder.name} had target {', '.join(sorted(had)) or 'none'}, "
            f"expected {target}. Choose another."
        )
    plan_had, z = _run_had(folder, list(_trains(messages, card, target)))
    person = folder.name if name is None else name.subject
    had_blocks = recorded_blocks(plan_had, z)
    return fitted_donor(folder.name, had_blocks, plan, person=person)


def _run_had(folder: Path, trains: list[Train]) -> tuple[RunPlan, Train]:
    """Return the run that a recording has most of, and its z by volume."""
    # each attempt once, as it was left
    attempts = {(each.run, each.attempt): each for each in read_attempts(folder)}
    if not attempts:
        z = max(trains, key=len)
        return free_plan(max(z, default=0) + 1, tr_s=1.0), z
    if len(attempts) != len(trains):
        raise DonorRefused(
            f"donor {folder.name} has {len(attempts)} attempts and {len(trains)} "
            "trains of volumes, which cannot be told apart. Choose another."
        )
    pairs = zip(attempts.values(), trains, strict=True)
    attempt, z = max(pairs, key=lambda pair: len(pair[1]))
    study = read_protocol(folder / COPY_NAME).study
    return plan_run(study, attempt.run, attempt=attempt.attempt), z


def _trains(messages: Sequence[Fields], card: Card, target: str) -> Iterator[Train]:
    """Yield z by volume, anew where the scanner began anew."""
    scale = TargetScale.of(card, target)
    train: Train = {}
    last = -1
    for message in messages:
        volume = message.get("volume_index")
        if message.get("topic") != "pred.roi" or volume is None:
            continue
        if int(volume) <= last:
            yield train
            train = {}
        last = int(volume)
        train[last] = _z(message, scale)
    yield train


def _z(message: Fields, scale: TargetScale) -> float | None:
    values = message.get("values")
    if values is None or message.get("status") not in ("ok", "degraded"):
        return None
    row = np.array(values, np.float32)
    if row.shape != scale.weights.shape or not np.isfinite(row).all():
        return None
    return scale.score(row)
