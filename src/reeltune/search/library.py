"""A library of moments for programs: made, filled, searched, looked through and checked.

It is a folder with a Lance table of moments and a small manifest (see docs/library.md).
"""

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack, overload

import numpy as np
from jaxtyping import Float, Shaped

from reeltune.errors import DataError, LibraryError, MediaError
from reeltune.media.paths import Paths, each_of
from reeltune.media.progress import Progress
from reeltune.media.squares import squares
from reeltune.media.words import each_text
from reeltune.models.opening.sentences import Sentences
from reeltune.records import Hit, Moment
from reeltune.registry import given
from reeltune.search._find import Finder
from reeltune.search.channels.channel import Words
from reeltune.search.choice import Choice, Options
from reeltune.search.encoder import Encoder
from reeltune.search.files import File, list_files, remove
from reeltune.search.maintain import Health, verify
from reeltune.search.marks import Mark, Verdict, list_marks, remove_mark, write_mark
from reeltune.search.moments import Embedded, embedded_moments, list_moments
from reeltune.search.pending import Pending
from reeltune.search.query import Ask, Wishes
from reeltune.search.report import Report
from reeltune.search.script import Script
from reeltune.search.store.dataset import Table
from reeltune.search.store.gallery import Gallery
from reeltune.search.store.manifest import Manifest
from reeltune.search.store.newest import Newest, Version
from reeltune.search.store.texts import missing as missing_texts
from reeltune.search.terms import Term, terms
from reeltune.search.texts import KeptPhrase, list_texts
from reeltune.storage.home import from_home
from reeltune.storage.place import Place, place

if TYPE_CHECKING:
    from reeltune.search.clip_archive import SavedClips
    from reeltune.search.reindex import Reindexed
    from reeltune.types import DualEncoder


class Library:
    """Moments of videos, to be searched with words, pictures or videos.

    Any number of threads may use one object at once. Whatever another process, thread or object
    writes is seen by the next call; a call that is going on, and an iteration over `moments`, stays
    with the version that it began with. One writes at a time: a method that writes raises
    LibraryError at once while another does. An object does not outlive `os.fork`: open one in each
    process.
    """

    def __init__(self, folder: str | Place, device: str | None = None) -> None:
        """Open a library; raises LibraryError if there is none or it cannot be read.

        The model is opened when it is first needed, on `device` (such as `cuda`) if one is named.
        """
        self.folder = place(folder)
        self._device = device
        self.manifest = Manifest.read(self.folder)
        self._encoder = Encoder.of_library(self.folder, self.manifest, device)
        self._lock = threading.RLock()  # over what follows
        self._newest = Newest(self.folder)
        self._gallery: Gallery | None = None
        self._held: Table | None = None  # from which the gallery was read
        self._sentences = Sentences()
        self._script: Script | None = None  # words beside the moments of the gallery
        self._heard: tuple[Table | None, Table] | None = None  # from which the script was read

    @classmethod
    def create(
        cls,
        folder: str | Place,
        model: str | None = None,
        *,
        sampling: str | None = None,
        device: str | None = None,
        width: int | None = None,
    ) -> "Library":
        """Make an empty library in a folder, which need not be there, and open it.

        `model` is the name of a packaged model (`lite` if none is named), the folder of one, or a
        hub id; `sampling` says which frames of a video it sees, as in `fps 1`; `width` to how many
        numbers vectors are cut, of a model that was trained for it. All stay as they are. Raises
        LibraryError if the folder has a library already, ConfigError if nothing can be written
        there or there is no such width, and CheckpointError if the model cannot be opened.
        """
        from reeltune.search.creation import create  # late, as torch comes with it

        encoder = create(folder, model, sampling, device, width)
        library = cls(folder, device)
        library._encoder = encoder  # which is open
        return library

    def index(
        self, paths: Paths, *, progress: Progress | None = None, **options: Unpack[Options]
    ) -> Report:
        """Bring videos, and those below folders, up to date, as the command `index` does.

        The report says what became of each file: one that cannot be used is named there and stops
        nothing, and Ctrl-C ends the run with `interrupted`. The options are `prune`, `exclude`,
        `everything`, `follow`, `caption`, `hear`, `read`, `speech` and `settled` (see `Choice`).
        `progress` is told how far the run is. Raises as `reeltune.index`.
        """
        from reeltune.search.ingest import index  # late, as torch comes with it

        return index(paths, self.folder, Choice(**options), progress, self._encoder)

    def add(self, paths: Paths, *, progress: Progress | None = None) -> Report:
        """Bring in one video or several, each of which must be there and can be read.

        Raises DataError for a folder, before anything is done, and MediaError for the first file
        that could not be used; those beside it are in the library then. Ctrl-C raises
        KeyboardInterrupt.
        """
        paths = each_of(paths)
        for path in paths:
            if os.path.isdir(from_home(path)):
                raise DataError(f"{path} is a folder; bring in the videos below it by `index`")
        report = self.index(paths, progress=progress)
        if report.interrupted:
            raise KeyboardInterrupt
        for failed in report.failed:
            raise MediaError(failed.path, failed.reason)
        for path in report.waiting:
            raise MediaError(path, "is still being written; add it when it is complete")
        return report

    def remove(self, paths: Paths) -> list[str]:
        """Take out files, or all below folders, and leave them on disk; returns their paths.

        They need not be on disk. Raises LibraryError for a path that names none, and then takes out
        none.
        """
        return remove(self.folder, paths)

    def reindex(
        self,
        model: str,
        *,
        width: int | None = None,
        drop_missing: bool = False,
        progress: Progress | None = None,
    ) -> "Reindexed":
        """Read all videos again with another model, or for vectors of another `width`, as the
        command `library reindex` does.

        Until they are read, searches see the old vectors, and where the result is not `in_use` they
        still do: `missing` names files that cannot be read now, without which the new ones are
        taken only if `drop_missing` says so. Ctrl-C ends the run with `interrupted`; the next call
        goes on. Raises LibraryError where the library has this model already, where none of its
        files is there, or where another process writes, and CheckpointError for a model that cannot
        be opened.
        """
        from reeltune.search.reindex import reindex  # late, as torch comes with it

        done = reindex(self.folder, given(model), self._device, drop_missing, progress, width)
        if done.in_use:
            with self._lock:
                self.manifest = Manifest.read(self.folder)
                self._encoder = Encoder.of_library(self.folder, self.manifest, self._device)
        return done

    def files(self) -> list[File]:
        """The videos of the library, in the order of their paths."""
        return list_files(self.folder)

    @overload
    def moments(self, where: str | None = None) -> Iterator[Moment]: ...

    @overload
    def moments(
        self, where: str | None = None, *, vectors: Literal[True]
    ) -> Iterator[Embedded]: ...

    @overload
    def moments(self, where: str | None = None, *, vectors: bool) -> Iterator[Moment]: ...

    def moments(self, where: str | None = None, *, vectors: bool = False) -> Iterator[Moment]:
        """Every moment, or those that pass a filter, in the order of paths and then of time.

        With `vectors` each has its `vector` (E,), float32 of length 1, as `embed_text` makes them;
        only some are in memory at a time. Raises ConfigError for a filter that is wrong.
        """
        return (embedded_moments if vectors else list_moments)(self._version().moments, where)

    def texts(self, channel: Words | None = None) -> Iterator[KeptPhrase]:
        """What is said and shown in the videos, or one of these, each with its time.

        Phrases come in the order of paths, channels and time; there are none before `index` was
        told to hear or read. Raises ConfigError for another channel.
        """
        self._version()
        return list_texts(self.folder, channel)

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
        """Moments that best match a query, best first, or of these the newest first.

        A query is a text, an image, a video, a moment that others should be `like` (its id), or
        several of these, which then count together; what `without` names counts against a moment.
        A text may do all that by itself: `a dog + @beach.jpg - people` (see `reeltune.search.terms`
        ). What the library's videos say and show counts as well as what is seen, and a phrase in
        quotes must be there word by word; `channels` says which of `seen`, `said` and `shown` do.

        The best moment of each video is taken before second ones, `where` filters as in
        `duration > 60 and path like '%beach%'`, and `fold` shows near-duplicates once. Moments
        that are less sure than `min_confidence` (0 to 1) are left out. `sort="date"` shows the
        same `k` moments by the date on which they were taken, or else their files last changed.
        `inside` is a file or folder that alone is searched, `between` the seconds from and to which
        (see `Wishes`). A model with a score of its own puts what a single text finds in order by
        that; everything else is compared by the cosine.

        Raises ConfigError where nothing counts for a moment or a wish makes no sense, LibraryError
        for a file or moment that the library has not, and DataError if a picture or video cannot be
        read.
        """
        begun = self.begin(text, image=image, video=video, like=like, without=without, **wishes)
        return begun.hits()

    def begin(
        self,
        text: str | None = None,
        *,
        image: str | Path | None = None,
        video: str | Path | None = None,
        like: str | None = None,
        without: str | Sequence[str] = (),
        **wishes: Unpack[Wishes],
    ) -> Pending:
        """A search as `search` makes it, with `hits` yet to be asked for: whoever has many at once
        can have their words read together, see `reeltune.search.pending`."""
        wanted = [] if text is None else terms(text)
        wanted += [Term("picture", _path(image))] if image is not None else []
        wanted += [Term("video", _path(video))] if video is not None else []
        wanted += [Term("moment", like.removeprefix("#"))] if like is not None else []
        for one in each_text(without):
            wanted += [replace(term, counts=-term.counts) for term in terms(one)]
        if any(term.kind in ("picture", "video") for term in wanted):
            _ = self._encoder.arrays  # which is said first where it cannot be opened
        elif any(term.kind == "words" for term in wanted):
            self._encoder.prepare()
        return Pending(self._finder(), wanted, Ask(**wishes))

    def _finder(self) -> Finder:
        with self._lock:
            found = self._version()
            gallery, now = self._gallery_of(found), (found.texts, found.moments)
            if self._heard != now:
                self._script = None if found.texts is None else Script.read(found.texts, gallery)
                self._heard = now
            return Finder(
                self.folder, self.manifest, self._encoder, self._sentences, gallery, self._script
            )

    def thumbnails(self, ids: str | Sequence[str]) -> dict[str, bytes]:
        """Small pictures of moments, by the ids of these or of hits: bytes of a JPEG, whose longer
        side has at most 320 pixels. Ids that the library does not have are left out."""
        return self.gallery.thumbnails(each_text(ids))

    def save_clips(
        self,
        moments: Moment | str | Sequence[Moment | str],
        out: str | Path,
        *,
        exact: bool = False,
        force: bool = False,
    ) -> "SavedClips":
        """Cut up to 200 moments (hits, or ids) out of their videos, into the zip `out`.

        Clips are copied from the last keyframe on, or `exact` encoded anew; without that a GIF is
        put in whole, as it is. `clips.json` in the zip, and the result, say what each clip is, and
        why a moment is `left_out`. Raises ConfigError for a place that is taken (unless `force`)
        and for clips of more than 2 GiB, and DataError where no moment can be cut out.
        """
        from reeltune.search.saved_clips import ids_of, require_zip, save_clips  # late: rarely used

        ids, place = ids_of(moments), from_home(_path(out))
        require_zip(place, force)
        return save_clips(self.folder, self._version().moments, ids, place, exact)

    def mark(self, moment: str, text: str, verdict: Verdict = "right") -> Mark:
        """Keep that words are right or wrong for a moment (its id), or that they are a caption
        that a person wrote for it; `reeltune library marks` makes captions of marks to tune by.

        A later verdict on the same words and moment takes its place. Raises LibraryError for a
        moment that the library has not, and ConfigError for words that cannot be kept.
        """
        found = self.gallery.moment(moment.removeprefix("#"))
        return write_mark(self.folder, (found.video, found.start, found.end), text, verdict)

    def marks(self) -> list[Mark]:
        """Every mark, in the order in which they were made.

        Those of a file that the library has no more are kept, and come without its `path`.
        """
        return list_marks(self.folder)

    def unmark(self, mark: str) -> Mark:
        """Take a mark back (its id), and return it; raises LibraryError for one that is not
        there."""
        return remove_mark(self.folder, mark)

    def embed_text(self, texts: str | Sequence[str]) -> Float[np.ndarray, "N E"]:
        """Vectors of N texts: float32 (N, E), each of length 1.

        E is the width of the model's vectors, or of the part that is indexed where the model has a
        score of its own. The inner product with the vector of a moment is their cosine. Raises
        ConfigError for an empty text, and for one that is not UTF-8.
        """
        return self._encoder.texts(each_text(texts))[:, : self.manifest.width]

    def embed_frames(self, frames: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, " E"]:
        """The vector of a picture or a clip: float32 (E,), of length 1, as in `embed_text`.

        `frames` are uint8 (T, H, W, 3), red, green and blue: T frames of one clip in the order of
        time, or one of a picture, of any size. Raises DataError for other arrays.
        """
        return self._encoder.clip(squares(frames, self._encoder.arrays.pixels))[
            : self.manifest.width
        ]

    def verify(self) -> Health:
        """Check that every file is there whole and once, and that every vector can be searched;
        `faults` of the result must be mended, and `remarks` need not."""
        return verify(self.folder)

    @property
    def model(self) -> "DualEncoder":
        """The model that made the vectors; raises LibraryError if it is not the same any more."""
        return self._encoder.model

    @property
    def gallery(self) -> Gallery:
        """All moments of the newest version, in memory or mapped."""
        with self._lock:
            return self._gallery_of(self._version())

    def _gallery_of(self, found: Version) -> Gallery:
        if self._gallery is None or self._held is not found.moments:
            self._gallery, self._held = Gallery.read(found.moments), found.moments
        return self._gallery

    @property
    def is_current(self) -> bool:
        """Whether the folder has the library that was opened, and not one that was made anew with
        another model; raises LibraryError where it has none that can be opened."""
        return self._is_of_it(self._newest().manifest)

    @property
    def remarks(self) -> list[str]:
        """What should be known of the answers of a search, such as that words are lost."""
        missing = missing_texts(self.folder, Manifest.read(self.folder))
        return [f"what is seen alone is searched: {missing}"] if missing else []

    def prepare(self) -> None:
        """Open what reads words and the newest version now, so that the first search by words does
        not wait."""
        self._encoder.prepare()
        self._finder()

    def _version(self) -> Version:
        """The newest version; raises LibraryError where the folder has another library by now."""
        found = self._newest()
        if not self._is_of_it(manifest := found.manifest):
            raise LibraryError(
                f"{self.folder} was made anew since it was opened, with model {manifest.model} and "
                f"sampling {manifest.sampling!r}; open it again with reeltune.Library"
            )
        self.manifest = manifest
        return found

    def _is_of_it(self, found: Manifest) -> bool:
        known = self.manifest
        return found is known or found.settings_hash() == known.settings_hash()


def _path(given: str | Path) -> str:
    (path,) = each_of(given)
    return str(path)
