"""Places in an object store, such as `s3://bucket/holidays`, and what can be done with them.

Credentials and endpoints come from the environment, as the tools of each store have them. Whatever
a store refuses is a `StoreError`, which is an OSError and a LibraryError, or a FileNotFoundError.
"""

import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cache
from pathlib import PurePosixPath
from typing import Any

from reeltune.errors import ConfigError, StoreError, in_short

SCHEMES = ("s3", "gs", "az")  # stores that Lance knows and that write on a condition
SHAPE = re.compile(rf"({'|'.join(SCHEMES)})://([A-Za-z0-9][A-Za-z0-9._-]*)((?:/[^/\x00-\x1f]+)*)/*")
RETRIES = 3
PATIENCE = timedelta(seconds=30)  # for one request with its repetitions
PLAIN = "AWS_ALLOW_HTTP"  # the variable that allows requests without encryption
ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AWS_ENDPOINT_URL_S3")


@dataclass(frozen=True)
class Stamp:
    """Which state of an object this is."""

    st_size: int  # bytes
    st_mtime_ns: int  # when it was written, by the clock of the store
    mark: Mapping[str, Any] = field(hash=False)  # what a conditional write names it by

    @property
    def e_tag(self) -> str:
        """What the store calls this state of the object; empty where it says nothing."""
        return str(self.mark.get("e_tag") or "")


@dataclass(frozen=True)
class ObjectPath:
    """An object, or the folder that names with slashes make; see `Place`."""

    root: str  # of the store, such as s3://bucket
    key: str  # without slashes at its ends; empty for the root
    known: Stamp | None = field(default=None, compare=False, repr=False)  # where it was listed

    @classmethod
    def of(cls, url: str) -> "ObjectPath":
        """The place that a URL names; raises ConfigError for one that is none of a store."""
        found = SHAPE.fullmatch(url)
        if found is None or {".", ".."} & set(found[3].split("/")):
            raise ConfigError(
                f"{url} names no place in an object store; give one such as "
                f"s3://bucket/holidays ({', '.join(SCHEMES)}), or a path"
            )
        return cls(f"{found[1]}://{found[2]}", found[3].strip("/"))

    def __str__(self) -> str:
        return f"{self.root}/{self.key}".rstrip("/")

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The last part of the key, without its suffix."""
        return PurePosixPath(self.key).stem

    @property
    def parent(self) -> "ObjectPath":
        """The folder that it lies in."""
        return ObjectPath(self.root, self.key.rpartition("/")[0])

    def __truediv__(self, name: str) -> "ObjectPath":
        return ObjectPath(self.root, f"{self.key}/{name}".strip("/"))

    def absolute(self) -> "ObjectPath":
        """The place itself, as a URL begins at the root."""
        return self

    def exists(self) -> bool:
        """Whether it is an object, or any lies below it."""
        return self.is_file() or self.is_dir()

    def is_file(self) -> bool:
        """Whether it is an object."""
        try:
            self.stat()
        except FileNotFoundError:
            return False
        return True

    def is_dir(self) -> bool:
        """Whether any object lies below it."""
        return next(self.below(), None) is not None

    def stat(self) -> Stamp:
        """Size, time and mark of the object."""
        if self.known is not None:
            return self.known
        import obstore

        with self._guarded():
            return _stamp(obstore.head(_store(self.root), self.key))

    def below(self) -> Iterator["ObjectPath"]:
        """Every object below, at any depth, in the order of keys."""
        import obstore

        with self._guarded():
            pages = iter(obstore.list(_store(self.root), self.key or None))
        while True:
            with self._guarded():
                page = next(pages, None)
            if page is None:
                return
            for one in page:
                yield ObjectPath(self.root, one["path"], _stamp(one))

    def glob(self, pattern: str) -> Iterator["ObjectPath"]:
        """What lies in the folder under such a name."""
        import obstore

        with self._guarded():
            found = obstore.list_with_delimiter(_store(self.root), self.key or None)
        for key in found["common_prefixes"]:
            if fnmatchcase((folder := ObjectPath(self.root, key.strip("/"))).name, pattern):
                yield folder
        for one in found["objects"]:
            if fnmatchcase((path := ObjectPath(self.root, one["path"], _stamp(one))).name, pattern):
                yield path

    def rglob(self, pattern: str) -> Iterator["ObjectPath"]:
        """Every object below under such a name."""
        return (path for path in self.below() if fnmatchcase(path.name, pattern))

    def mkdir(self, *, parents: bool = False, exist_ok: bool = False) -> None:
        """Do nothing, as objects make their folders."""

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the object; that there is none is no error in a store."""
        import obstore

        with self._guarded():
            obstore.delete(_store(self.root), self.key)

    def remove_all(self) -> None:
        """Delete the object and all below it."""
        import obstore

        keys = [path.key for path in self.below()]
        with self._guarded():
            obstore.delete(_store(self.root), [*keys, self.key])

    def copy_to(self, to: "ObjectPath") -> None:
        """Copy the object, and all below it, within the store."""
        import obstore

        keys = [path.key for path in self.below()] or [self.key]
        for key in keys:
            with self._guarded():
                goal = f"{to.key}{key[len(self.key) :]}"
                obstore.copy(_store(self.root), key, goal)

    def pieces(self, size: int) -> Iterator[bytes]:
        """The content of a large object, in pieces of about so many bytes."""
        import obstore

        with self._guarded():
            pieces = iter(obstore.get(_store(self.root), self.key).stream(min_chunk_size=size))
        while True:
            with self._guarded():
                piece = next(pieces, None)
            if piece is None:
                return
            yield bytes(piece)

    def read(self, at_most: int | None = None) -> tuple[bytes, Stamp]:
        """The content of a small object, and which state that is; raises ValueError for a longer
        one."""
        import obstore

        with self._guarded():
            found = obstore.get(_store(self.root), self.key)
        state = _stamp(found.meta)
        if at_most is not None and state.st_size > at_most:
            raise ValueError(f"it has more than {at_most:,} bytes")
        with self._guarded():
            return bytes(found.bytes()), state

    def write(self, content: bytes, over: Stamp | str = "overwrite") -> Stamp | None:
        """Write the object whole; returns its new state.

        `over` may be `create`, or the state that is to be replaced: where the store has another
        one, nothing is written, and the result is None.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        mode: Any = over if isinstance(over, str) else dict(over.mark)
        with self._guarded():
            try:
                made = obstore.put(
                    _store(self.root), self.key, content, mode=mode, use_multipart=False
                )
            except (AlreadyExistsError, PreconditionError):
                return None
        return Stamp(len(content), 0, _mark(made))

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn what the store says into an error that names the place."""
        try:
            yield
        except (ConfigError, StoreError):
            raise
        except Exception as error:
            if "NoSuchBucket" in str(error):
                raise StoreError(
                    f"{self.root} is not there; make the bucket, or give another one"
                ) from error
            if isinstance(error, FileNotFoundError):
                raise FileNotFoundError(errno.ENOENT, "is not there", str(self)) from error
            if not type(error).__module__.startswith("obstore"):
                raise
            raise StoreError(
                f"{self} cannot be read or written ({_reason(error)}); see to the connection, the "
                "rights and the variables of the environment, and run the command again"
            ) from error


def _stamp(meta: Mapping[str, Any]) -> Stamp:
    since = meta["last_modified"] - datetime(1970, 1, 1, tzinfo=UTC)
    seconds = since // timedelta(seconds=1)  # lists have parts of them, other answers do not
    return Stamp(meta["size"], seconds * 10**9, _mark(meta))


def _mark(meta: Mapping[str, Any]) -> dict[str, Any]:
    return {name: meta[name] for name in ("e_tag", "version") if meta.get(name)}


def _reason(error: Exception) -> str:
    """The first line of a message, and why in the end, without what the server sent beside."""
    first = in_short(error).split(": <?xml")[0]
    code = re.search(r"<Code>(\w+)</Code>", str(error))
    return f"{first}: {code[1]}" if code else first


def _store(root: str) -> Any:
    """The store of a bucket."""
    endpoint = next(filter(None, map(os.environ.get, ENDPOINTS)), "")
    is_allowed = os.environ.get(PLAIN, "").lower() in ("1", "true", "yes", "on")
    if root.startswith("s3:") and endpoint.startswith("http:") and not is_allowed:
        raise StoreError(
            f"{endpoint} is not encrypted, and {root} is asked for there; set {PLAIN}=true if "
            "that is meant, or give an endpoint that begins with https"
        )
    return _store_of(
        root,
        tuple(
            (name, os.environ[name])
            for name in sorted(os.environ)
            if name.startswith(("AWS_", "GOOGLE_", "AZURE_"))
        ),
    )


@cache
def _store_of(root: str, environment: tuple[tuple[str, str], ...]) -> Any:
    """The store as the variables of the environment, which are part of the key, have it."""
    try:
        from obstore.store import from_url
    except ImportError as error:
        raise ConfigError(
            f"{root} is in an object store, which needs obstore; get it with: "
            "pip install 'reeltune[s3]'"
        ) from error
    return from_url(root, retry_config={"max_retries": RETRIES, "retry_timeout": PATIENCE})
