"""A video of the library as an answer: the whole file, or one range of its bytes.

What is served is what was indexed: a file that is another one by now, or a link, is not opened.
"""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, NamedTuple
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from reeltune.media.names import TYPES
from reeltune.search.files import Stored
from reeltune.search.store.schema import kept_time
from reeltune.serve.errors import Refusal
from reeltune.storage.fetched import is_in_store
from reeltune.storage.regular_file import opened

PIECE = 1 << 18  # bytes that are read at once
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Span(NamedTuple):
    """A part of a file: from which byte on, how many."""

    start: int
    length: int


class Media(Response):
    """The answer; it holds the file open while it is sent, and no longer."""

    def __init__(self, stored: Stored, wanted: Headers, is_head: bool = False) -> None:
        super().__init__()
        self.stored, self.wanted, self.is_head = stored, wanted, is_head

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, or say why it is not sent."""
        with ExitStack() as held:
            try:
                file = await run_in_threadpool(held.enter_context, unchanged(self.stored))
                status, headers, span = answered(self.stored, self.wanted)
            except Refusal as refusal:
                await refusal.response()(scope, receive, send)
                return
            raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
            await send({"type": "http.response.start", "status": status, "headers": raw})
            left = 0 if self.is_head else span.length
            await run_in_threadpool(file.seek, span.start)
            while left > 0 and (piece := await run_in_threadpool(file.read, min(PIECE, left))):
                left -= len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def answered(stored: Stored, wanted: Headers) -> tuple[int, list[tuple[str, str]], Span]:
    """Status, headers and part of the answer to a request with these headers.

    Raises Refusal for a range that is none, lies outside of the file, or is one of several.
    """
    tag = f'"{stored.video}"'
    headers = [("etag", tag), ("accept-ranges", "bytes"), ("cache-control", "private, no-cache")]
    if wanted.get("if-none-match") == tag:
        return 304, headers, Span(0, 0)
    named = quote(os.path.basename(stored.path), safe="")
    headers.append(("content-type", type_of(stored.path)))
    headers.append(("content-disposition", f"inline; filename*=UTF-8''{named}"))
    asked = wanted.get("range")
    if asked is None or wanted.get("if-range", tag) != tag:
        headers.append(("content-length", str(stored.size)))
        return 200, headers, Span(0, stored.size)
    span = span_of(asked, stored.size)
    last = span.start + span.length - 1
    headers.append(("content-range", f"bytes {span.start}-{last}/{stored.size}"))
    headers.append(("content-length", str(span.length)))
    return 206, headers, span


def span_of(asked: str, size: int) -> Span:
    """The part of a file of so many bytes that a range asks for.

    Raises Refusal for a range that is none, lies outside of the file, or is one of several.
    """
    found = RANGE.fullmatch(asked.strip())
    first, last = found.groups() if found else ("", "")
    if first:
        start, end = int(first), min(int(last or size), size - 1)
    else:
        start, end = max(size - int(last or 0), 0), size - 1
    if not (first or last) or start > end:
        raise Refusal(
            416,
            "BadRange",
            f"the range {asked[:40]!r} is no single part of a file of {size} bytes; ask for one "
            "such as bytes=0-1023",
            {"Content-Range": f"bytes */{size}"},
        )
    return Span(start, end - start + 1)


def type_of(path: str) -> str:
    """The kind of media that a file's name tells of."""
    suffix = os.path.splitext(path)[1].lower()
    kind = TYPES.types_map[True].get(suffix, "")
    return kind if kind.startswith("video/") else "application/octet-stream"


@contextmanager
def unchanged(stored: Stored) -> Iterator[BinaryIO]:
    """The file of a library, open for reading; raises Refusal where it is another one by now."""
    with ExitStack() as held:
        if is_in_store(stored.location):
            raise Refusal(
                410,
                "FileInStore",
                f"the file is in an object store, at {stored.location}; it is not sent from here",
            )
        try:
            if os.path.realpath(stored.location) != stored.location:
                raise FileNotFoundError
            file = held.enter_context(opened(stored.location))
            status = os.fstat(file.fileno())
        except OSError as error:
            raise Refusal(
                410,
                "FileGone",
                "the file is not where it was when it was indexed; bring it back, or index the "
                "folder again",
            ) from error
        if (status.st_size, kept_time(status.st_mtime_ns)) != (stored.size, stored.modified_ns):
            raise Refusal(
                409, "FileChanged", "the file has changed since it was indexed; index it again"
            )
        yield file
