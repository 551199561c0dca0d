"""Messages to bytes and back. Pure.

NaN and infinity never go out: they become null, in JSON and in msgpack alike.
"""

import base64

import msgspec
import numpy as np

from rtbold.messages import Float32Array
from rtbold.publish.wire import MESSAGE_TYPES, Eeg, Encoding, Message


def encode(message: Message, encoding: Encoding = "json") -> bytes:
    """Return the payload; msgpack carries exactly the keys and values of the JSON."""
    payload = msgspec.json.encode(message)  # writes NaN and infinity as null
    if encoding == "msgpack":
        return msgspec.msgpack.encode(msgspec.json.decode(payload))
    return payload


def decode(topic: str, payload: bytes, encoding: Encoding = "json") -> Message:
    """Return the message; unknown keys are ignored.

    Raises
    ------
    msgspec.ValidationError : another schema version, or a field of the wrong type.
    KeyError : no such topic.
    """
    kind = MESSAGE_TYPES[topic]  # type: ignore[index]
    if encoding == "msgpack":
        return msgspec.msgpack.decode(payload, type=kind)
    return msgspec.json.decode(payload, type=kind)


def pack_samples(data_uv: Float32Array) -> str:
    """Return (channels, samples) as the base64 text of `Eeg.data`."""
    return base64.b64encode(data_uv.astype("<f4").tobytes()).decode("ascii")


def unpack_samples(message: Eeg) -> Float32Array:
    """Return the samples of `message`, (channels, samples), microvolt."""
    flat = np.frombuffer(base64.b64decode(message.data), dtype=message.dtype)
    return flat.reshape(message.n_channels, message.n_samples).astype(np.float32)
