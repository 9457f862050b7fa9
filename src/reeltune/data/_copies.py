"""Files of one content under several names, which are one video and must not be two."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from reeltune.data.splits.part import Part
from reeltune.errors import DataError
from reeltune.storage.content import known_hash
from reeltune.types import LeftOut, collect_left_out


def find_originals(files: Mapping[str, Path]) -> dict[str, str]:
    """Names of files that are copies, byte for byte, each with the alphabetically first name of its
    content.

    Only files that share their size with another are read. Those that are empty or cannot be read
    are not compared: they give no frames, and are left out by name where they are decoded.
    """
    alike: dict[int, list[str]] = {}
    for name in sorted(files):
        with suppress(OSError):
            alike.setdefault(files[name].stat().st_size, []).append(name)
    alike.pop(0, None)
    first: dict[str, str] = {}
    originals = {}
    for name in (name for names in alike.values() if len(names) > 1 for name in names):
        with suppress(DataError):
            original = first.setdefault(known_hash(files[name]), name)
            if original != name:
                originals[name] = original
    return originals


def refuse_copies_across(
    splits: Mapping[str, Part], originals: Mapping[str, str], source: Path
) -> None:
    """Raise DataError if a copy was given another split than its original."""
    for copy, original in originals.items():
        if splits[copy] != splits[original]:
            raise DataError(
                f"{source}: {copy}, whose split is {splits[copy]}, is a copy by content of "
                f"{original}, whose split is {splits[original]}; what is learned from must not be "
                "tested on, so give both the same split, or leave one out"
            )


def note_copies(named: Iterable[str], originals: Mapping[str, str]) -> Sequence[LeftOut]:
    """The note about copies among the names."""
    copies = dict.fromkeys(name for name in named if name in originals)
    told = (
        (f"{copy} (as {originals[copy]})", "of the same content as another, so one video with it")
        for copy in copies
    )
    return collect_left_out("file", told, missing=False)
