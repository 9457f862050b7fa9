"""Places where a command writes: they are checked before its work, and are there whole or not at
all."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from reeltune.errors import ConfigError
from reeltune.storage.object_path import ObjectPath
from reeltune.storage.place import Place


def require_folder(out: Place) -> None:
    """Raise ConfigError unless `out` is a folder that can be written to, or can become one.

    A name that is not UTF-8 is refused as well: writers of weights and tables cannot take it.
    """
    try:
        str(out).encode()
    except UnicodeEncodeError:
        raise ConfigError(f"the name {str(out)!r} is not UTF-8; give a place that is") from None
    if isinstance(out, ObjectPath):
        out.is_dir()  # says where the store cannot be reached
        return
    place = _nearest(Path(str(out)))
    if not place.is_dir():
        raise ConfigError(f"{place} is a file, and {out} is to be a folder; give another place")
    try:
        with TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise ConfigError(
            f"nothing can be written to {place} ({error.strerror}), where {out} is to be; "
            "give another place"
        ) from error


def require_new_folder(out: Path) -> None:
    """Raise ConfigError as `require_folder` does, and also if there is anything in `out`."""
    require_folder(out)
    if out.is_dir() and any(out.iterdir()):
        raise ConfigError(f"{out} is not empty; give a new folder")


def require_file(out: Path, force: bool = True) -> None:
    """Raise ConfigError unless `out` can be written as a file, in a folder that may become one;
    without `force` also if a file is there already, though not for a pipe or a device."""
    if out.is_dir():
        raise ConfigError(
            f"{out} is a folder, and a file is to be written; name a file in it, such as "
            f"{out / 'report.json'}"
        )
    require_folder(out.parent)
    if out.is_file() and not force:
        raise _there(out)


def require_new_file(out: Path, force: bool) -> None:
    """Raise ConfigError as `require_file` does, and also if the folder of `out` is not there, or if
    anything is in the place of `out`, unless `force` says that it may be replaced."""
    require_file(out)
    if os.path.lexists(out) and not force:
        raise _there(out)
    if not out.parent.is_dir():
        raise ConfigError(f"there is no folder {out.parent}; make it, or give another place")


def _there(out: Path) -> ConfigError:
    return ConfigError(
        f"{out} is there already; give another name, or --force to replace it (in Python, "
        "force=True)"
    )


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to write into that becomes `out` at the end; an error, or Ctrl-C, leaves nothing.

    It lies beside `out` under a hidden name, or beside the first of its parents that is missing.
    Errors: `ConfigError` if `out` cannot be made, or holds something.
    """
    require_new_folder(out)
    place = _nearest(out.absolute().parent)
    half = place / f".{out.name}.{secrets.token_hex(4)}"
    half.mkdir()
    try:
        with naming(out, half):
            yield half
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.is_dir():
            out.rmdir()  # it is empty; only some systems rename onto an empty folder
        half.replace(out)
    finally:
        shutil.rmtree(half, ignore_errors=True)


@contextmanager
def naming(out: Path, written: Path | None = None) -> Iterator[None]:
    """Let errors of the system name the place that a command writes to: those that name nothing,
    as where a disk is full, and those about `written`, which stands for it until it is whole."""
    try:
        yield
    except OSError as error:
        name = error.filename
        if name is None and error.errno is not None:
            error.filename = str(out)
        elif written is not None and isinstance(name, str | os.PathLike):
            error.filename = str(name).replace(str(written), str(out), 1)
        raise


def _nearest(path: Path) -> Path:
    """The path itself if something is there, or else the nearest of its parents."""
    place = path.absolute()
    while not os.path.lexists(place):
        place = place.parent
    return place
