"""Holds a query of a client against the library; no part of it can name a file of the server."""

import time
from collections.abc import Sequence
from pathlib import Path

from reeltune.errors import ConfigError, NotInLibraryError
from reeltune.records import Hit
from reeltune.search.files import File, files_at
from reeltune.search.library import Library
from reeltune.search.pending import Pending
from reeltune.search.query import Wishes, fair, in_order, may_match
from reeltune.search.terms import terms
from reeltune.serve.schemas import Answer, Pair, Part, Search


def begin(library: Library, wanted: Search, image: Path | None = None) -> Pending:
    """A search for the page of hits that is asked for; `image` is a file of ours with a picture
    that a client sent."""
    for text in [wanted.words or "", *wanted.without]:
        require_no_paths(text)
    asked = wishes(library, wanted, wanted.page * wanted.top + 1)
    return library.begin(
        wanted.words, image=image, like=wanted.like, without=wanted.without, **asked
    )


def answer_of(wanted: Search, found: Sequence[Hit], begun: float) -> Answer:
    """The page that is asked for, among hits of a search that came at this time (monotonic)."""
    skipped, top = (wanted.page - 1) * wanted.top, wanted.top
    return Answer(
        hits=in_order(found[skipped : skipped + top], wanted.sort),
        matches_well=may_match(found, wanted.words),
        fair=fair(wanted.words),
        page=wanted.page,
        more=len(found) > skipped + top,
        seconds=time.monotonic() - begun,
    )


def answer(library: Library, wanted: Search, image: Path | None = None) -> Answer:
    """The page of hits that is asked for, as `begin` says."""
    begun = time.monotonic()
    return answer_of(wanted, begin(library, wanted, image).hits(), begun)


def require_no_paths(text: str) -> None:
    """Raise ConfigError for words that would be read as a file of this machine."""
    for term in terms(text):
        if term.kind in ("picture", "video"):
            raise ConfigError(
                f"@{term.value} names a file, and a server opens none that a client names; send "
                "the picture itself, or put the words in quotes"
            )


def wishes(library: Library, wanted: Search, k: int) -> Wishes:
    """What a library is told beside the query."""
    return {
        "k": k,
        "where": wanted.where,
        "channels": wanted.channels,
        "inside": None if wanted.inside is None else places_in(library, [wanted.inside])[0],
        "between": (wanted.begin, wanted.end),
        "fold": wanted.fold,
        "min_confidence": wanted.min_confidence,
        "sort": "turn",
    }


def places_in(library: Library, named: Sequence[str]) -> list[str]:
    """Where the files of ids are, or the files and folders that a client named, if the library has
    them or some below; raises NotInLibraryError for any other, without a look at the disk."""
    files = library.files()
    by_id = {file.id: file.location for file in files}
    for name in named:
        if name not in by_id and not files_at(files, name, name):
            raise NotInLibraryError(f"{library.folder} has no file {name}, and none below it")
    return [by_id.get(name, name) for name in named]


def scores_of(library: Library, pairs: Sequence[Pair]) -> list[float]:
    """The cosine of the words and the moment of each pair."""
    texts = [*dict.fromkeys(pair.words for pair in pairs)]
    ids = [*dict.fromkeys(pair.moment.removeprefix("#") for pair in pairs)]
    words = dict(zip(texts, library.embed_text(texts), strict=True))
    moments = library.gallery.singles(ids)
    return [
        float(words[pair.words] @ moments[pair.moment.removeprefix("#")].vector) for pair in pairs
    ]


def strip_of(library: Library, file: File, words: str) -> list[Part]:
    """How well each moment of a file matches, in the order of time."""
    require_no_paths(words)
    hits = library.search(words, inside=file.location, k=file.moments, fold=False)
    parts = [
        Part(id=hit.id, start=hit.start, end=hit.end, score=hit.score, confidence=hit.confidence)
        for hit in hits
    ]
    return sorted(parts, key=lambda part: (part.start, part.end))
