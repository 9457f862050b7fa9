"""A part of a video as an answer: a file that is cut out for it, and gone afterwards."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from reeltune.errors import MediaError
from reeltune.media.cut import cut
from reeltune.media.limits import Limits
from reeltune.media.names import stem
from reeltune.search.files import Stored
from reeltune.serve.errors import Refusal, log
from reeltune.serve.media import PIECE, unchanged
from reeltune.storage.regular_file import opened

LIMITS = Limits(clip=900.0, cut=2 << 30, wall=300.0)
_cutting = threading.BoundedSemaphore(2)


class ClipFile(Response):
    """A clip that is sent, and whose folder is then removed."""

    def __init__(self, folder: TemporaryDirectory[str], clip: Path, name: str) -> None:
        super().__init__()
        self.folder, self.clip, self.name = folder, clip, name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the clip."""
        try:
            with opened(self.clip) as file:
                headers = {
                    "content-type": "video/mp4",
                    "content-length": str(os.fstat(file.fileno()).st_size),
                    "content-disposition": f"attachment; filename*=UTF-8''{quote(self.name)}",
                }
                raw = [(one.encode(), value.encode()) for one, value in headers.items()]
                await send({"type": "http.response.start", "status": 200, "headers": raw})
                while piece := await run_in_threadpool(file.read, PIECE):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await run_in_threadpool(self.folder.cleanup)


def cut_out(stored: Stored, start: float, end: float, exact: bool) -> ClipFile:
    """A part of a file of the library.

    Raises Refusal where the file is another one by now, cannot be cut so, or others are being cut.
    """
    with unchanged(stored), _in_turn():
        folder = TemporaryDirectory(prefix="reeltune-clip-")
        clip = Path(folder.name) / "clip.mp4"
        try:
            cut(stored.location, start, end, clip, exact=exact, limits=LIMITS)
        except MediaError as error:
            folder.cleanup()
            log.info("no clip of %r: %s", stored.location, error.reason)
            how = "" if exact else " as it is; ask for it with exact=true"
            raise Refusal(400, "NotCut", f"this part cannot be cut out{how}") from error
        except BaseException:
            folder.cleanup()
            raise
    named = stem(os.path.basename(stored.path))
    return ClipFile(folder, clip, f"{named} {start:.1f}-{end:.1f} s.mp4")


@contextmanager
def _in_turn() -> Iterator[None]:
    if not _cutting.acquire(blocking=False):
        raise Refusal(429, "TooMany", "other clips are being cut; ask again in a moment")
    try:
        yield
    finally:
        _cutting.release()
