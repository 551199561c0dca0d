"""A minimal writer of XDF, by its specification; for tests only."""

import struct

import numpy as np

_BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
_FORMATS = {"f4": "float32", "f8": "double64", "i2": "int16", "i4": "int32"}


def write_xdf(path, streams, footers=True):
    """`streams`: dicts with name, type, rate, labels, unit, values (samples, channels)
    or a list of text, stamps, and optionally offsets [(t, offset)], chunk, desc."""
    with path.open("wb") as file:
        file.write(b"XDF:")
        file.write(
            chunk(1, b"<?xml version='1.0'?><info><version>1.0</version></info>")
        )
        for number, stream in enumerate(streams, start=1):
            file.write(chunk(2, struct.pack("<I", number) + header(stream)))
        for number, stream in enumerate(streams, start=1):
            size = stream.get("chunk", 25)
            for first in range(0, len(stream["stamps"]), size):
                file.write(chunk(3, samples(number, stream, first, first + size)))
            for t, offset in stream.get("offsets", ()):
                file.write(chunk(4, struct.pack("<Idd", number, t, offset)))
        file.write(chunk(5, _BOUNDARY))
        for number in range(1, len(streams) + 1) if footers else ():
            file.write(chunk(6, struct.pack("<I", number) + b"<info></info>"))


def chunk(tag, content):
    length = len(content) + 2
    return struct.pack("<BIH", 4, length, tag) + content


def header(stream):
    is_text = isinstance(stream["values"], list)
    form = "string" if is_text else _FORMATS[stream["values"].dtype.str[1:]]
    labels = stream.get("labels", ["label"])
    channels = "".join(
        f"<channel><label>{label}</label><unit>{stream.get('unit', '')}</unit>"
        f"<type>{stream['type']}</type></channel>"
        for label in labels
    )
    return (
        f"<?xml version='1.0'?><info><name>{stream['name']}</name>"
        f"<type>{stream['type']}</type><channel_count>{len(labels)}</channel_count>"
        f"<nominal_srate>{stream['rate']}</nominal_srate>"
        f"<channel_format>{form}</channel_format><source_id>id</source_id>"
        f"<hostname>h</hostname><uid>u</uid>"
        f"<desc><channels>{channels}</channels>{stream.get('desc', '')}</desc></info>"
    ).encode()


def samples(number, stream, first, end):
    stamps, values = stream["stamps"][first:end], stream["values"][first:end]
    parts = [struct.pack("<IBI", number, 4, len(stamps))]
    for t, row in zip(stamps, values, strict=True):
        parts.append(struct.pack("<Bd", 8, t))
        if isinstance(row, str):
            text = row.encode()
            parts.append(struct.pack("<BI", 4, len(text)) + text)
        else:
            parts.append(np.ascontiguousarray(row).tobytes())
    return b"".join(parts)
