"""The small file beside a library's table, which says what made the vectors, and in which
layout."""

import hashlib
import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from reeltune.errors import LibraryError
from reeltune.storage.atomic_file import write_atomically

SCHEMA_VERSION = 1
WITH_REST = 2  # the version with a second column, of what is not indexed
WITH_CAPTIONS = 3  # the version whose moments may have captions, and a second column or not
KNOWN_VERSIONS = (SCHEMA_VERSION, WITH_REST, WITH_CAPTIONS)
FILE_NAME = "library.json"


class Manifest(BaseModel):
    """Everything that must agree before two vectors may be compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    model: str  # as --model was given
    fingerprint: str  # of the weights and the preprocessing
    dim: int  # D
    sampling: str  # which frames were read, e.g. "gap 2"
    segments: str  # how frames became moments, see `MomentSettings`
    indexed: int | None = None  # first columns, which find candidates; None: all D

    @property
    def width(self) -> int:
        """The number of columns that are indexed."""
        return self.indexed or self.dim

    def as_json(self, indent: int | None = None) -> str:
        """JSON without what is None, so that most models need no further fields."""
        return self.model_dump_json(exclude_none=True, indent=indent)

    @property
    def has_captions(self) -> bool:
        """Whether moments may have captions."""
        return self.schema_version == WITH_CAPTIONS

    def with_captions(self) -> "Manifest":
        """The manifest of the same library, once its moments may have captions."""
        return self.model_copy(update={"schema_version": WITH_CAPTIONS})

    def settings_hash(self) -> str:
        """Short hash of all settings; with a file's content hash it names a unit of work.

        Captions come and go beside the vectors, so the hash is that of the library without them.
        """
        version = WITH_REST if self.indexed else SCHEMA_VERSION
        plain = self.model_copy(update={"schema_version": version})
        return hashlib.blake2b(plain.as_json().encode(), digest_size=8).hexdigest()

    def write(self, folder: Path) -> None:
        """Write to a temporary name, flush to disk, rename: readers see all of it or none."""
        write_atomically(folder / FILE_NAME, f"{self.as_json(indent=2)}\n".encode())

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read and check a library's manifest.

        Raises LibraryError where there is none, where it is damaged, and where another version of
        Reeltune wrote a layout that this one does not know.
        """
        path = folder / FILE_NAME
        if not path.is_file():
            raise LibraryError(
                f"{folder} is no library: it has no {FILE_NAME}; "
                f"make one with: reeltune index VIDEOS --library {folder}"
            )
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            found = fields.get("schema_version")
            if found not in KNOWN_VERSIONS:
                raise LibraryError(
                    f"{path} has schema version {found}, this Reeltune reads "
                    f"{SCHEMA_VERSION} to {WITH_CAPTIONS}; index again into a new folder: "
                    f"reeltune index VIDEOS --library NEW"
                )
            return cls(**fields)
        except (ValueError, AttributeError, TypeError) as error:
            raise LibraryError(
                f"{path} is damaged ({str(error).splitlines()[0]}); "
                f"mend it with: reeltune library repair {folder}"
            ) from error
