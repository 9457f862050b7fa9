"""Errors of a server, and of what is none, as a `Library` would raise them."""

import httpx

from reeltune import errors
from reeltune.errors import ConfigError, DataError, LibraryError, ReeltuneError

OF_THE_LIBRARY = ("NoLibrary", "FileGone", "FileChanged", "NoJob")


class Changed(LibraryError):
    """A list has changed while its pages were asked for."""


def no_answer(error: httpx.HTTPError, url: str) -> LibraryError:
    """That a server does not answer."""
    return LibraryError(
        f"{url} does not answer ({errors.in_short(error)}); start it with: reeltune serve"
    )


def error_of(answer: httpx.Response, url: str) -> ReeltuneError:
    """The error that a server tells of, as a `Library` would raise it."""
    try:
        said, kind = answer.json()["error"], answer.json()["kind"]
    except (ValueError, KeyError, TypeError):
        return LibraryError(f"{url} answers {answer.status_code}, and not as Reeltune does")
    return error_as(said, kind)


def error_as(said: str, kind: str) -> ReeltuneError:
    """An error of a kind that the API names."""
    if kind in OF_THE_LIBRARY:
        return LibraryError(said)
    if kind in ("MediaError", "NoPicture", "NotCut"):
        return DataError(said)
    found = getattr(errors, kind, ConfigError)
    is_ours = isinstance(found, type) and issubclass(found, ReeltuneError)
    return found(said) if is_ours else ConfigError(said)


def no_address(url: str) -> ConfigError:
    """That a text is no address of a server."""
    return ConfigError(f"{url!r} is no address of a server; give one as http://127.0.0.1:8420")
