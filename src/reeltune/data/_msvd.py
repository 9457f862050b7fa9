"""Names of MSVD's clips: as on YouTube, and the aliases that the video captioning field uses."""

from collections.abc import Iterator
from pathlib import Path

from reeltune.data._annotations import find_files, read_lines
from reeltune.errors import DataError

DESCRIPTIONS = "AllVideoDescriptions.txt"
MAPPING = "youtube_mapping.txt"
VIDEOS = ("videos", "YouTubeClips", "MSVD_Videos")


def named_by_alias(folder: Path, dataset: str) -> dict[str, str]:
    """Names such as `-4wsuPCjDBc_5_15` by alias such as `vid1`; empty if there is no such file.

    Raises DataError for a name or an alias that stands in two lines with different others.
    """
    names: dict[str, str] = {}
    aliases: dict[str, str] = {}
    for path in find_files(folder, [MAPPING], dataset):
        for name, alias in two_parts(path, None, dataset):
            if names.setdefault(alias, name) != name or aliases.setdefault(name, alias) != alias:
                raise DataError(
                    f"{path} has {name} {alias} beside {names[alias]} {aliases.get(name, alias)}, "
                    f"and each clip has one alias; take {MAPPING} from {_source(path)} (`reeltune "
                    f"datasets {dataset}` has the address)"
                )
    return names


def two_parts(path: Path, separator: str | None, dataset: str) -> Iterator[tuple[str, str]]:
    """The first word and the rest of each line; lines that begin with # are comments."""
    for number, line in read_lines(path, dataset):
        if line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split(separator, 1)]
        if len(parts) < 2 or not all(parts):
            raise DataError(
                f"{path}, line {number}: got {line!r:.60}, and each line is the name of a clip and "
                f"what belongs to it, with {'a tab' if separator else 'a space'} between; correct "
                f"the line, or take {path.name} from {_source(path)} (`reeltune datasets "
                f"{dataset}` has the address)"
            )
        yield parts[0], parts[1]


def _source(path: Path) -> str:
    if path.name == DESCRIPTIONS:
        return "the official page of MSVD at the University of Texas"
    return "the release that the other files beside it come from"
