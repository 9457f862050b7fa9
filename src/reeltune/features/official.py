"""Frame features as the hybrid_space code keeps them (Dong et al., TPAMI 2021).

`feature.bin`        float32, little endian, row after row, no header
`shape.txt`          rows and width in the first line; other lines are not read, as in its code
`id.txt`             the name of each row, with white space between, in ISO-8859-1
`video2frames.txt`   a Python dict: the names of each video's rows, in order

A row's name is its video's id, an underscore and a number. `video2frames.txt` may be missing: it
is then rebuilt from the names, ordered by number.
"""

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from reeltune.errors import DataError, counted, in_short
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.regular_file import read_bytes
from reeltune.storage.text_file import read_text

DATA, IDS, SHAPE, FRAMES = "feature.bin", "id.txt", "shape.txt", "video2frames.txt"
Rows = dict[str, Int[np.ndarray, " T"]]  # row numbers of each video
NAMES = "ISO-8859-1"
REMEDY = f"features in the official format are the files {DATA}, {SHAPE} and {IDS}"


def read_shape(folder: Path) -> tuple[int, int]:
    """Rows and width; raises DataError if `feature.bin` has another size."""
    path = folder / SHAPE
    try:
        rows, width = (int(part) for part in _text(path).partition("\n")[0].split())
    except ValueError:
        raise DataError(
            f"{path} does not begin with a line of two whole numbers, rows and width; write it, "
            "as in '305462 4096'"
        ) from None
    have, want = (folder / DATA).stat().st_size, 4 * rows * width
    if have != want or rows < 1 or width < 1:
        raise DataError(
            f"{path} says {rows} x {width} float32, which are {want} bytes, but {DATA} has {have}; "
            "copy or unpack both files again"
        )
    return rows, width


def read_rows(folder: Path, count: int) -> Rows:
    """Row numbers of each video, in the order of its frames."""
    names = _text(folder / IDS).split()
    if len(names) != count:
        raise DataError(
            f"{folder / IDS} names {counted(len(names), 'row')} and {SHAPE} says {count}; "
            "copy or unpack both files again"
        )
    number = {name: row for row, name in enumerate(names)}
    if len(number) < count:
        twice = next(name for row, name in enumerate(names) if number[name] != row)
        raise DataError(f"{folder / IDS} names {twice} twice; each row needs a name of its own")
    if not (folder / FRAMES).is_file():
        return rebuilt(names, folder / IDS)
    return _looked_up(_read_frames(folder / FRAMES), number, folder)


def rebuilt(names: Sequence[str], source: Path) -> Rows:
    """Rows by video from their names alone, ordered by the number after the last underscore."""
    found: dict[str, list[tuple[int, int]]] = {}
    for row, name in enumerate(names):
        video, underscore, number = name.rpartition("_")
        if not underscore or not number.isdecimal():
            raise DataError(
                f"{source}: {name!r} does not end in an underscore and a number, so its video is "
                f"not known; put {FRAMES} beside it"
            )
        found.setdefault(video, []).append((int(number), row))
    return {video: np.array([row for _, row in sorted(pairs)]) for video, pairs in found.items()}


def _read_frames(path: Path) -> Mapping[str, Sequence[str]]:
    """The dict in the file, read as a literal: nothing in it is run."""
    try:
        found = ast.literal_eval(read_text(path, REMEDY))
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise _no_frames(path, str(error) or type(error).__name__) from None
    if not isinstance(found, dict):
        raise _no_frames(path, f"it holds a {type(found).__name__}")
    for video, names in found.items():
        is_list = isinstance(names, list) and names and all(isinstance(n, str) for n in names)
        if not (isinstance(video, str) and is_list):
            raise _no_frames(path, f"the frames of {video!r:.60} are {names!r:.60}")
    return found


def _no_frames(path: Path, reason: str) -> DataError:
    return DataError(
        f"{path} is not a dict from a video's id to the names of its frames ({reason}); delete it "
        f"and it is rebuilt from {IDS}"
    )


def _looked_up(
    frames: Mapping[str, Sequence[str]], number: Mapping[str, int], folder: Path
) -> Rows:
    rows = {}
    for video, names in frames.items():
        try:
            rows[video] = np.array([number[name] for name in names])
        except KeyError as error:
            raise DataError(
                f"{folder / FRAMES}: frame {error.args[0]} of {video} has no row, since {IDS} does "
                f"not name it; delete {FRAMES} and it is rebuilt from {IDS}"
            ) from None
    return rows


def require_name(video: str) -> None:
    """Raise DataError for an id that the official files cannot hold."""
    is_latin = video.encode(NAMES, "replace").decode(NAMES) == video
    if not video or video.split() != [video] or not is_latin:
        raise DataError(
            f"{video!r} cannot be an id in {IDS}, which has white space between ids and holds "
            "ISO-8859-1 only; rename the video, or store features in our own format"
        )


def write_official(folder: Path, counts: Mapping[str, int], width: int) -> None:
    """Write the three text files beside a `feature.bin` with `counts` rows per video, in that
    order."""
    frames = {video: [f"{video}_{n}" for n in range(count)] for video, count in counts.items()}
    names = " ".join(name for some in frames.values() for name in some)
    write_atomically(folder / SHAPE, f"{sum(counts.values())} {width}\n".encode())
    write_atomically(folder / IDS, f"{names}\n".encode(NAMES))
    write_atomically(folder / FRAMES, f"{frames!r}\n".encode())


def _text(path: Path) -> str:
    try:
        return read_bytes(path).decode(NAMES)  # which has a letter for every byte
    except OSError as error:
        raise DataError(f"{path} cannot be read ({in_short(error)}); {REMEDY}") from None
