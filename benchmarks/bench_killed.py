"""Does a library survive SIGKILL at any moment?

A run over 30 files (three of them copies, one broken) is killed after a random time, again and
again. After each kill `verify` must be clean, and nothing that was stored may be gone. When a
library is complete it must equal, moment by moment and vector by vector, one made without
interruption; then the next library is begun.

The commands that look after a library are killed likewise: it must then hold what it held before or
what the command makes of it, and the command done again must make that of it. After a kill of
`index --prune`, which also finds the words of files that are elsewhere now, and of `repair` in a
damaged library, the next one must make of it what one makes that was not killed.

Work is done in processes forked from one that has the modules loaded, so that the kills fall into
the work and not into the imports.

    python benchmarks/bench_killed.py --kills 60
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from _line import emit
from reeltune.cli.encoded_clip import encode_pictures
from reeltune.models.clip import Config
from reeltune.search.files import relocate, remove
from reeltune.search.ingest import Choice, index
from reeltune.search.maintain import verify
from reeltune.search.repair import repair
from reeltune.search.store import table as _table
from reeltune.search.store import texts as _texts
from reeltune.search.store.changes import undo
from reeltune.search.store.manifest import FILE_NAME
from reeltune.search.store.seal import manifests

RUNS = [["--kills", "60"]]
FIGURES = {
    "lost": ("lower", "moments lost over all kills"),
    "doubled": ("lower", "moments doubled"),
    "faults": ("lower", "faults that verify found"),
}

SUBTITLES = (
    "1\n00:00:00,100 --> 00:00:01,000\nbars of kind {0}\n\n"
    "2\n00:00:01,000 --> 00:00:02,000\nwhich move on for {0} seconds\n"
)
OTHERS = 4  # of the files: three copies and a broken one
IN_STEPS = ("repair", "prune")  # commands that may be killed between two commits
Moments = dict[str, dict[str, Any]]


def begin(work: Callable[[], object]) -> int:
    """Start `work` in a process of its own; its number."""
    child = os.fork()
    if child:
        return child
    os.setsid()
    try:
        work()
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        os._exit(1)
    os._exit(0)


def finish(work: Callable[[], object]) -> float:
    """Do `work` in a process, which must end well; how long it took, in seconds."""
    start = time.monotonic()
    _, status = os.waitpid(begin(work), 0)
    if status:
        raise SystemExit(f"a process that was not killed ended with status {status}")
    return time.monotonic() - start


def kill(work: Callable[[], object], after: float) -> bool:
    """Begin `work` and kill it after so many seconds; False if it had ended before."""
    child = begin(work)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def make_videos(folder: Path, files: int) -> None:
    """Clips of moving bars in different colours, with subtitles beside them, copies and a broken
    file."""
    from PIL import Image

    source = np.random.default_rng(0)
    folder.mkdir()
    for number in range(files - OTHERS):
        coarse = source.integers(0, 256, (40, 6, 8, 3), dtype=np.uint8).repeat(4, axis=0)
        pictures = (Image.fromarray(one).resize((160, 90)) for one in coarse)
        encode_pictures(pictures, folder / f"{number:02d}.mp4", size=(160, 90))
        (folder / f"{number:02d}.srt").write_text(SUBTITLES.format(number))
    for number in range(OTHERS - 1):
        shutil.copy(folder / f"{number:02d}.mp4", folder / f"copy{number}.mp4")
    (folder / "broken.mp4").write_bytes(b"no video")


def look(library: Path, to: Path) -> None:
    """Write what a library holds, moments and words, and what verify says of it, as JSON."""
    names = ["id", "path", "location", "start", "end", "vector"]
    rows = _table.open_table(library).to_table(columns=[*names, "video"]).to_pylist()
    places = {row.pop("video"): row["path"] for row in rows}
    moments = {row.pop("id"): row for row in rows}
    if words := _texts.open_texts(library):
        for row in words.to_table(
            columns=["id", "video", "start", "end", "text", "vector"]
        ).to_pylist():
            if row["video"] in places:
                moments[row.pop("id")] = row | {"path": places[row["video"]]}
    faults = verify(library).faults if (library / FILE_NAME).exists() else []
    to.write_text(json.dumps({"faults": faults, "moments": moments}))


def seen(library: Path) -> Moments:
    """What a library holds, looked at by another process; raises if verify finds a fault."""
    if not _table.exists(library):
        return {}
    at = library.with_suffix(".json")
    finish(partial(look, library, at))
    found = json.loads(at.read_text())
    if found["faults"]:
        raise SystemExit(f"verify found: {found['faults']}")
    moments: Moments = found["moments"]
    return moments


def compare(got: Moments, wanted: Moments) -> None:
    """Raise unless two libraries hold the same moments and words, made on different days."""
    if got.keys() != wanted.keys():
        raise SystemExit(f"{len(got)} moments and phrases instead of {len(wanted)}")
    for id, row in wanted.items():
        if not np.allclose(row["vector"], got[id]["vector"], atol=1e-4):
            raise SystemExit(f"the vector of moment {id} differs")
        if {**row, "vector": None} != {**got[id], "vector": None}:
            raise SystemExit(f"moment {id} differs: {row} and {got[id]}")


def kill_runs(folder: Path, run: Callable[[Path], object], kills: int) -> None:
    """Kill runs of `index` until the library is complete, and begin the next one."""
    source, landed, completed = random.Random(0), 0, 0
    length = finish(partial(run, folder / "whole"))
    wanted = seen(folder / "whole")
    before: Moments = {}
    while landed < kills:
        library = folder / f"library{completed}"
        landed += kill(partial(run, library), source.uniform(0, length))
        now = seen(library)
        if lost := before.keys() - now.keys():
            raise SystemExit(f"lost {len(lost)} moments")
        before = now
        if now.keys() == wanted.keys() or landed >= kills:
            finish(partial(run, library))
            compare(seen(library), wanted)
            completed, before = completed + 1, {}
    emit(
        "SIGKILL at random moments of indexing",
        kills=landed,
        run_seconds=round(length, 2),
        libraries_completed_and_equal=completed,
        moments_and_phrases=len(wanted),
        lost=0,
        doubled=0,
        faults=0,
    )


@dataclass(frozen=True)
class Care:
    """A command that looks after a library."""

    name: str
    library: Path  # as it finds it
    work: Callable[[Path], object]


def cares(folder: Path, choice: Choice) -> Iterator[Care]:
    """Commands, and libraries made ready for them."""
    whole, videos = folder / "whole", folder / "videos"
    gone = [str(path) for path in sorted(videos.glob("*.mp4"))[::3]]

    def take_out(library: Path) -> None:
        remove(library, [path for path in gone if Path(path).stem.isdecimal()])

    yield Care("remove", whole, take_out)

    removed = shutil.copytree(whole, folder / "removed")
    finish(partial(take_out, removed))
    yield Care("undo", removed, undo)

    other = shutil.copytree(videos, folder / "other")
    move = partial(relocate, old=str(videos), new=str(other))
    yield Care("relocate", whole, move)

    moved = shutil.copytree(whole, folder / "moved")
    finish(partial(move, moved))
    for path in gone:
        (other / Path(path).name).unlink()
    yield Care("prune", moved, partial(index, [str(other)], choice=replace(choice, prune="gone")))

    damaged = shutil.copytree(whole, folder / "damaged")
    table = damaged / _table.NAME
    words = max((damaged / _texts.NAME / "data").iterdir())
    for found in (max((table / "data").iterdir()), manifests(table)[0][1], words):
        file = Path(str(found))
        content = file.read_bytes()
        middle = len(content) // 2
        file.write_bytes(content[:middle] + bytes(200) + content[middle + 200 :])
    yield Care("repair", damaged, repair)


def kill_cares(folder: Path, choice: Choice, kills: int) -> None:
    """Kill each command that looks after a library, each time on a copy of what it finds."""
    source, landed = random.Random(0), dict[str, int]()
    for care in cares(folder, choice):
        done = shutil.copytree(care.library, folder / f"{care.name} done")
        length = finish(partial(care.work, done))
        before = {} if care.name == "repair" else seen(care.library)
        wanted, landed[care.name] = seen(done), 0
        while landed[care.name] < kills:
            library = shutil.copytree(care.library, folder / "killed")
            landed[care.name] += kill(partial(care.work, library), source.uniform(0, length))
            if care.name in IN_STEPS or seen(library) == before:
                finish(partial(care.work, library))
            if seen(library) != wanted:
                raise SystemExit(f"{care.name}, killed and done again, did not end as otherwise")
            shutil.rmtree(library)
    emit("SIGKILL at random moments of looking after a library", kills=landed, lost=0, faults=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60, help="of runs, and of each command")
    parser.add_argument("--files", type=int, default=30, help="7 or more: copies are of three")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_videos(folder / "videos", options.files)
        finish(lambda: Config.tiny().build().save_pretrained(folder / "model"))
        choice = Choice(model=str(folder / "model"), device="cpu", hear=True)
        kill_runs(folder, partial(index, [str(folder / "videos")], choice=choice), options.kills)
        kill_cares(folder, choice, options.kills)


if __name__ == "__main__":
    main()
