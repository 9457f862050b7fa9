"""The small file beside a library's table, which says what made the vectors, and in which
layout."""

import hashlib
import json
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from reeltune.errors import LibraryError, NewerLibraryError, in_shell, in_short
from reeltune.records import Precision
from reeltune.search.channels.channel import Words
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.place import Place
from reeltune.storage.regular_file import read_bytes
from reeltune.storage.settings_file import MOST

OLDEST, SCHEMA_VERSION = 1, 5  # those that are read, and the one that is written
FILE_NAME = "library.json"
TABLES = r"^moments(-[0-9]{1,9})?\.lance$"  # names of tables, which lead to nowhere else


class Choices(NamedTuple):
    """What later runs do as well, which shapes no vector and may change."""

    exclude: tuple[str, ...] = ()  # patterns of the files that stay out of the library
    channels: tuple[Words, ...] = ()  # of which the words in files are found
    speech: str | None = None  # what hears speech, as --speech was given; None: the default


class Manifest(BaseModel):
    """Everything that must agree before two vectors may be compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    model: str  # as --model was given
    fingerprint: str  # of the weights and the preprocessing
    dim: int  # D
    sampling: str  # which frames were read, e.g. "gap 2"
    segments: str  # how frames became moments, see `MomentSettings`
    precision: Precision = "float32"  # in which the model reads frames
    indexed: int | None = None  # first columns, which find candidates; None: all D
    exclude: tuple[str, ...] = ()  # this and what follows: see `Choices`
    channels: tuple[Words, ...] = ()
    speech: str | None = None
    table: Annotated[str, Field(pattern=TABLES)] | None = None  # its folder; None: moments.lance

    @property
    def _usual(self) -> set[str]:
        """The fields of which nothing is said, as it was before there were such."""
        return {"precision"} if self.precision == "float32" else set()

    @property
    def width(self) -> int:
        """The number of columns that are indexed."""
        return self.indexed or self.dim

    def as_json(self, indent: int | None = None) -> str:
        """JSON without what is None or usual, so that most models need no further fields."""
        return self.model_dump_json(exclude_none=True, exclude=self._usual, indent=indent)

    def upgraded(self) -> "Manifest":
        """The manifest of the same library in the layout that is written today."""
        return self.model_copy(update={"schema_version": SCHEMA_VERSION})

    def choosing(self, choices: Choices) -> "Manifest":
        """The manifest of the same library with other choices."""
        return self.model_copy(update=choices._asdict())

    @property
    def choices(self) -> Choices:
        """What later runs do as well."""
        return Choices(*(getattr(self, name) for name in Choices._fields))

    def settings_hash(self) -> str:
        """Short hash of what shapes a vector; with a file's content hash it names a unit of work.

        Later versions of the layout left vectors as they were, so the hash counts on with the
        versions that a library had at first: 1, or 2 where some columns are not indexed.
        """
        plain = self.model_copy(update={"schema_version": 2 if self.indexed else 1})
        kept = {*Choices._fields, "table", *self._usual}
        text = plain.model_dump_json(exclude_none=True, exclude=kept)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def write(self, folder: Place) -> None:
        """Write to a temporary name, flush to disk, rename: readers see all of it or none."""
        write_atomically(folder / FILE_NAME, f"{self.as_json(indent=2)}\n".encode())

    @classmethod
    def read(cls, folder: Place) -> "Manifest":
        """Read and check a library's manifest.

        Raises LibraryError where there is none and where it is damaged, and NewerLibraryError.
        """
        path = folder / FILE_NAME
        if not path.is_file():
            raise LibraryError(
                f"{folder} is no library: it has no {FILE_NAME}; make one with: "
                f"reeltune index VIDEOS --library {in_shell(folder)}, or, if it was one, mend it "
                f"with: reeltune library repair {in_shell(folder)}"
            )
        try:
            return cls.parse(read_bytes(path, MOST), path)
        except (ValueError, RecursionError) as error:
            raise LibraryError(
                f"{path} is damaged ({in_short(error)}); "
                f"mend it with: reeltune library repair {in_shell(folder)}"
            ) from error

    @classmethod
    def parse(cls, text: bytes, source: Place | str) -> "Manifest":
        """A manifest from its JSON, which was found in `source`.

        Raises ValueError or RecursionError for what is no manifest, and NewerLibraryError for one
        in a layout that only a newer Reeltune knows.
        """
        fields = json.loads(text)
        found = fields.get("schema_version") if isinstance(fields, dict) else None
        if not isinstance(found, int) or found < OLDEST:
            raise ValueError(f"it must have a schema version from {OLDEST} on, got {found}")
        if found > SCHEMA_VERSION:
            raise NewerLibraryError(
                f"{source} has schema version {found}, this Reeltune reads {OLDEST} to "
                f"{SCHEMA_VERSION}; use the Reeltune that wrote it, which is newer, or index again "
                "into a new folder: reeltune index VIDEOS --library NEW"
            )
        return cls(**fields)
