"""Parts of videos as an answer: files that are cut out for it, and gone afterwards."""

import os
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
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
from reeltune.records import Moment
from reeltune.search.clip_archive import ClipArchive, SavedClips
from reeltune.search.files import Stored, stored_file
from reeltune.search.moments import moments_by_id
from reeltune.search.saved_clips import missing
from reeltune.search.store.table import open_table
from reeltune.serve.errors import Refusal, log
from reeltune.serve.media import PIECE, unchanged
from reeltune.storage.place import Place
from reeltune.storage.regular_file import opened

LIMITS = Limits(clip=900.0, cut=2 << 30, wall=300.0)
NAME = "clips.zip"
_cutting = threading.BoundedSemaphore(2)
_packing = threading.BoundedSemaphore(1)  # a zip may hold a processor for minutes


class MadeFile(Response):
    """A file that is sent, and whose folder, if it has one, is then removed."""

    def __init__(
        self, folder: TemporaryDirectory[str] | None, made: Path, name: str, headers: dict[str, str]
    ) -> None:
        """`headers` also say what kind of file it is; without a folder it stays."""
        super().__init__()
        self.folder, self.made = folder, made
        self.named = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
        self.named |= headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file."""
        try:
            with opened(self.made) as file:
                size = os.fstat(file.fileno()).st_size
                headers = self.named | {"content-length": str(size)}
                raw = [(one.encode(), value.encode()) for one, value in headers.items()]
                await send({"type": "http.response.start", "status": 200, "headers": raw})
                while piece := await run_in_threadpool(file.read, PIECE):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if self.folder is not None:
                await run_in_threadpool(self.folder.cleanup)


def cut_out(stored: Stored, start: float, end: float, exact: bool) -> MadeFile:
    """A part of a file of the library.

    Raises Refusal where the file is another one by now, cannot be cut so, or others are being cut.
    """
    with unchanged(stored), _in_turn(_cutting, "other clips are being cut; ask again in a moment"):
        folder = TemporaryDirectory(prefix="reeltune-clip-")
        clip = Path(folder.name) / "clip.mp4"
        try:
            cut(stored.location, start, end, clip, exact=exact, limits=LIMITS)
        except MediaError as error:
            folder.cleanup()
            raise Refusal(400, "NotCut", _why_not(error, exact)) from error
        except BaseException:
            folder.cleanup()
            raise
    named = stem(os.path.basename(stored.path))
    name = f"{named} {start:.1f}-{end:.1f} s.mp4"
    return MadeFile(folder, clip, name, {"content-type": "video/mp4"})


async def pack(
    library: Place, ids: Sequence[str], exact: bool, is_gone: Callable[[], Awaitable[bool]]
) -> MadeFile:
    """Moments as a zip of clips; who asked and `is_gone` by now is not worked for.

    Raises Refusal where other clips are being packed, and what `ClipArchive` raises.
    """
    with _in_turn(_packing, "other clips are being packed; ask again when they are saved"):
        found = await run_in_threadpool(lambda: moments_by_id(open_table(library), ids))
        folder = TemporaryDirectory(prefix="reeltune-clips-")
        try:
            out = Path(folder.name) / NAME
            with _archive(out, exact) as archive:
                for number, id in enumerate(dict.fromkeys(ids), 1):
                    if await is_gone():
                        raise Refusal(400, "Gone", "nobody waits for these clips any more")
                    await run_in_threadpool(_add, archive, library, number, id, found.get(id))
                done = await run_in_threadpool(archive.finish)
        except BaseException:
            folder.cleanup()
            raise
    return MadeFile(folder, out, NAME, counted(len(done.clips), len(done.left_out)))


def packed(
    library: Place, ids: Sequence[str], exact: bool, out: Path, before: Callable[[int, str], None]
) -> SavedClips:
    """Moments as a zip of clips at `out`, in a process that does nothing else meanwhile.

    `before` is told the number and the path of each in turn.
    """
    found = moments_by_id(open_table(library), ids)
    with _archive(out, exact) as archive:
        for number, id in enumerate(dict.fromkeys(ids), 1):
            moment = found.get(id)
            before(number, "" if moment is None else moment.path)
            _add(archive, library, number, id, moment)
        return archive.finish()


def _archive(out: Path, exact: bool) -> ClipArchive:
    return ClipArchive(out, exact, LIMITS, lambda error: _why_not(error, exact))


def counted(clips: int, left_out: int) -> dict[str, str]:
    """Headers for who does not look into a zip: how much of what was asked for is in it."""
    counts = {"clips": str(clips), "left-out": str(left_out)}
    return {"content-type": "application/zip", **counts}


def _add(archive: ClipArchive, library: Place, number: int, id: str, moment: Moment | None) -> None:
    if moment is None:
        archive.leave_out(number, id, missing(id))
        return
    try:
        stored = stored_file(library, moment.file)
        with unchanged(stored):
            archive.add(number, moment, Path(stored.location))
    except Refusal as refusal:
        archive.leave_out(number, id, refusal.detail, moment)


def _why_not(error: MediaError, exact: bool) -> str:
    """Why a part of a video is not cut out; what the decoder says is for the log alone."""
    log.info("no clip of %r: %s", error.path, error.reason)
    how = "" if exact else " as it is; ask for it with exact=true"
    return f"this part cannot be cut out{how}"


@contextmanager
def _in_turn(places: threading.BoundedSemaphore, busy: str) -> Iterator[None]:
    if not places.acquire(blocking=False):
        raise Refusal(429, "TooMany", busy)
    try:
        yield
    finally:
        places.release()
