"""ROI means from Turbo-BrainVoyager's network interface (TCP, port 55555 by default).

A message is its length (8 bytes), then the length of a name with its closing zero
(4 bytes), the name, and the fields; numbers are big-endian, integers and floats of 4
bytes. An answer repeats the request's name and arguments before its result. Requests
and fields are those that the vendor documents for its network plug-in; ROIs have
numbers there and no names.

Tested against a server that was written from the same description, never against
Turbo-BrainVoyager itself.
"""

import socket
import struct
from collections.abc import Sequence

from rtbold.acquire.bold_readers import CONNECT_S
from rtbold.errors import ConfigError, DataFileError
from rtbold.messages import MeasuredVolume

_LENGTH = struct.Struct(">q")
_INT = struct.Struct(">i")
LONGEST_MESSAGE = 1 << 20
REPLY_S = 2.0
MOST_VOLUMES = 5  # of one look: a run that was under way is caught up with in steps


def pack(name: str, *arguments: int) -> bytes:
    """Return one request as bytes."""
    text = name.encode("ascii") + b"\0"
    body = _INT.pack(len(text)) + text + b"".join(map(_INT.pack, arguments))
    return _LENGTH.pack(len(body)) + body


def unpack(body: bytes) -> tuple[str, bytes]:
    """Return name and fields of a message without its length.

    Raises
    ------
    DataFileError : it is none.
    """
    if len(body) >= _INT.size:
        (n_name,) = _INT.unpack_from(body)
        end = _INT.size + n_name
        if 0 < n_name and end <= len(body):
            name = body[_INT.size : end].rstrip(b"\0").decode("latin-1")
            return name, body[end:]
    raise DataFileError(
        f"an answer of {len(body)} bytes has no name, expected one of "
        "Turbo-BrainVoyager. Is it its port?"
    )


class TbvClient:
    """One connection for requests."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), CONNECT_S)
        self._socket.settimeout(REPLY_S)
        try:
            self.ask("Request Socket")
        except BaseException:
            self.close()
            raise

    def ask(self, name: str, *arguments: int) -> bytes:
        """Return the result of a request, without the arguments that it repeats.

        Raises
        ------
        OSError : the server has gone, or does not answer in time.
        DataFileError : it refuses, or answers something else.
        """
        self._socket.sendall(pack(name, *arguments))
        (n,) = _LENGTH.unpack(self._receive(_LENGTH.size))
        if not 0 < n <= LONGEST_MESSAGE:
            raise ConnectionError(f"an answer of {n} bytes to {name}")
        answered, fields = unpack(self._receive(n))
        repeated = b"".join(map(_INT.pack, arguments))
        if answered != name or not fields.startswith(repeated):
            said = f"{answered} {fields.decode('latin-1')[:80]!r}"
            raise DataFileError(
                f"Turbo-BrainVoyager answers {said} to {name}{arguments}, expected a "
                "value. Are the ROIs loaded, and is a run under way?"
            )
        return fields[len(repeated) :]

    def ask_int(self, name: str) -> int:
        """Return the integer that answers a request."""
        (number,) = _INT.unpack(_exactly(self.ask(name), name))
        return int(number)

    def ask_float(self, name: str, *arguments: int) -> float:
        """Return the float that answers a request."""
        fields = _exactly(self.ask(name, *arguments), name)
        return float(struct.unpack(">f", fields)[0])

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _receive(self, n: int) -> bytes:
        parts = bytearray()
        while len(parts) < n:
            data = self._socket.recv(n - len(parts))
            if not data:
                raise ConnectionError("Turbo-BrainVoyager closed the connection")
            parts += data
        return bytes(parts)


def _exactly(fields: bytes, name: str) -> bytes:
    if len(fields) != 4:
        raise DataFileError(
            f"the answer to {name} has {len(fields)} bytes, expected 4. Does this "
            "version of Turbo-BrainVoyager know that request?"
        )
    return fields


class TbvReader:
    """The means of all ROIs at each time point, numbered from 0.

    Parameters
    ----------
    rois : names in the order of Turbo-BrainVoyager's ROIs.

    Raises
    ------
    ConfigError : no names were given.
    """

    def __init__(self, host: str, port: int, rois: Sequence[str]) -> None:
        if not rois:
            raise ConfigError(
                "Turbo-BrainVoyager's ROIs have numbers and no names: give --truth-roi "
                "NAME (calibrate --live: --bold-roi NAME) for each, in its order."
            )
        self._address = (host, port)
        self._rois = tuple(rois)
        self._client: TbvClient | None = None
        self._next = 0  # time point that has not been read yet, from 0

    def read(self, now_s: float) -> list[MeasuredVolume]:
        """Return the time points that were processed since the last call."""
        client = self._client or self._connect()
        n_points = client.ask_int("tGetCurrentTimePoint")  # counted from 1
        if n_points < self._next:
            self._next = 0  # another run
        self._check_rois(client)
        end = min(n_points, self._next + MOST_VOLUMES)
        points = range(self._next, end)
        volumes = [self._volume(client, point, now_s) for point in points]
        self._next = end
        return volumes

    def _volume(self, client: TbvClient, point: int, now_s: float) -> MeasuredVolume:
        values = tuple(
            client.ask_float("tGetMeanOfROIAtTimePoint", roi, point)
            for roi in range(len(self._rois))
        )
        return MeasuredVolume(point, self._rois, values, now_s)

    def _check_rois(self, client: TbvClient) -> None:
        n_rois = client.ask_int("tGetNrOfROIs")
        if n_rois != len(self._rois):
            raise DataFileError(
                f"Turbo-BrainVoyager has {n_rois} ROIs open and {len(self._rois)} "
                "names were given, expected one for each, in its order."
            )

    def _connect(self) -> TbvClient:
        self._client = TbvClient(*self._address)
        return self._client

    def close(self) -> None:
        """Close the connection; time points that were read are not read again."""
        if self._client is not None:
            self._client.close()
            self._client = None
