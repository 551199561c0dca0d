"""Key files of a blinded study: the statistician's pair and the session machine's.

Each pair comes from 32 random bytes: a key that others seal to (X25519) and one that
signs (Ed25519). ``NAME.key`` is public and may be sent by mail; ``NAME.key_secret``
stays where it was made. Who has the statistician's secret can unblind. PyNaCl is
imported where it is used: a session that is not blinded needs none.
"""

import base64
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from rtbold.disk import read_file
from rtbold.errors import ConfigError, RtboldError
from rtbold.owner_only import create, make_folder, write_all
from rtbold.publish import check_private

if TYPE_CHECKING:
    from nacl.public import PrivateKey
    from nacl.signing import SigningKey

Owner = Literal["statistician", "session"]
OWNERS: tuple[Owner, ...] = get_args(Owner)
PUBLIC_SUFFIX, SECRET_SUFFIX = ".key", ".key_secret"
KEY_FORMAT = "rtbold.blinding-key/1"
KEY_BYTES = 32
LONGEST_KEY_FILE = 4096  # bytes
_HEX_OF_PRINT = 16


class NotOpened(RtboldError):
    """A box is not for this key, or was altered."""


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """What others may know: seal to it, check what it has signed."""

    owner: Owner
    sealing: bytes
    signing: bytes

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits to compare by eye or on the telephone."""
        return hashlib.sha256(self.sealing + self.signing).hexdigest()[:_HEX_OF_PRINT]

    def seal(self, data: bytes) -> bytes:
        """Return `data` for the owner of the secret alone."""
        from nacl.public import PublicKey, SealedBox

        return bytes(SealedBox(PublicKey(self.sealing)).encrypt(data))

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """Return whether the owner has signed these very bytes."""
        from nacl.exceptions import CryptoError
        from nacl.signing import VerifyKey

        try:
            VerifyKey(self.signing).verify(data, signature)
        except (CryptoError, ValueError, TypeError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class SecretKeys:
    """A whole pair; its text never shows the secret."""

    owner: Owner
    seed: bytes = field(repr=False)

    @classmethod
    def new(cls, owner: Owner) -> "SecretKeys":
        """Return a new pair."""
        return cls(owner, os.urandom(KEY_BYTES))

    @property
    def public(self) -> PublicKeys:
        """The half that others may know."""
        return PublicKeys(
            self.owner,
            bytes(self._sealing.public_key),
            bytes(self._signing.verify_key),
        )

    @property
    def _sealing(self) -> "PrivateKey":
        from nacl.public import PrivateKey

        return PrivateKey(self.derived(b"seal"))

    @property
    def _signing(self) -> "SigningKey":
        from nacl.signing import SigningKey

        return SigningKey(self.derived(b"sign"))

    def derived(self, purpose: bytes) -> bytes:
        """Return 32 bytes that only this secret gives for `purpose`."""
        return hashlib.blake2b(
            purpose, key=self.seed, digest_size=KEY_BYTES, person=b"rtbold-blind"
        ).digest()

    def sign(self, data: bytes) -> bytes:
        """Return the signature of `data`."""
        return bytes(self._signing.sign(data).signature)

    def open(self, sealed: bytes) -> bytes:
        """Return what was sealed to us.

        Raises
        ------
        NotOpened : it was sealed to another key, or was altered.
        """
        from nacl.exceptions import CryptoError
        from nacl.public import SealedBox

        try:
            return bytes(SealedBox(self._sealing).decrypt(sealed))
        except (CryptoError, ValueError, TypeError) as error:
            raise NotOpened(
                f"a box of {len(sealed)} bytes does not open with the {self.owner}'s "
                f"key {self.public.fingerprint}: it was sealed to another key, or was "
                "altered. Expected the key and the file that belong together."
            ) from error


def padded(data: bytes, block_bytes: int) -> bytes:
    """Return `data` filled up to a multiple of a size (ISO/IEC 7816-4)."""
    n_left = -(len(data) + 1) % block_bytes
    return data + b"\x80" + bytes(n_left)


def unpadded(data: bytes) -> bytes:
    """Return what `padded` has filled up.

    Raises
    ------
    ValueError : it was not.
    """
    whole = data.rstrip(b"\0")
    if not whole.endswith(b"\x80"):
        raise ValueError("it is not padded")
    return whole[:-1]


class _KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    owner: Owner
    sealing: str = ""
    signing: str = ""
    secret: str = ""


def create_keys(folder: Path, owner: Owner) -> SecretKeys:
    """Write a new pair into `folder`: ``OWNER.key`` and ``OWNER.key_secret``.

    Raises
    ------
    ConfigError : there is one already; a new one would make its files unreadable.
    OSError : it cannot be written.
    """
    secret = SecretKeys.new(owner)
    make_folder(folder)
    for suffix, text in (
        (SECRET_SUFFIX, _KeyFile(KEY_FORMAT, owner, secret=_text(secret.seed))),
        (PUBLIC_SUFFIX, _public_file(secret.public)),
    ):
        path = folder / f"{owner}{suffix}"
        try:
            with create(path, exclusive=True) as stream:
                write_all(stream, msgspec.json.encode(text) + b"\n")
        except FileExistsError as error:
            raise ConfigError(
                f"{path} is there already, and what was sealed to it opens with it "
                "alone. Give another folder, or go on with these keys."
            ) from error
    return secret


def _public_file(keys: PublicKeys) -> _KeyFile:
    return _KeyFile(
        KEY_FORMAT, keys.owner, sealing=_text(keys.sealing), signing=_text(keys.signing)
    )


def read_public(path: Path, owner: Owner) -> PublicKeys:
    """Return the public keys in a file.

    Raises
    ------
    ConfigError : it is missing, is damaged, or belongs to somebody else.
    """
    found = _read(path, owner)
    return PublicKeys(owner, _bytes(path, found.sealing), _bytes(path, found.signing))


def read_secret(path: Path, owner: Owner) -> SecretKeys:
    """Return the pair in a secret key file.

    Raises
    ------
    ConfigError : it is missing, damaged or somebody else's, or others can read it.
    """
    found = _read(path, owner)
    if not found.secret:
        raise ConfigError(
            f"{path} holds a public key, expected the secret one, "
            f"{owner}{SECRET_SUFFIX}."
        )
    check_private(path)
    return SecretKeys(owner, _bytes(path, found.secret))


def _read(path: Path, owner: Owner) -> _KeyFile:
    try:
        data = read_file(path, at_most_bytes=LONGEST_KEY_FILE)
        found = msgspec.json.decode(data, type=_KeyFile)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"cannot read the key {path}: {why}. Expected a file that `rtbold blind "
            "keys` has written."
        ) from error
    if found.format != KEY_FORMAT or found.owner != owner:
        raise ConfigError(
            f"{path} is a key {found.format} of the {found.owner}, expected "
            f"{KEY_FORMAT} of the {owner}. Give the other one."
        )
    return found


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode("ascii")


def _bytes(path: Path, text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(
            f"a key in {path} has {len(key)} bytes, expected {KEY_BYTES}: the file is "
            "not whole. Copy it again from where it was made."
        )
    return key
