"""Which objects of a store are videos to be read, and what is passed over."""

from collections.abc import Iterator

from reeltune.media._excluded import patterns
from reeltune.media._passed_over import folder_kind, name_kind, suffix_kind
from reeltune.media.names import SUFFIXES, suffix_of
from reeltune.storage.object_path import ObjectPath

EXCLUDED = "excluded"


def kinds_below(
    root: ObjectPath, exclude: tuple[str, ...], everything: bool
) -> Iterator[tuple[ObjectPath, str]]:
    """Every object below, each with why it is passed over; empty for one to be read.

    Names alone decide, as to look at the first bytes is a request for each; the rules of names are
    those of folders.
    """
    spec = patterns(exclude, "--exclude") if exclude else None
    for path in root.below():
        below = path.key[len(root.key) :].strip("/")
        if spec is not None and spec.check_file(below).include:
            yield path, EXCLUDED
        else:
            yield path, _kind(below.split("/"), everything)


def _kind(names: list[str], everything: bool) -> str:
    name, suffix = names[-1], suffix_of(names[-1])
    kind = "" if everything else next(filter(None, map(folder_kind, names[:-1])), name_kind(name))
    return kind or suffix_kind(name) or ("" if suffix in SUFFIXES else suffix or "without a suffix")
