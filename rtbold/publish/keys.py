"""CURVE keys: what a socket needs before it may leave this machine.

A key folder holds ``server.key_secret`` (the publisher's pair) and ``clients/*.key``
(public keys of those that may connect). `create_keys` makes such a folder. The
gatekeeper looks into it again and again: a key that is put there may connect, one that
is taken away may no longer, and what it had open ends.
"""

import os
import re
import stat
import threading
from dataclasses import dataclass
from pathlib import Path

import zmq
import zmq.auth
from zmq.utils import z85

from rtbold.errors import ConfigError
from rtbold.owner_only import FILE_MODE, make_folder

SERVER_FILE = "server.key_secret"
CLIENTS_FOLDER = "clients"
ZAP_DOMAIN = "rtbold"
ZAP_ADDRESS = "inproc://zeromq.zap.01"
ZAP_FRAMES = 7  # version, request, domain, address, identity, mechanism, key
MOST_CLIENT_KEYS = 1000
LONGEST_KEY_FILE = 65_536  # bytes
JOIN_S = 2.0
LOOK_AGAIN_S = 0.2  # into the folder of the clients
_Z85 = re.compile(rb"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """The publisher's key pair and the folder of the clients that it admits."""

    public: bytes
    secret: bytes
    clients: Path

    @classmethod
    def load(cls, folder: Path) -> "ServerKeys":
        """Read a key folder.

        Raises
        ------
        ConfigError : no such folder, a key is missing or cut, the secret one can be
            read by others, or no client is admitted.
        """
        file = folder / SERVER_FILE
        try:
            public, secret = read_key(file)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"no CURVE keys in {folder}: {error}. Expected {SERVER_FILE} and "
                f"{CLIENTS_FOLDER}/*.key there; make them: "
                "rtbold keys FOLDER --client NAME."
            ) from error
        if secret is None:
            raise ConfigError(
                f"the key folder {folder} lacks the secret key, so nobody could "
                f"connect. Expected it in {SERVER_FILE}; server.key holds half a pair."
            )
        if zmq.curve_public(secret) != public:
            raise ConfigError(
                f"{file} holds two keys that are no pair. Make new ones in an empty "
                "folder: rtbold keys FOLDER --client NAME."
            )
        check_private(file)
        clients = folder / CLIENTS_FOLDER
        _check_clients(folder, clients)
        return cls(public, secret, clients)


def read_key(file: Path) -> tuple[bytes, bytes | None]:
    """Return the public key of a file and its secret one, or None; Z85 text.

    Raises
    ------
    OSError : it cannot be read.
    ValueError : it is no key file, or a key in it is not whole.
    """
    if file.stat().st_size > LONGEST_KEY_FILE or not file.is_file():
        raise ValueError(f"{file.name} is no key file")
    public, secret = zmq.auth.load_certificate(file)
    for what, key in (("public", public), ("secret", secret)):
        if key is not None and not _Z85.fullmatch(key):
            raise ValueError(
                f"the {what} key in {file.name} has {len(key)} characters, expected 40 "
                "of Z85: the file is not whole"
            )
    return public, secret


def check_private(file: Path) -> None:
    """Refuse a secret that other users of this machine can read.

    Raises
    ------
    ConfigError : they can.
    """
    if os.name != "posix":  # elsewhere the mode does not say it
        return
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        raise ConfigError(
            f"other users of this machine can read the secret key {file} (mode "
            f"{mode:03o}), expected its owner alone. Type: chmod 600 {file}. If they "
            "have read it, make new keys."
        )


def _check_clients(folder: Path, clients: Path) -> None:
    files = sorted(clients.glob("*.key"))
    if not files:
        raise ConfigError(
            f"the key folder {folder} lacks {clients}/*.key, so nobody could connect."
        )
    for file in files[:MOST_CLIENT_KEYS]:
        try:
            read_key(file)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"the key of client {file.stem!r} cannot be used: {error}. Expected "
                "the NAME.key that create_keys wrote; take it out or put it right."
            ) from error


def create_keys(folder: Path, client_names: tuple[str, ...] = ("client",)) -> None:
    """Write a new server pair and one pair per client into `folder`.

    A client is given its own ``clients/NAME.key_secret`` and ``server.key``, and
    nothing else. Files that exist are not overwritten.

    Raises
    ------
    ConfigError : there are keys already.
    """
    if (folder / SERVER_FILE).exists():
        raise ConfigError(f"{folder} holds keys already; give an empty folder.")
    clients = folder / CLIENTS_FOLDER
    make_folder(clients)
    for place, name in (
        (folder, "server"),
        *((clients, name) for name in client_names),
    ):
        # made for its owner alone before a secret is in it
        (place / f"{name}.key_secret").touch(mode=0o600)
        zmq.auth.create_certificates(place, name)
    for key in folder.rglob("*.key*"):
        key.chmod(FILE_MODE)


def add_clients(folder: Path, client_names: tuple[str, ...]) -> None:
    """Write a pair for each new client into a folder that has the server's keys.

    Raises
    ------
    ConfigError : there are no keys yet, or a client has some.
    """
    clients = folder / CLIENTS_FOLDER
    if not (folder / SERVER_FILE).exists() or not clients.is_dir():
        raise ConfigError(
            f"{folder} is no key folder, expected {SERVER_FILE} and {CLIENTS_FOLDER}/ "
            "in it. Make one: rtbold keys FOLDER --client NAME."
        )
    for name in client_names:
        if any((clients / f"{name}.{end}").exists() for end in ("key", "key_secret")):
            raise ConfigError(
                f"client {name!r} has keys in {clients} already, expected a new name. "
                "To replace them, take both files away first."
            )
    for name in client_names:
        # made for its owner alone before a secret is in it
        (clients / f"{name}.key_secret").touch(mode=FILE_MODE)
        zmq.auth.create_certificates(clients, name)
        for end in ("key", "key_secret"):
            (clients / f"{name}.{end}").chmod(FILE_MODE)


def admitted(clients: Path) -> frozenset[str]:
    """Return the public keys that the folder holds now; a broken file admits nobody."""
    found = set()
    try:
        files = sorted(clients.glob("*.key"))[:MOST_CLIENT_KEYS]
    except OSError:
        return frozenset()
    for file in files:
        try:
            found.add(read_key(file)[0].decode("ascii"))
        except (OSError, ValueError):
            continue
    return frozenset(found)


def secure(socket: "zmq.Socket[bytes]", keys: ServerKeys) -> None:
    """Make `socket` a CURVE server; call it before bind."""
    socket.curve_server = True
    socket.curve_publickey = keys.public
    socket.curve_secretkey = keys.secret
    # without these two, a missing gatekeeper would admit everybody
    socket.set(zmq.ZAP_DOMAIN, ZAP_DOMAIN.encode())
    socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)


class Gatekeeper:
    """Answers libzmq's question (ZAP, RFC 27) who may connect; a thread of its own.

    It is asked at each handshake, and looks into the folder then, and five times a
    second.
    """

    def __init__(
        self, context: "zmq.Context[zmq.Socket[bytes]]", keys: ServerKeys
    ) -> None:
        self._clients = keys.clients
        self.admitted = admitted(keys.clients)
        self._closing = threading.Event()
        self._socket = context.socket(zmq.REP)
        self._socket.set(zmq.LINGER, 0)
        self._socket.bind(ZAP_ADDRESS)
        self._thread = threading.Thread(
            target=self._run, name="rtbold-gatekeeper", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End the thread; a second call does nothing."""
        self._closing.set()
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        while not self._closing.is_set():
            asked = self._socket.poll(round(1000 * LOOK_AGAIN_S))
            self.admitted = admitted(self._clients)
            if asked:
                self._socket.send_multipart(self._answer(self._socket.recv_multipart()))
        self._socket.close(linger=0)

    def _answer(self, frames: list[bytes]) -> list[bytes]:
        request = frames[1] if len(frames) > 1 else b""
        if len(frames) == ZAP_FRAMES and frames[5] == b"CURVE":
            key = z85.encode(frames[6]) if len(frames[6]) == 32 else b""
            if key.decode("ascii") in self.admitted:
                return [b"1.0", request, b"200", b"OK", key, b""]
        return [b"1.0", request, b"400", b"not admitted", b"", b""]
