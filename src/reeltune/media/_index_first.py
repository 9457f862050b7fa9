"""Puts the index of an mp4 before its pictures, so that a player begins before it has all of it.

FFmpeg learns the index last and can only move it by reading the file again, which the worker that
writes a clip cannot. Boxes are those of ISO/IEC 14496-12, section 4.2.
"""

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

HEAD = 8  # bytes: size and kind
AROUND = (b"trak", b"mdia", b"minf", b"stbl")  # boxes around the tables of places
TABLES = {b"stco": ">I", b"co64": ">Q"}  # places of pieces in the file
MOST = 64 << 20  # bytes of an index that is moved
PIECE = 8 << 20  # bytes that are moved at once


class Box(NamedTuple):
    """A box of a file, or of another box: where it begins, its size, and that of its head."""

    kind: bytes
    start: int
    size: int
    head: int


def put_index_first(file: BinaryIO) -> bool:
    """Move the index of an mp4 or mov, in place, before its data; returns whether it was moved.

    A file without an index, with one that is first already, or that is not understood is left as it
    is.
    """
    try:
        boxes = [*_boxes(file, file.seek(0, os.SEEK_END))]
    except ValueError:
        return False
    data = next((box for box in boxes if box.kind == b"mdat"), None)
    if not (data and boxes[-1].kind == b"moov" and boxes[-1].size <= MOST):
        return False
    index = boxes[-1]
    file.seek(index.start)
    moved = bytearray(file.read(index.size))
    try:
        _shift(moved, index.head, len(moved), index.size)
    except (ValueError, struct.error):  # a place beyond 4 GB would not fit
        return False
    _make_room(file, data.start, index.start, index.size)
    file.seek(data.start)
    file.write(moved)
    return True


def _boxes(file: BinaryIO, end: int) -> Iterator[Box]:
    """The outermost boxes of a file; raises ValueError where they do not fill it."""
    at = 0
    while at < end:
        file.seek(at)
        box = _box(file.read(2 * HEAD), at, end)
        yield box
        at += box.size


def _box(head: bytes, at: int, end: int) -> Box:
    """The box that begins with these bytes, of what ends at `end`; raises ValueError for none."""
    if len(head) < HEAD:
        raise ValueError("a box is cut off")
    size, length = int.from_bytes(head[:4], "big"), HEAD
    if size == 1:
        size, length = int.from_bytes(head[HEAD : 2 * HEAD], "big"), 2 * HEAD
    if not length <= size <= end - at:
        raise ValueError("a box is larger than what it is in")
    return Box(head[4:HEAD], at, size, length)


def _shift(index: bytearray, at: int, end: int, by: int) -> None:
    """Add to all places that an index tells of, from one byte of it to another."""
    while at < end:
        box = _box(bytes(index[at : at + 2 * HEAD]), at, end)
        if box.kind in AROUND:
            _shift(index, at + box.head, at + box.size, by)
        elif box.kind in TABLES:
            form, first = TABLES[box.kind], at + box.head + 8  # after version, flags and count
            count = int.from_bytes(index[first - 4 : first], "big")
            if first + count * struct.calcsize(form) > at + box.size:
                raise ValueError("a table is cut off")
            for place in range(first, first + count * struct.calcsize(form), struct.calcsize(form)):
                (known,) = struct.unpack_from(form, index, place)
                struct.pack_into(form, index, place, known + by)
        at += box.size


def _make_room(file: BinaryIO, start: int, end: int, by: int) -> None:
    """Move the bytes from `start` to `end` on by so many, the last ones first."""
    while end > start:
        begin = max(end - PIECE, start)
        file.seek(begin)
        piece = file.read(end - begin)
        file.seek(begin + by)
        file.write(piece)
        end = begin
