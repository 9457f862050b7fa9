"""Files and folders that a person does not want, by patterns in the way of .gitignore."""

import os
import re
import warnings
from collections.abc import Iterable, Sequence

from pathspec import GitIgnoreSpec

from reeltune.errors import ConfigError
from reeltune.media._wildcards import pattern_of
from reeltune.storage.regular_file import read_bytes
from reeltune.storage.text_file import SAVE, decoded

IGNORE_FILE = ".reeltuneignore"
LONGEST = 1 << 16  # bytes of an ignore file


class Excluded:
    """Patterns that hold in one folder and below: those given, and those of its ignore files.

    The last pattern that matches decides, and one that begins with `!` lets in again. Patterns
    that were given go before those of files, and a file in a folder goes before those above it.
    What lies in an excluded folder is never let in again.
    """

    def __init__(self, root: str, given: Sequence[str] = ()) -> None:
        """`given` are patterns relative to `root`; raises ConfigError if one cannot be read."""
        self._given = [(root, patterns(given, "--exclude"))] if given else []
        self._files: dict[str, list[tuple[str, GitIgnoreSpec]]] = {}

    def enter(self, folder: str) -> None:
        """Read the ignore file of a folder, if it has one; the folder above was entered before.

        Raises OSError, ValueError or ConfigError if that cannot be read.
        """
        above = self._files.get(os.path.dirname(folder), [])
        self._files[folder] = [*_ignored_in(folder), *above]

    def excludes(self, folder: str, name: str, is_folder: bool) -> bool:
        """Whether a file or folder that lies in an entered folder is not wanted."""
        path = os.path.join(folder, name)
        for base, spec in (*self._given, *self._files[folder]):
            below = os.path.relpath(path, base).replace(os.sep, "/")
            verdict = spec.check_file(f"{below}/" if is_folder else below).include
            if verdict is not None:
                return verdict
        return False


def patterns(lines: Iterable[str], source: str) -> GitIgnoreSpec:
    """Patterns that are ready to be asked; raises ConfigError naming the one that is none."""
    lines = list(lines)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # re has doubts about sets such as [[:alpha:]]
            return GitIgnoreSpec.from_lines(lines, pattern_of)
    except (ValueError, re.error) as error:
        for line in lines if len(lines) > 1 else []:
            patterns([line], source)
        raise ConfigError(
            f"{source} has {lines[0]!r}, which is no pattern, or one with too many "
            "wildcards; write one as in .gitignore, "
            "such as 'private/' or '*.gif'"
        ) from error


def _ignored_in(folder: str) -> list[tuple[str, GitIgnoreSpec]]:
    path = os.path.join(folder, IGNORE_FILE)
    try:
        content = read_bytes(path, LONGEST)
    except FileNotFoundError:
        return []
    try:
        text = decoded(content, "surrogateescape")
    except ValueError as error:
        raise ConfigError(f"{path} holds no text ({error}); {SAVE}") from error
    return [(folder, patterns(text.split("\n"), path))]
