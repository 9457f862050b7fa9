"""Libraries in the layouts of schema versions 1, 2 and 3, as the versions before wrote them."""

import json
import shutil
from pathlib import Path

import lance
import pyarrow as pa

from reeltune.search.store import table as _table
from reeltune.search.store.manifest import FILE_NAME, Manifest

COLUMNS = (
    *("id", "video", "unit", "part", "parts", "path", "location", "start", "end", "duration"),
    *("width", "height", "size", "modified", "modified_ns", "indexed", "note", "vector", "dhash"),
    *("thumbnail", "baseline_mean", "baseline_std"),
)
FIELDS = ("model", "fingerprint", "dim", "sampling", "segments", "indexed")


def make_older(library: Path, captions: bool) -> int:
    """Write a library of today anew in the layout of old, as of version 1, 2 or 3, which is
    returned: 1 for plain ones, 2 for those with a second column of vectors, 3 with captions."""
    rows, kept = _table.open_table(library).to_table(), Manifest.read(library)
    version = 3 if captions else 2 if kept.indexed else 1
    fields = {name: getattr(kept, name) for name in FIELDS if getattr(kept, name) is not None}
    first = {"schema_version": 2 if kept.indexed else 1, **fields}
    names = [*COLUMNS, *(["rest"] if kept.indexed else [])]
    old = rows.select(names).replace_schema_metadata({b"reeltune": json.dumps(first).encode()})
    shutil.rmtree(library / _table.NAME)
    made = lance.write_dataset(old, str(library / _table.NAME), data_storage_version="stable")
    if captions:
        made.add_columns([pa.field("caption", pa.string()), pa.field("captioned_by", pa.string())])
        made.update({"caption": "concat('part ', cast(part as string))", "captioned_by": "'f1'"})
    (library / FILE_NAME).write_text(json.dumps({**fields, "schema_version": version}, indent=2))
    return version
