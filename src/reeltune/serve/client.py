"""A library that a server has, for programs on any machine: the methods of `Library` over HTTP."""

import json
import re
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

import httpx
from pydantic import TypeAdapter

from reeltune import errors
from reeltune.errors import ConfigError, DataError, LibraryError, MediaError
from reeltune.media.paths import Paths, each_of
from reeltune.media.progress import Progress, Silent
from reeltune.media.words import each_text
from reeltune.records import Hit, Moment
from reeltune.search.channels.channel import Words
from reeltune.search.choice import Options
from reeltune.search.files import File
from reeltune.search.marks import Mark, Verdict
from reeltune.search.query import Ask, Wishes, in_order
from reeltune.search.report import Report
from reeltune.search.texts import KeptPhrase
from reeltune.serve._client_errors import Changed, error_as, error_of, no_address, no_answer
from reeltune.serve.jobs import ENDED
from reeltune.storage.atomic_file import replacing
from reeltune.storage.home import from_home
from reeltune.storage.regular_file import read_bytes

if TYPE_CHECKING:
    from reeltune.search.clip_archive import SavedClips

PAGE = 200  # hits, and other items, that are asked for at once
PAUSE = 0.3  # s between two questions about a job
TRIES = 5  # at a list that changes
WAIT = httpx.Timeout(120.0, connect=10.0)
MAKING = httpx.Timeout(3600.0, connect=10.0)  # of clips, which come when the last one is cut
LARGEST = 32 << 20  # bytes of a picture
ID = re.compile("[0-9a-f]{24}")
TAKEN = {"prune", "hear", "read"}  # choices of an index run that a server leaves to clients
Item = TypeVar("Item")


class Client:
    """The library of a server, to be searched, listed and filled as a `Library` is.

    Any number of threads may use one object at once. Paths are those of the server's machine, but
    for pictures to search by, which are read here. Every method raises the error that a `Library`
    would, and LibraryError where the server does not answer.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        """`url` is what `reeltune serve` prints, and `token` one of those it prints off loopback;
        nothing is asked of the server yet. Raises ConfigError for what is no such address."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        try:
            address = httpx.URL(url)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise no_address(url) from error
        if address.scheme not in ("http", "https") or "%" in (address.host or "%"):
            raise no_address(url)
        self.url = url
        try:
            self._http = httpx.Client(base_url=address, headers=headers, timeout=WAIT)
        except UnicodeEncodeError as error:
            raise ConfigError("the token is not ASCII; give the one that was printed") from error
        self._close = weakref.finalize(self, self._http.close)  # also where nobody asks for it

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._close()

    def search(
        self,
        text: str | None = None,
        *,
        image: str | Path | None = None,
        video: str | Path | None = None,
        like: str | None = None,
        without: str | Sequence[str] = (),
        **wishes: Unpack[Wishes],
    ) -> list[Hit]:
        """Moments that best match a query, as `Library.search`; a video cannot be sent, which
        raises ConfigError."""
        if video is not None:
            raise ConfigError("a server searches by no video; send a picture of it as image")
        ask = Ask(**wishes)
        asked: dict[str, Any] = {"words": text, "like": like, "not": each_text(without)}
        asked |= _asked(ask)
        picture = None if image is None else _picture(image)
        found: list[Any] = []
        for page in range(1, 2 + (ask.k - 1) // PAGE):
            _require_page(page, ask)
            wanted = asked | {"top": min(ask.k, PAGE), "page": page}
            answer = self._answer(wanted, picture)
            found += answer["hits"]
            if not answer["more"]:
                break
        hits = _all(Hit, found[: ask.k])
        return in_order(hits, ask.sort)

    def index(
        self, paths: Paths, *, progress: Progress | None = None, **options: Unpack[Options]
    ) -> Report:
        """Bring videos on the server's machine, below its roots, up to date, as `Library.index`;
        of its options there are `prune` (as "gone"), `hear` and `read`.

        Ctrl-C stops the job on the server, and the report then says `interrupted`.
        """
        if other := sorted(options.keys() - TAKEN):
            raise ConfigError(f"a server leaves {other[0]} to those who start it; leave it out")
        if options.get("prune") == "all":
            raise ConfigError("a server does not take out all files; give prune='gone'")
        wanted = {"kind": "index", "paths": each_of(paths), "prune": bool(options.get("prune"))}
        wanted |= {name: options.get(name) for name in ("hear", "read")}
        job = self._json("POST", "/api/jobs", json=wanted)
        place = f"/api/jobs/{job['id']}"
        try:
            job = self._followed(job, progress or Silent(), place)
        except KeyboardInterrupt:
            self._json("DELETE", place)
            job = self._followed(job, Silent(), place)
        if job["result"] is None:
            raise LibraryError(job["error"] or f"the job was stopped before {self.url} began it")
        plain = {name: job["result"][name] for name in Report.__dataclass_fields__}
        return TypeAdapter(Report).validate_python(plain)

    def add(self, paths: Paths, *, progress: Progress | None = None) -> Report:
        """Bring in one video or several on the server's machine, as `Library.add`, but a folder
        stands for the videos below it."""
        report = self.index(paths, progress=progress)
        if report.interrupted:
            raise KeyboardInterrupt
        for failed in report.failed:
            raise MediaError(failed.path, failed.reason)
        for path in report.waiting:
            raise MediaError(path, "is still being written; add it when it is complete")
        return report

    def remove(self, paths: Paths) -> list[str]:
        """Take out files, or all below folders, and leave them on disk; returns their paths."""
        return list(
            self._json("POST", "/api/files/remove", json={"files": each_of(paths)})["removed"]
        )

    def files(self) -> list[File]:
        """The videos of the library, in the order of their paths."""
        return self._whole(File, "/api/files")

    def moments(self, where: str | None = None, *, vectors: bool = False) -> Iterator[Moment]:
        """Every moment, or those that pass a filter, as `Library.moments`, but raises LibraryError
        where they have changed before the last one; a server gives no vectors, which raises
        ConfigError."""
        if vectors:
            raise ConfigError("a server gives no vectors; open the library itself for them")
        return self._pages(Moment, "/api/moments", {"where": where})

    def texts(self, channel: Words | None = None) -> Iterator[KeptPhrase]:
        """What is said and shown in the videos, or one of these, each with its time; raises
        LibraryError where that has changed before the last one."""
        return self._pages(KeptPhrase, "/api/texts", {"channel": channel})

    def thumbnails(self, ids: str | Sequence[str]) -> dict[str, bytes]:
        """Small pictures of moments, by their ids; those that are not there are left out."""
        found = {}
        for id in each_text(ids):
            with suppress(errors.NotInLibraryError):
                found[id] = self._ask("GET", f"/api/moments/{_id(id)}/thumbnail").content
        return found

    def save_clips(
        self,
        moments: Moment | str | Sequence[Moment | str],
        out: str | Path,
        *,
        exact: bool = False,
        force: bool = False,
    ) -> "SavedClips":
        """Cut moments out of their videos, into a zip on this machine, as `Library.save_clips`.

        Exact clips are a job of the server, which Ctrl-C stops.
        """
        from reeltune.search.saved_clips import ids_of, read_list, require_zip  # late: rarely used

        wanted = {"moments": ids_of(moments), "exact": exact}
        place = from_home(*each_of(out))
        require_zip(place, force)
        with replacing(place) as half:
            if exact:
                self._fetch("GET", f"/api/clips/{self._clips_made(wanted)}/zip", half)
            else:
                self._fetch("POST", "/api/export/clips", half, wanted)
            return read_list(half, place)

    def _clips_made(self, wanted: Mapping[str, Any]) -> str:
        """The job that has made a zip, by its id."""
        job = self._json("POST", "/api/clips", json=wanted)
        place = f"/api/clips/{job['id']}"
        try:
            job = self._followed(job, Silent(), place)
        except KeyboardInterrupt:
            self._json("DELETE", place)
            raise
        if job["state"] == "failed":
            raise error_as(job["error"], job["error_kind"] or "LibraryError")
        if job["state"] == "stopped":
            raise LibraryError(f"{self.url} was told to stop cutting these clips")
        return str(job["id"])

    def mark(self, moment: str, text: str, verdict: Verdict = "right") -> Mark:
        """Keep what is said of a moment, as `Library.mark`."""
        wanted = {"moment": moment, "text": text, "verdict": verdict}
        return _all(Mark, [self._json("POST", "/api/marks", json=wanted)])[0]

    def marks(self) -> list[Mark]:
        """Every mark, in the order in which they were made."""
        return self._whole(Mark, "/api/marks")

    def unmark(self, mark: str) -> Mark:
        """Take a mark back, and return it."""
        return _all(Mark, [self._json("DELETE", f"/api/marks/{_id(mark)}")])[0]

    def _answer(self, asked: Mapping[str, Any], picture: bytes | None) -> Any:
        """A page of hits."""
        if picture is None:
            return self._json("POST", "/api/search", json=asked)
        sent = {"files": {"picture": picture}, "data": {"query": json.dumps(asked)}}
        return self._json("POST", "/api/search/picture", **sent)

    def _fetch(
        self, method: str, path: str, out: Path, wanted: Mapping[str, Any] | None = None
    ) -> None:
        """Write the file that is answered, which may take long to make."""
        try:
            sent = self._http.stream(method, path, json=wanted, timeout=MAKING)
            with sent as answer, out.open("wb") as file:
                if not answer.is_success:
                    answer.read()
                    raise error_of(answer, self.url)
                for piece in answer.iter_bytes():
                    file.write(piece)
        except httpx.HTTPError as error:
            raise no_answer(error, self.url) from error
        except OSError as error:
            raise DataError(f"{out.parent} takes no zip ({errors.in_short(error)})") from error

    def _followed(self, job: Any, progress: Progress, place: str) -> Any:
        """A job when it has ended, asked for at its place; its progress is told on."""
        work, done = None, 0
        while job["state"] not in ENDED:
            time.sleep(PAUSE)
            job = self._json("GET", place)
            now = job["progress"]
            if (now["work"], now["files"], now["size"]) != work:
                work, done = (now["work"], now["files"], now["size"]), 0
                progress.begin(now["files"], now["size"], now["work"])
            progress.advance(now["path"], now["done"] - done)
            done = now["done"]
        return job

    def _pages(self, kind: type[Item], path: str, given: Mapping[str, Any]) -> Iterator[Item]:
        """Every item of a list; the first page is asked for at once.

        Raises Changed where the list is another one when a later page is asked for, from which
        items would be left out or come twice.
        """
        asked = {name: value for name, value in given.items() if value is not None}
        page = self._json("GET", path, params=asked | {"count": PAGE})

        def rest(page: Any) -> Iterator[Item]:
            version = page.get("version")
            yield from _all(kind, page["items"])
            while page["next"] is not None:
                place = {"start": page["next"], "count": PAGE}
                page = self._json("GET", path, params=asked | place)
                if page.get("version") != version:
                    raise Changed(f"{self.url} has a list of other items by now; list them again")
                yield from _all(kind, page["items"])

        return rest(page)

    def _whole(self, kind: type[Item], path: str) -> list[Item]:
        """Every item of a list as it was at one time; one that changes meanwhile is listed anew."""
        for _ in range(TRIES):
            with suppress(Changed):
                return [*self._pages(kind, path, {})]
        return [*self._pages(kind, path, {})]

    def _json(self, method: str, path: str, **sent: Any) -> Any:
        answer = self._ask(method, path, **sent)
        try:
            return answer.json()
        except ValueError as error:
            raise LibraryError(f"{self.url} is no server of Reeltune; see its address") from error

    def _ask(self, method: str, path: str, **sent: Any) -> httpx.Response:
        """An answer; raises what the server says is wrong."""
        try:
            answer = self._http.request(method, path, **sent)
        except httpx.HTTPError as error:
            raise no_answer(error, self.url) from error
        except UnicodeEncodeError as error:
            raise ConfigError(
                f"{error.object!r} is not UTF-8, and a server takes nothing else; give other "
                "words, or rename the file"
            ) from error
        if not answer.is_success:
            raise error_of(answer, self.url)
        return answer


def _require_page(page: int, ask: Ask) -> None:
    """Raise ConfigError for a page of hits that no server gives."""
    from reeltune.serve.schemas import PAGES  # late: few ask for so many

    if page > PAGES:
        raise ConfigError(
            f"k is {ask.k:,}, and a server finds at most {PAGES * PAGE:,} moments at once; ask for "
            "fewer, or for a part of them by where or inside"
        )


def _id(id: str) -> str:
    """The id of a moment or a mark as a part of an address; raises NotInLibraryError for one that
    nothing can have, which would lead to another address."""
    if not ID.fullmatch(id):
        raise errors.NotInLibraryError(
            f"{id!r} is no id of a moment or a mark; list them for theirs"
        )
    return id


def _asked(ask: Ask) -> dict[str, Any]:
    """Wishes as the API names them."""
    return {
        "where": ask.where,
        "in": ask.channels,
        "inside": None if ask.inside is None else str(ask.inside),
        "from": ask.between[0],
        "to": ask.between[1],
        "fold": ask.fold,
        "min_confidence": ask.min_confidence,
        "sort": ask.sort,
    }


def _picture(path: str | Path) -> bytes:
    try:
        return read_bytes(from_home(*each_of(path)), LARGEST)
    except (OSError, ValueError) as error:
        raise MediaError(str(path), f"cannot be sent: {errors.in_short(error)}") from error


def _all(kind: type[Item], items: Sequence[Any]) -> list[Item]:
    return TypeAdapter(list[kind]).validate_python(items)  # type: ignore[valid-type]
