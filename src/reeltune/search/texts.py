"""The words of a library: what is said and shown in its videos, and when."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import get_args

import pyarrow as pa

from reeltune.errors import ConfigError, in_shell
from reeltune.records import Phrase
from reeltune.search._known import Known, Stored
from reeltune.search.channels.channel import Told, Words
from reeltune.search.store import texts as _texts
from reeltune.search.store.manifest import Manifest
from reeltune.storage.place import Place

SWITCHES: dict[Words, str] = {"said": "--hear", "shown": "--read"}  # of `index`
PLAIN = ("start", "end", "text", "source", "language")
ORDER = [(name, "ascending") for name in ("video", "channel", "part")]


@dataclass(frozen=True, kw_only=True)
class KeptPhrase(Phrase):
    """Words of a video of a library, and when they are said or shown."""

    path: str  # of the video, as given at the last indexing
    location: str  # absolute, links resolved, so it can be opened from anywhere
    channel: Words  # "said" or "shown"
    source: str  # "sidecar", "embedded", "speech" or "frames"
    language: str  # BCP 47, empty where it is not known


def list_texts(folder: Place, channel: Words | None = None) -> Iterator[KeptPhrase]:
    """What was heard and read, or one of these, in the order of paths, channels and time.

    They are those of this version, whatever is written meanwhile. Raises ConfigError, before the
    first one, for a channel that is none of words.
    """
    if channel not in (None, *get_args(Words)):
        raise ConfigError(f"channel is {channel!r}; give {' or '.join(get_args(Words))}")
    Manifest.read(folder)  # says where there is no library
    table = _texts.open_texts(folder)
    if table is None:
        return iter(())
    wanted = _texts.PHRASES if channel is None else f"{_texts.PHRASES} AND channel = '{channel}'"
    rows = table.to_table(columns=[*PLAIN, "video", "channel", "part"], filter=wanted)
    return _texts_of(rows.sort_by(ORDER), Known.read(folder).by_video)


def why_none(folder: Place, channel: Words | None = None) -> str:
    """Why a library has no words, or none of a channel, and what finds some."""
    manifest = Manifest.read(folder)
    wanted = [name for name in get_args(Words) if channel in (None, name)]
    looked_for = [name for name in wanted if name in manifest.channels]
    if not looked_for:
        switches = " ".join(SWITCHES[name] for name in wanted)
        return (
            f"words that are {' or '.join(wanted)} were not looked for in {folder}; "
            f"find them with: reeltune index VIDEOS --library {in_shell(folder)} {switches}"
        )
    missing = _texts.missing(folder, manifest)
    return missing or f"nothing is {' or '.join(looked_for)} in the videos of {folder}"


def _texts_of(rows: pa.Table, stored: Mapping[str, Stored]) -> Iterator[KeptPhrase]:
    """The phrases of contents that the library has, video after video in the order of paths."""
    videos = rows["video"].to_pylist()
    places: dict[str, list[int]] = {}
    for place, video in enumerate(videos):
        places.setdefault(video, []).append(place)
    there = [stored[video] for video in places if video in stored]
    for one in sorted(there, key=lambda one: (one.path, one.location)):
        for row in rows.take(places[one.video]).to_pylist():
            fields = {name: row[name] for name in (*PLAIN, "channel")}
            yield KeptPhrase(path=one.path, location=one.location, **fields)


def words_of(folder: Place, video: str, channel: Words) -> Told | None:
    """What a library has of one channel of a content; None where that was not found out yet."""
    table = _texts.open_texts(folder)
    if table is None:
        return None
    columns = [*PLAIN, "part", "parts", "note"]
    of_it = _texts.of_contents([video], channel)
    found = table.to_table(columns=columns, filter=of_it).sort_by("part").to_pylist()
    if not found:
        return None
    return Told(
        phrases=[
            Phrase(start=row["start"], end=row["end"], text=row["text"])
            for row in found
            if row["parts"]
        ],
        source=found[0]["source"],
        language=found[0]["language"],
        note=found[0]["note"],
    )
