"""Who gets which arm: drawn once, sealed, and looked up by machines alone.

The statistician draws the list (`allocate`) and seals it twice: for their own key, and
for the key of the session machine, which must know the arm to deliver it. The file has
opaque codes in clear, no arms, no seed, and is signed. All sealed parts have one size.
"""

import base64
import hashlib
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from rtbold.blinding.design import ArmName, Design
from rtbold.blinding.keys import (
    NotOpened,
    PublicKeys,
    SecretKeys,
    padded,
    unpadded,
)
from rtbold.disk import read_file
from rtbold.errors import ConfigError
from rtbold.run_names import check_label

ALLOCATION_FORMAT: Final = "rtbold.allocation/1"
LONGEST_FILE: Final = 20_000_000  # bytes
MOST_SLOTS: Final = 10_000
PADDED_BYTES: Final = 256
_CODE_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # no I, O, 0, 1
_CODE_LENGTH: Final = 5
_MOST_BLOCKS: Final = 4  # times the smallest block


class AllocationRefused(ConfigError):
    """The allocation does not say what this participant is to get."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place of a list, as the statistician knows it; its text hides the arm.

    Raises
    ------
    ConfigError : `subject` is no label.
    """

    code: str  # opaque: it says nothing of the arm
    stratum: str = ""
    subject: str | None = None  # None: whoever is enrolled next
    arm: ArmName = field(repr=False)
    draw: int = field(repr=False)  # places of this arm before it: whose donor it has

    def __post_init__(self) -> None:
        """Refuse what is no code of a participant."""
        if self.subject is not None:
            check_label("subject", self.subject)


class Slot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One place as everybody may see it."""

    code: str
    stratum: str
    subject: str | None
    for_session: str  # base64
    for_statistician: str


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: str = ALLOCATION_FORMAT
    design: Design
    statistician: str  # fingerprint of who sealed it
    session: str  # fingerprint of the machine that may open it
    slots: tuple[Slot, ...]
    signature: str = ""


class _Secret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a sealed part holds; code and study tie it to its place."""

    study: str
    code: str
    arm: ArmName
    draw: int


# Drawing the list. Pure, but for the codes.


def allocate(
    design: Design,
    places: Mapping[str, Sequence[str | None]],
    *,
    seed: int,
    secret: SecretKeys,
) -> tuple[Place, ...]:
    """Draw arms in permuted blocks of random size, each stratum by itself.

    Parameters
    ----------
    places : of each stratum, the subjects; None: one that is not known yet.
    seed : with `secret`, it gives the same list again. Without the secret it gives
        none, so that nobody can guess it.

    Raises
    ------
    ConfigError : no places, too many, or a subject in two of them.
    """
    n = sum(map(len, places.values()))
    if not 1 <= n <= MOST_SLOTS:
        raise ConfigError(f"the list has {n} places, expected 1 to {MOST_SLOTS}.")
    named = [s for subjects in places.values() for s in subjects if s is not None]
    twice = [subject for subject, count in Counter(named).items() if count > 1]
    if twice:
        raise ConfigError(
            f"subjects {', '.join(sorted(twice))} stand in the list more than once; "
            "expected each once. Take the others out."
        )
    codes, list_of, before = _codes(n), list[Place](), Counter[ArmName]()
    for stratum, subjects in places.items():
        rng = _generator(design, stratum, seed=seed, secret=secret)
        arms = _arms(design, len(subjects), rng)
        for subject, arm in zip(subjects, arms, strict=True):
            list_of.append(
                Place(
                    code=codes.pop(),
                    stratum=stratum,
                    subject=subject,
                    arm=arm,
                    draw=before[arm],
                )
            )
            before[arm] += 1
    return tuple(list_of)


def _generator(
    design: Design, stratum: str, *, seed: int, secret: SecretKeys
) -> np.random.Generator:
    words = f"allocate\0{design.study}\0{stratum}\0{seed}".encode()
    digest = hashlib.sha256(secret.derived(b"draw") + words).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def _arms(design: Design, n: int, rng: np.random.Generator) -> list[ArmName]:
    """Return `n` arms in permuted blocks; nobody knows where a block ends."""
    smallest = [
        arm
        for arm, weight in zip(design.arms, design.weights, strict=True)
        for _ in range(weight)
    ]
    drawn: list[ArmName] = []
    while len(drawn) < n:
        block = smallest * int(rng.integers(1, _MOST_BLOCKS + 1))
        drawn += [block[i] for i in rng.permutation(len(block))]
    return drawn[:n]


def _codes(n: int) -> list[str]:
    """Return opaque codes, each once; of the system's randomness, not of the seed."""
    found: set[str] = set()
    while len(found) < n:
        letters = [secrets.choice(_CODE_LETTERS) for _ in range(_CODE_LENGTH)]
        found.add("".join(letters))
    return list(found)


# Sealing and opening.


def seal_allocation(
    design: Design,
    places: Sequence[Place],
    *,
    statistician: SecretKeys,
    session: PublicKeys,
) -> bytes:
    """Return the file that goes to the session machine, signed."""
    slots = [
        Slot(
            code=place.code,
            stratum=place.stratum,
            subject=place.subject,
            for_session=_sealed(design, place, session),
            for_statistician=_sealed(design, place, statistician.public),
        )
        for place in places
    ]
    file = _File(
        design=design,
        statistician=statistician.public.fingerprint,
        session=session.fingerprint,
        slots=tuple(slots),
    )
    signature = base64.b64encode(statistician.sign(_signed_bytes(file))).decode()
    whole = msgspec.structs.replace(file, signature=signature)
    return bytes(msgspec.json.format(msgspec.json.encode(whole), indent=1)) + b"\n"


def _sealed(design: Design, place: Place, keys: PublicKeys) -> str:
    secret = _Secret(design.study, place.code, place.arm, place.draw)
    data = padded(msgspec.json.encode(secret), PADDED_BYTES)
    return base64.b64encode(keys.seal(data)).decode()


def _signed_bytes(file: _File) -> bytes:
    return msgspec.json.encode(
        msgspec.structs.replace(file, signature=""), order="deterministic"
    )


@dataclass(frozen=True, slots=True)
class Allocation:
    """A sealed list whose signature was checked."""

    design: Design
    slots: tuple[Slot, ...]

    def slot(self, code: str) -> Slot:
        """Return a place by its code.

        Raises
        ------
        AllocationRefused : there is none.
        """
        for slot in self.slots:
            if slot.code == code:
                return slot
        raise AllocationRefused(
            f"the allocation of study {self.design.study!r} has no place {code!r}. "
            "Ask the statistician."
        )

    def open(self, slot: Slot, secret: SecretKeys) -> Place:
        """Return what is sealed in a place.

        Raises
        ------
        AllocationRefused : it was sealed to another key, or for another place.
        """
        text = slot.for_session if secret.owner == "session" else slot.for_statistician
        try:
            data = secret.open(base64.b64decode(text, validate=True))
            found = msgspec.json.decode(unpadded(data), type=_Secret)
        except (NotOpened, ValueError, msgspec.MsgspecError) as error:
            raise AllocationRefused(
                f"place {slot.code} does not open: {error}. Ask the statistician for "
                "the allocation that was sealed to this machine's key."
            ) from error
        if (found.study, found.code) != (self.design.study, slot.code):
            raise AllocationRefused(
                f"place {slot.code} holds what was sealed for another place: the "
                "allocation was altered. Ask the statistician for it again."
            )
        return Place(
            code=slot.code,
            stratum=slot.stratum,
            subject=slot.subject,
            arm=found.arm,
            draw=found.draw,
        )


def read_allocation(
    path: Path, statistician: PublicKeys, *, session: PublicKeys | None = None
) -> Allocation:
    """Return a sealed list, its signature checked.

    Parameters
    ----------
    session : key of the machine that is to open it; None: the statistician opens it.

    Raises
    ------
    AllocationRefused : it is no allocation, was altered, comes from another
        statistician, or was sealed for another machine.
    """
    try:
        data = read_file(path, at_most_bytes=LONGEST_FILE)
        file = msgspec.json.decode(data, type=_File)
        signature = base64.b64decode(file.signature, validate=True)
    except (OSError, ValueError, msgspec.MsgspecError, RecursionError) as error:
        why = getattr(error, "strerror", None) or error
        raise AllocationRefused(
            f"cannot read the allocation {path}: {why}. Expected the file that "
            "`rtbold blind allocate` has written. Copy it again."
        ) from error
    _check_origin(path, file, statistician, session=session)
    if not statistician.has_signed(_signed_bytes(file), signature):
        raise AllocationRefused(
            f"the allocation {path} was altered: its signature is not that of "
            f"statistician {statistician.fingerprint}. Ask them for it again; nobody "
            "may be run with this one."
        )
    return Allocation(file.design, file.slots)


def _check_origin(
    path: Path,
    file: _File,
    statistician: PublicKeys,
    *,
    session: PublicKeys | None,
) -> None:
    if file.format != ALLOCATION_FORMAT:
        raise AllocationRefused(
            f"{path} is {file.format!r}, expected {ALLOCATION_FORMAT!r}. Another "
            "version of rtbold wrote it."
        )
    for who, found, wanted in (
        ("statistician", file.statistician, statistician),
        ("session machine", file.session, session),
    ):
        if wanted is not None and found != wanted.fingerprint:
            raise AllocationRefused(
                f"the allocation {path} is of {who} {found}, expected "
                f"{wanted.fingerprint}, whose key lies beside it. Ask the statistician "
                "which of the two belongs to this study."
            )


def check_protocol(design: Design, protocol_sha256: str | None) -> None:
    """Refuse an allocation for another protocol than the session's.

    Raises
    ------
    AllocationRefused : they differ.
    """
    if design.protocol_sha256 == protocol_sha256:
        return
    wanted, given = (
        f"{sha256[:12]}..." if sha256 else "none"
        for sha256 in (design.protocol_sha256, protocol_sha256)
    )
    raise AllocationRefused(
        f"the allocation of study {design.study!r} is for protocol {wanted}, this "
        f"session has protocol {given} (SHA-256 of its file). Run the protocol that "
        "the allocation was made for, or ask the statistician for a new one."
    )
