"""What is said in one video, from a library that knows it or heard now."""

import os
from dataclasses import replace

from reeltune.errors import DataError
from reeltune.media.progress import Progress, Silent
from reeltune.search._known import Known
from reeltune.search._places import place_of
from reeltune.search.channels.channel import Told
from reeltune.search.channels.tellers import hearing
from reeltune.search.engines.local import Meter
from reeltune.search.store.manifest import Manifest
from reeltune.search.store.schema import kept_time
from reeltune.search.store.texts import NAME, missing
from reeltune.search.tell_files import WORK, sound
from reeltune.search.texts import words_of
from reeltune.storage.content import content_hash
from reeltune.storage.home import from_home
from reeltune.storage.place import Place


def transcript(
    video: str,
    library: Place | None = None,
    speech: str | None = None,
    progress: Progress | None = None,
) -> Told:
    """What is said in a video: what a library has of it, else what is heard now.

    The library is asked by the video's place, or by its content where the file has changed or lies
    elsewhere, so a video that is gone from disk may have its words too. With `speech`, which names
    what hears, it is not asked. Nothing is written. Where the library has lost its words, the note
    says so.

    Raises DataError for a video that is not there, LibraryError for a library that is not, and
    what hearing raises (see `Teller`).
    """
    asked = library if speech is None else None
    kept = None if asked is None else _kept(video, asked)
    if kept is not None:
        return kept
    heard = _heard(video, speech, progress or Silent())
    lost = _lost(asked) if asked else ""
    return replace(heard, note="; ".join(filter(None, [lost, heard.note])))


def _heard(video: str, speech: str | None, progress: Progress) -> Told:
    path = from_home(video)
    if not path.is_file():
        raise DataError(f"{video} is no file; give a video")
    size, meter = path.stat().st_size, Meter(progress)
    teller = hearing(speech)
    progress.begin(1, size, WORK["said"])
    try:
        return sound(teller.tell(path, lambda share: meter.share(video, size, share)))
    finally:
        teller.close()


def _lost(library: Place) -> str:
    """That a library which was to know what is said has no words any more; empty if all is well."""
    manifest = Manifest.read(library)
    if "said" not in manifest.channels or not missing(library, manifest):
        return ""
    gone = library / NAME
    return f"{gone} is not there, so it was heard again; the next index run finds all words"


def _kept(video: str, library: Place) -> Told | None:
    """What a library has of a video, None where that was not heard."""
    Manifest.read(library)
    content = _content(place_of(video), Known.read(library))
    return words_of(library, content, "said") if content else None


def _content(place: str, known: Known) -> str:
    """The content of a file as a library names it; empty where the library cannot have it."""
    stored = known.by_location.get(place, [])
    try:
        status = os.stat(place)
    except OSError:
        return stored[0].video if stored else ""
    now = (status.st_size, kept_time(status.st_mtime_ns))
    if [(one.size, one.modified_ns) for one in stored] == [now]:
        return stored[0].video
    sizes = {one.size for one in known.by_video.values()}
    return content_hash(place) if status.st_size in sizes else ""
