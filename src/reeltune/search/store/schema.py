"""The columns of a library's table: one row per moment."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

from reeltune.search.store.manifest import Manifest

TIME = pa.timestamp("us", tz="UTC")
REST = "rest"  # columns of a model's vector after those that are indexed
CAPTION, CAPTIONED_BY = "caption", "captioned_by"
CAPTIONS = (  # columns that the first captions bring
    pa.field(CAPTION, pa.string()),  # null until one is written
    pa.field(CAPTIONED_BY, pa.string()),  # the fingerprint of the model that wrote it
)
TAKEN, CHECKSUM = "taken", "checksum"
RIDING = "reeltune"  # the name under which a table tells of its library's manifest
SINCE_4 = (  # columns that libraries of versions 1 to 3 lack until their next run
    pa.field(TAKEN, TIME),  # when the video was made, null where its container does not say
    pa.field(CHECKSUM, pa.int64()),  # of the row, null in rows that an older version wrote
)


def kept_time(ns: int) -> int:
    """A time (ns since 1970) as the table keeps it: the nearest that 64 bits hold."""
    return max(-(1 << 63), min(ns, (1 << 63) - 1))


def schema(manifest: Manifest) -> pa.Schema:
    """Columns of the table; the manifest rides along so that a lost file can be rebuilt."""
    rest = pa.field(REST, pa.list_(pa.float32(), manifest.dim - manifest.width), nullable=False)
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("video", pa.string(), nullable=False),  # hash of the file's content
            pa.field("unit", pa.string(), nullable=False),  # content hash + settings hash
            pa.field("part", pa.int32(), nullable=False),  # which moment of its file, from 0
            pa.field("parts", pa.int32(), nullable=False),  # how many moments the file has
            pa.field("path", pa.string(), nullable=False),  # as given at indexing
            pa.field("location", pa.string(), nullable=False),  # absolute
            pa.field("start", pa.float64(), nullable=False),  # s
            pa.field("end", pa.float64(), nullable=False),  # s
            pa.field("duration", pa.float64(), nullable=False),  # s, of the whole file
            pa.field("width", pa.int32(), nullable=False),  # px, as displayed
            pa.field("height", pa.int32(), nullable=False),
            pa.field("size", pa.int64(), nullable=False),  # bytes
            pa.field("modified", TIME, nullable=False),
            pa.field("modified_ns", pa.int64(), nullable=False),  # exact, to recognise the file
            pa.field("indexed", TIME, nullable=False),
            pa.field("note", pa.string(), nullable=False),  # what was wrong with the file, or ""
            pa.field("vector", pa.list_(pa.float32(), manifest.width), nullable=False),
            pa.field("dhash", pa.int64(), nullable=False),  # of the middle frame
            pa.field("thumbnail", pa.binary(), nullable=False),  # JPEG
            pa.field("baseline_mean", pa.float32(), nullable=False),
            pa.field("baseline_std", pa.float32(), nullable=False),
            *([rest] if manifest.indexed else []),
            *SINCE_4,
        ],
        metadata={RIDING: manifest.as_json()},
    )


@dataclass(frozen=True, kw_only=True)
class VideoFile:
    """A file as it was met at indexing."""

    path: str  # as given
    location: str  # absolute
    size: int  # bytes
    modified_ns: int
    video: str  # hash of the content, hex


@dataclass(frozen=True, kw_only=True)
class Moments:
    """All moments of one file, ready to be stored: N of them."""

    file: VideoFile
    duration: float
    width: int
    height: int
    note: str
    start: Float[np.ndarray, " N"]
    end: Float[np.ndarray, " N"]
    vector: Float[np.ndarray, "N D"]
    dhash: Int[np.ndarray, " N"]
    thumbnail: list[bytes]
    baseline_mean: Float[np.ndarray, " N"]
    baseline_std: Float[np.ndarray, " N"]
    taken: int | None = None  # µs since 1970 (UTC); None: the container does not say


def to_table(moments: Moments, manifest: Manifest, indexed_us: int) -> pa.Table:
    """Rows of one file in the layout of `schema`."""
    count, file = len(moments.start), moments.file
    unit = f"{file.video}-{manifest.settings_hash()}"
    ids = [
        hashlib.blake2b(f"{unit}/{i}".encode(), digest_size=12).hexdigest() for i in range(count)
    ]
    same = {
        "video": file.video,
        "unit": unit,
        "parts": count,
        "path": file.path,
        "location": file.location,
        "duration": moments.duration,
        "width": moments.width,
        "height": moments.height,
        "size": file.size,
        "modified": file.modified_ns // 1000,
        "modified_ns": file.modified_ns,
        "indexed": indexed_us,
        "note": moments.note,
    }
    columns: dict[str, Any] = {name: [value] * count for name, value in same.items()}
    columns |= {
        "id": ids,
        "part": list(range(count)),
        "start": moments.start,
        "end": moments.end,
        "vector": fixed(moments.vector[:, : manifest.width]),
        "dhash": moments.dhash,
        "thumbnail": moments.thumbnail,
        "baseline_mean": np.asarray(moments.baseline_mean, dtype=np.float32),
        "baseline_std": np.asarray(moments.baseline_std, dtype=np.float32),
    }
    if manifest.indexed:
        columns[REST] = fixed(moments.vector[:, manifest.width :])
    columns |= {field.name: pa.nulls(count, field.type) for field in SINCE_4}
    columns[TAKEN] = [moments.taken] * count
    layout = schema(manifest)
    arrays = [
        column if isinstance(column, pa.Array) else pa.array(column, field.type)
        for field, column in ((field, columns[field.name]) for field in layout)
    ]
    return pa.table(arrays, schema=layout)


def fixed(vectors: Float[np.ndarray, "N D"]) -> pa.FixedSizeListArray:
    """Vectors as a column."""
    flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
