"""The folder of a blinded study on the session machine, and who is enrolled in it.

STUDY/allocation.json       sealed list, from the statistician
STUDY/statistician.key      public key of the statistician
STUDY/session.key_secret    with it this machine opens one place at a time
STUDY/enrolment.jsonl       who has which place; no arms
STUDY/donors/               recorded sessions for the arm `yoked`
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from rtbold.blinding.allocation import (
    Allocation,
    AllocationRefused,
    Place,
    Slot,
    check_protocol,
    read_allocation,
)
from rtbold.blinding.design import Design
from rtbold.blinding.keys import PublicKeys, read_public, read_secret
from rtbold.disk import read_file
from rtbold.errors import ConfigError
from rtbold.owner_only import create, write_all
from rtbold.run_names import check_label
from rtbold.text import first_few

ALLOCATION_NAME: Final = "allocation.json"
STATISTICIAN_NAME: Final = "statistician.key"
SESSION_NAME: Final = "session.key_secret"
ENROLMENT_NAME: Final = "enrolment.jsonl"
DONORS_NAME: Final = "donors"
_LONGEST_LIST: Final = 10_000_000  # bytes


class Enrolled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the list of who has which place."""

    subject: str
    stratum: str
    code: str
    t_unix_s: float


@dataclass(frozen=True, slots=True)
class Study:
    """What a session must know of its study."""

    folder: Path
    statistician: PublicKeys
    allocation: Allocation

    @property
    def design(self) -> Design:
        """The arms and what they need."""
        return self.allocation.design

    @property
    def donors(self) -> Path:
        """Recorded sessions for the arm `yoked`."""
        return self.folder / DONORS_NAME

    def place_of(self, subject: str, *, protocol_sha256: str | None) -> Place:
        """Return the place of a participant, opened for the machine alone.

        Raises
        ------
        AllocationRefused : nobody knows the subject, the list was altered, or it is
            for another protocol. There is no default arm.
        """
        check_protocol(self.design, protocol_sha256)
        slot = _slot_of(subject, self.allocation, read_enrolment(self.folder))
        secret = read_secret(self.folder / SESSION_NAME, "session")
        return self.allocation.open(slot, secret)


def open_study(folder: Path) -> Study:
    """Return the study in a folder, its allocation's signature checked.

    Raises
    ------
    ConfigError : a file is missing or damaged, or the files do not belong together.
    """
    if not folder.is_dir():
        raise ConfigError(
            f"{folder} is no folder of a study, expected one with {ALLOCATION_NAME}, "
            f"{STATISTICIAN_NAME} and {SESSION_NAME}. See `rtbold blind --help`."
        )
    statistician = read_public(folder / STATISTICIAN_NAME, "statistician")
    session = read_secret(folder / SESSION_NAME, "session").public
    allocation = read_allocation(
        folder / ALLOCATION_NAME, statistician, session=session
    )
    return Study(folder, statistician, allocation)


def _slot_of(
    subject: str, allocation: Allocation, enrolled: Sequence[Enrolled]
) -> Slot:
    _check_enrolment(allocation, enrolled)
    named = {slot.subject: slot for slot in allocation.slots if slot.subject}
    codes = {each.subject: each.code for each in enrolled}
    if subject in named:
        return named[subject]
    if subject in codes:
        return allocation.slot(codes[subject])
    raise AllocationRefused(
        f"subject {subject!r} is not in the allocation of study "
        f"{allocation.design.study!r}, and no arm is a default. Expected one that the "
        "statistician has listed, or that was enrolled: `rtbold blind enrol STUDY "
        f"{subject}`. Is the code spelt right?"
    )


def read_enrolment(folder: Path) -> tuple[Enrolled, ...]:
    """Return who was enrolled, in order; nobody where there is no list.

    Raises
    ------
    AllocationRefused : the list is damaged.
    """
    path = folder / ENROLMENT_NAME
    if not path.exists():
        return ()
    try:
        lines = read_file(path, at_most_bytes=_LONGEST_LIST).splitlines()
        return tuple(msgspec.json.decode(line, type=Enrolled) for line in lines)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise AllocationRefused(
            f"the list of who is enrolled, {path}, is damaged: {error}. Restore it "
            "from a copy; it says who has which place."
        ) from error


def _check_enrolment(allocation: Allocation, enrolled: Sequence[Enrolled]) -> None:
    """Refuse a list that was not written by `enrol`, place after place."""
    listed = {slot.subject for slot in allocation.slots if slot.subject}
    open_slots = [slot for slot in allocation.slots if slot.subject is None]
    free = {each.stratum: list[Slot]() for each in open_slots}
    for slot in reversed(open_slots):
        free[slot.stratum].append(slot)
    for number, each in enumerate(enrolled, 1):
        left = free.get(each.stratum)
        if each.subject in listed or not left or left.pop().code != each.code:
            raise AllocationRefused(
                f"line {number} of {ENROLMENT_NAME} was altered, or is of another "
                f"allocation: subject {each.subject!r} has place {each.code!r}, which "
                "is not the next one of its stratum. Restore the list from a copy."
            )
        listed.add(each.subject)


def enrol(study: Study, subject: str, stratum: str, *, now_unix_s: float) -> str:
    """Give a new participant the next place of a stratum; return its opaque code.

    Raises
    ------
    AllocationRefused : the subject is known already, there is no such stratum, or its
        places are exhausted.
    """
    check_label("subject", subject)
    enrolled, slots = read_enrolment(study.folder), study.allocation.slots
    _check_enrolment(study.allocation, enrolled)
    known = {slot.subject for slot in slots} | {each.subject for each in enrolled}
    if subject in known:
        raise AllocationRefused(
            f"subject {subject!r} has a place already, and keeps it. Start the session."
        )
    strata = sorted({slot.stratum for slot in slots if slot.subject is None})
    if stratum not in strata:
        raise AllocationRefused(
            f"the allocation has no open places of stratum {stratum!r}, expected one "
            f"of {first_few([repr(each) for each in strata]) or 'none'}: --stratum."
        )
    taken = {each.code for each in enrolled}
    free = [
        slot
        for slot in slots
        if (slot.subject, slot.stratum) == (None, stratum) and slot.code not in taken
    ]
    if not free:
        raise AllocationRefused(
            f"the places of stratum {stratum!r} are exhausted: all {len(taken)} that "
            "were enrolled have theirs. Ask the statistician for a longer allocation; "
            "nobody gets an arm without a place."
        )
    line = Enrolled(subject, stratum, free[0].code, round(now_unix_s, 3))
    with create(study.folder / ENROLMENT_NAME) as stream:
        write_all(stream, msgspec.json.encode(line) + b"\n")
    return free[0].code
