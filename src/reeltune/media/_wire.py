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
    """The other side is gone or does not follow the format."""


class ClosedError(WireError):
    """The other side is gone."""


def send(to: IO[bytes], header: dict[str, Any], *parts: bytes) -> None:
    """Write one message; the header says how long each part is."""
    text = json.dumps(header | {"parts": [len(part) for part in parts]}).encode()
    to.write(LENGTHS.pack(len(text), sum(map(len, parts))) + text)
    for part in parts:
        to.write(part)
    to.flush()


def receive_raw(source: IO[bytes]) -> tuple[bytes, bytes]:
    """Read the header, as unchecked JSON, and the bytes of one message."""
    header_length, body_length = LENGTHS.unpack(_exactly(source, LENGTHS.size))
    if header_length > HEADER_LIMIT or body_length > BODY_LIMIT:
        raise WireError(f"a message of {header_length} and {body_length} bytes is too long")
    return _exactly(source, header_length), _exactly(source, body_length)


def receive(source: IO[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """Read one message from a side that is trusted."""
    header_bytes, body = receive_raw(source)
    header = json.loads(header_bytes)
    return header, cut(body, header["parts"])


def cut(body: bytes, lengths: list[int]) -> list[bytes]:
    """The parts of a body; raises WireError unless they make it up."""
    if min(lengths, default=0) < 0 or sum(lengths) != len(body):
        raise WireError(f"parts of {lengths} bytes do not make up {len(body)}")
    ends = [sum(lengths[: i + 1]) for i in range(len(lengths))]
    return [body[end - length : end] for end, length in zip(ends, lengths, strict=True)]


def _exactly(source: IO[bytes], count: int) -> bytes:
    data = source.read(count)
    if len(data) != count:
        raise ClosedError("the other side closed the connection")
    return data
