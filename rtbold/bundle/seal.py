"""The seal of a bundle: the hash of its card, in a file beside it.

The card holds the hash of every other file, so that nothing but the card itself could
change unseen. The seal lies outside of the card: so that of an old bundle can be added,
and the card's own hash, which names the model on the wire, stays what it was. It is
written as ``sha256sum`` writes it, so ``sha256sum -c card.json.sha256`` checks it too.

A hash is no signature: it finds damage and slips, not somebody who writes both files.
"""

import hashlib
from pathlib import Path
from typing import Final

from rtbold.bundle.card import Card
from rtbold.disk import read_file
from rtbold.errors import BundleError

CARD_NAME: Final = "card.json"
SEAL_NAME: Final = f"{CARD_NAME}.sha256"
_MAX_SEAL_BYTES: Final = 1000
COPY_AGAIN: Final = "Copy the bundle again from where it was made, or make it again."


def seal_text(card_text: bytes) -> bytes:
    """Return the seal of a card, as it is in the file."""
    return f"{hashlib.sha256(card_text).hexdigest()}  {CARD_NAME}\n".encode()


def check_seal(folder: Path, card: Card, card_text: bytes, *, needed: bool) -> bool:
    """Return whether the bundle is sealed; refuse a card that its seal does not fit.

    Parameters
    ----------
    card_text : the bytes of the card, of which `card` was read.
    needed : a missing seal is refused, as it is where the card says that it had one.

    Raises
    ------
    BundleError : the card or the seal was changed, or the seal is lost.
    """
    seal = _read_seal(folder)
    if seal is None:
        if needed or card.sealed:
            raise BundleError(
                f"bundle {folder} has lost its seal, {SEAL_NAME}, so nothing shows "
                f"whether its card is as it was written. {COPY_AGAIN}"
            )
        return False
    if seal != seal_text(card_text):
        raise BundleError(f"bundle {folder} {_what_changed(seal, card_text)}")
    return True


def _read_seal(folder: Path) -> bytes | None:
    """Return the seal's bytes; None: the bundle has none."""
    try:
        return read_file(
            folder / SEAL_NAME, at_most_bytes=_MAX_SEAL_BYTES, inside=folder
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BundleError(
            f"bundle {folder} is not whole: {SEAL_NAME} cannot be read "
            f"({error.strerror or error}). {COPY_AGAIN}"
        ) from error


def _what_changed(seal: bytes, card_text: bytes) -> str:
    """Say what a card that does not fit its seal has gone through."""
    unix = card_text.replace(b"\r\n", b"\n")
    if seal.replace(b"\r\n", b"\n") == seal_text(unix):
        return (
            f"has other line ends in {CARD_NAME} or {SEAL_NAME} than it was written "
            "with: git (core.autocrlf), a mail program or an editor changed them. Copy "
            'both again as they were made; for git, put "**/*.rtbold/** -text" into '
            ".gitattributes first."
        )
    found = hashlib.sha256(card_text).hexdigest()
    said = seal[: len(found)].decode("ascii", errors="replace")
    said = said if said.isalnum() else "something else"
    return (
        f"is damaged: {CARD_NAME} has SHA-256 {found[:12]}..., its seal {SEAL_NAME} "
        f"says {said[:12]}... One of them was changed since they were written. Do not "
        f"use it. {COPY_AGAIN}"
    )
