"""Messages between the decoder and its worker: a length, a JSON header, raw bytes.

No pickle: a worker taken over by a hostile file can send nothing but text and bytes, and the
sizes of both are bounded before they are read.
"""

import json
import struct
from typing import IO, Any

LENGTHS = struct.Struct(">II")  # of the header and of the bytes after it
HEADER_LIMIT = 1 << 16
BODY_LIMIT = 1 << 26


class WireError(Exception):
    """The other side is gone, or does not keep to the format."""


def send(to: IO[bytes], header: dict[str, Any], *parts: bytes) -> None:
    """Write one message; the header says how long each part is."""
    text = json.dumps(header | {"parts": [len(part) for part in parts]}).encode()
    to.write(LENGTHS.pack(len(text), sum(map(len, parts))) + text)
    for part in parts:
        to.write(part)
    to.flush()


def receive(source: IO[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """Read one message; raises WireError unless it is whole and well formed."""
    header_length, body_length = LENGTHS.unpack(_exactly(source, LENGTHS.size))
    if header_length > HEADER_LIMIT or body_length > BODY_LIMIT:
        raise WireError(f"a message of {header_length} and {body_length} bytes is too long")
    try:
        header = json.loads(_exactly(source, header_length))
        lengths = [int(length) for length in header["parts"]]
    except (ValueError, KeyError, TypeError) as error:
        raise WireError(f"a header is malformed: {error}") from error
    body = _exactly(source, body_length)
    if min(lengths, default=0) < 0 or sum(lengths) != body_length:
        raise WireError(f"parts of {lengths} bytes do not make up {body_length}")
    ends = [sum(lengths[: i + 1]) for i in range(len(lengths))]
    return header, [body[end - length : end] for end, length in zip(ends, lengths, strict=True)]


def _exactly(source: IO[bytes], count: int) -> bytes:
    data = source.read(count)
    if len(data) != count:
        raise WireError("the other side closed the connection")
    return data
