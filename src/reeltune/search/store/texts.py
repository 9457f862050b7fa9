"""The second table of a library: words that are said and shown in its videos, and when.

A row is a phrase. Rows are known by the content of their video, so that a moved file changes
nothing here, and what one channel of a video holds is one unit of work. A channel that holds
nothing has one row without a text, which says that it was looked at.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from reeltune.search.channels.channel import Told, Words
from reeltune.search.store import table as _table
from reeltune.search.store._sql import is_one_of
from reeltune.search.store.checksum import with_checksums
from reeltune.search.store.dataset import Table
from reeltune.search.store.manifest import Manifest
from reeltune.search.store.schema import CHECKSUM, fixed
from reeltune.storage.place import Place

NAME = "texts.lance"
WIDTH = 384  # of the sentence encoder, whatever the library's model is
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("video", pa.string(), nullable=False),  # hash of the file's content
        pa.field("channel", pa.string(), nullable=False),  # "said" or "shown"
        pa.field("unit", pa.string(), nullable=False),  # content hash + hash of what told it
        pa.field("part", pa.int32(), nullable=False),  # which phrase of its channel, from 0
        pa.field("parts", pa.int32(), nullable=False),  # how many phrases the channel has
        pa.field("start", pa.float64(), nullable=False),  # s
        pa.field("end", pa.float64(), nullable=False),  # s
        pa.field("text", pa.string(), nullable=False),  # empty where `parts` is 0
        pa.field("source", pa.string(), nullable=False),  # see `Told`
        pa.field("language", pa.string(), nullable=False),  # BCP 47, or ""
        pa.field("note", pa.string(), nullable=False),  # what was wrong with a part, or ""
        pa.field("vector", pa.list_(pa.float32(), WIDTH), nullable=False),  # zeros without a text
        pa.field(CHECKSUM, pa.int64()),  # of the row
    ]
)
PHRASES = "parts > 0"  # the rows that have a text


@dataclass(frozen=True, kw_only=True)
class Texts:
    """All that one channel of one video holds, ready to be stored."""

    video: str  # hash of the content
    channel: Words
    unit: str  # see `unit_of`
    told: Told


def unit_of(video: str, channel: Words, fingerprint: str, beside: str) -> str:
    """The name of a unit of work: a content, and a hash of all else that decides its texts."""
    rest = json.dumps([channel, fingerprint, beside]).encode()
    return f"{video}-{hashlib.blake2b(rest, digest_size=8).hexdigest()}"


def open_texts(folder: Place) -> Table | None:
    """The newest version of a library's texts; None where it has none.

    Raises LibraryError, naming the remedy, if there is one that cannot be opened.
    """
    path = folder / NAME
    return Table.open(path) if Table.exists(path) else None


def missing(folder: Place, manifest: Manifest) -> str:
    """Why there are no words at all though a library is to have some; empty if all is well."""
    if not manifest.channels or Table.exists(folder / NAME):
        return ""
    return f"{NAME} is not there; the next index run finds all words"


def version(folder: Place) -> int:
    """The newest version of the texts, 0 where there are none."""
    table = open_texts(folder)
    return table.version if table else 0


def seal(folder: Place) -> None:
    """Seal the texts where a run was killed before it could."""
    table = open_texts(folder)
    if table is not None and not table.is_sealed():
        table.seal()


def units(folder: Place, channel: Words) -> dict[str, str]:
    """The unit of work by which each content has its texts of a channel, by the content."""
    table = open_texts(folder)
    if table is None:
        return {}
    rows = table.to_table(columns=["video", "unit"], filter=f"part = 0 AND channel = '{channel}'")
    return dict(zip(rows["video"].to_pylist(), rows["unit"].to_pylist(), strict=True))


def write(folder: Place, texts: Sequence[Texts], vectors: Float[np.ndarray, "N 384"]) -> None:
    """Store what channels of videos hold in place of what was stored of them, in one commit.

    `vectors` are those of all phrases, in their order. The table is made where there is none.
    """
    if not texts:
        return
    counts = [len(one.told.phrases) for one in texts]
    parts = np.split(vectors, np.cumsum(counts)[:-1])
    made = [_rows(one, part) for one, part in zip(texts, parts, strict=True)]
    rows = with_checksums(pa.concat_tables(made))
    table = open_texts(folder)
    if table is None:
        table = Table.create(folder / NAME, SCHEMA.empty_table())
    same = _of(texts)
    if table.count_rows(filter=same):
        table.merge(rows, insert=True, drop=same)
    else:  # which costs the same however large the table is
        table.append(rows)


def _of(texts: Sequence[Texts]) -> str:
    """The filter that rows are of one of these channels of videos."""
    of: dict[Words, list[str]] = {}
    for one in texts:
        of.setdefault(one.channel, []).append(one.video)
    return " OR ".join(of_contents(videos, channel) for channel, videos in of.items())


def of_contents(videos: Iterable[str], channel: Words) -> str:
    """The filter that rows are of one channel of some contents."""
    return f"channel = '{channel}' AND {is_one_of('video', videos)}"


def sweep(folder: Place) -> None:
    """Take out the texts of contents of which the library has no moments any more."""
    table = open_texts(folder)
    if table is None:
        return
    gone = _videos(table) - _videos(_table.open_table(folder))
    if gone:
        table.delete(is_one_of("video", sorted(gone)))


def _videos(table: Table) -> set[str]:
    return set(table.to_table(columns=["video"], filter="part = 0")["video"].to_pylist())


def remove_units(folder: Place, units: Iterable[str]) -> None:
    """Take out these units of work."""
    if table := open_texts(folder):
        table.delete(is_one_of("unit", units))


def restore(folder: Place, version: int) -> None:
    """Make an older version the newest; the first one, which is empty, stands for none."""
    table = open_texts(folder)
    if table is not None and table.version != version:
        _table.restored(folder, folder / NAME, max(version, 1))


def tidy(folder: Place, keep: int | None = None) -> None:
    """Join small fragments, and drop versions before `keep` that no reader can still be on."""
    if table := open_texts(folder):
        table.tidy(_table.KEEP_OLD, keep if keep is None else max(keep, 1))  # see `restore`


def _rows(texts: Texts, vectors: Float[np.ndarray, "N 384"]) -> pa.Table:
    """Rows of one channel of a video; without checksums."""
    phrases, told = texts.told.phrases, texts.told
    count = max(len(phrases), 1)
    ids = [
        hashlib.blake2b(f"{texts.unit}/{part}".encode(), digest_size=12) for part in range(count)
    ]
    same = {
        "video": texts.video,
        "channel": texts.channel,
        "unit": texts.unit,
        "parts": len(phrases),
        "source": told.source,
        "language": told.language,
        "note": told.note,
        CHECKSUM: None,
    }
    columns: dict[str, Any] = {name: [value] * count for name, value in same.items()}
    columns |= {
        "id": [one.hexdigest() for one in ids],
        "part": list(range(count)),
        "start": [phrase.start for phrase in phrases] or [0.0],
        "end": [phrase.end for phrase in phrases] or [0.0],
        "text": [phrase.text for phrase in phrases] or [""],
        "vector": fixed(vectors if phrases else np.zeros((1, WIDTH), np.float32)),
    }
    arrays = [
        pa.array(columns[name], kind) if isinstance(columns[name], list) else columns[name]
        for name, kind in zip(SCHEMA.names, SCHEMA.types, strict=True)
    ]
    return pa.table(arrays, schema=SCHEMA)
