"""Suggests files that may be meant when a name does not exist."""

import difflib
import os
from collections.abc import Collection, Iterable
from itertools import islice

TRIED = 5  # names that are compared letter by letter, which is slow
ALIKE = 0.8  # of 1: the least that counts as near


def nearest(names: Iterable[str], there: Collection[str]) -> tuple[str, str] | None:
    """The first of `names` that resembles one of those `there`, and the one that it resembles.

    Names are alike if they differ only in suffix, slashes, capitals or folders, or, if there are
    none such, in a few letters.
    """
    places: dict[str, str] = {}
    for name in there:
        for spelling in _spellings(name):
            places.setdefault(spelling, name)
    wanted = list(names)
    for name in wanted:
        for spelling in _spellings(name):
            if spelling in places:
                return name, places[spelling]
    for name in islice(wanted, TRIED):
        if close := difflib.get_close_matches(name, there, 1, ALIKE):
            return name, close[0]
    return None


def hint(names: Iterable[str], there: Collection[str]) -> str:
    """The ending of a sentence that suggests what `nearest` finds; empty if it finds nothing."""
    found = nearest(names, there)
    return f", where the nearest to {found[0]} is {found[1]}" if found else ""


def _spellings(name: str) -> list[str]:
    """The whole path and then its end, without the suffix, slashes and capitals that tell names
    apart."""
    plain = name.replace("\\", "/").casefold()
    paths = [plain, os.path.splitext(plain)[0]]
    return [*paths, *(path.rpartition("/")[2] for path in paths)]
