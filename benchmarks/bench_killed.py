"""Does a library survive SIGKILL at any moment of an indexing run?

A run over 24 clips (three of them copies, one broken) is killed after a random time, again and
again. After each kill `verify` must be clean, and nothing that was stored may be gone. When a
library is complete it must equal, moment by moment and vector by vector, one made without
interruption; then the next library is begun. Runs are forked from a process that has the modules
loaded, so that the kills fall into the work and not into the imports.

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
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from _line import emit
from reeltune.cli.sample_clips import encode_pictures
from reeltune.models.clip import Config
from reeltune.search.ingest import Choice, index
from reeltune.search.maintain import verify
from reeltune.search.store import table as _table

CLIPS = 20


def begin(work: Callable[[], None]) -> int:
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


def finish(child: int) -> None:
    """Wait for a process that must end well."""
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit(f"a run that was not killed ended with status {status}")


def make_videos(folder: Path) -> None:
    """Clips of moving bars in different colours, copies and a broken file."""
    from PIL import Image

    source = np.random.default_rng(0)
    folder.mkdir()
    for number in range(CLIPS):
        coarse = source.integers(0, 256, (40, 6, 8, 3), dtype=np.uint8).repeat(4, axis=0)
        pictures = (Image.fromarray(one).resize((160, 90)) for one in coarse)
        encode_pictures(pictures, folder / f"{number:02d}.mp4")
    for number in range(3):
        shutil.copy(folder / f"{number:02d}.mp4", folder / f"copy{number}.mp4")
    (folder / "broken.mp4").write_bytes(b"no video")


def snapshot(library: Path, to: Path) -> None:
    """Write what a library holds, and what verify says of it, as JSON."""
    rows = _table.open_table(library).to_table(columns=["id", "path", "start", "end", "vector"])
    moments = {row.pop("id"): row for row in rows.to_pylist()}
    faults = verify(library).faults if (library / "library.json").exists() else []
    to.write_text(json.dumps({"faults": faults, "moments": moments}))


def seen(library: Path, at: Path) -> dict[str, dict[str, object]]:
    """Moments of a library, looked at by another process; raises if verify finds a fault."""
    if not _table.exists(library):
        return {}
    finish(begin(lambda: snapshot(library, at)))
    found = json.loads(at.read_text())
    if found["faults"]:
        raise SystemExit(f"verify found: {found['faults']}")
    moments: dict[str, dict[str, object]] = found["moments"]
    return moments


def compare(got: dict[str, dict[str, object]], wanted: dict[str, dict[str, object]]) -> None:
    """Raise unless two libraries hold the same moments."""
    if got.keys() != wanted.keys():
        raise SystemExit(f"{len(got)} moments instead of {len(wanted)}")
    for id, row in wanted.items():
        same = np.allclose(np.array(row.pop("vector")), np.array(got[id].pop("vector")), atol=1e-4)
        if not same or row != got[id]:
            raise SystemExit(f"moment {id} differs: {row} and {got[id]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=40)
    kills = parser.parse_args().kills
    source, landed, completed = random.Random(0), 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_videos(folder / "videos")
        finish(begin(lambda: Config.tiny().build().save_pretrained(folder / "model")))
        choice = Choice(model=str(folder / "model"), device="cpu")

        def run(library: Path) -> None:
            index([str(folder / "videos")], library, choice)

        start = time.monotonic()
        finish(begin(partial(run, folder / "whole")))
        length = time.monotonic() - start
        wanted = seen(folder / "whole", folder / "seen.json")
        library = folder / "library0"
        before: dict[str, dict[str, object]] = {}
        while landed < kills:
            child = begin(partial(run, library))
            time.sleep(source.uniform(0, length))
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            landed += os.WIFSIGNALED(status)
            now = seen(library, folder / "seen.json")
            if not before.keys() <= now.keys():
                raise SystemExit(f"lost {len(before.keys() - now.keys())} moments")
            before = now
            if now.keys() == wanted.keys():
                finish(begin(partial(run, library)))
                compare(seen(library, folder / "seen.json"), json.loads(json.dumps(wanted)))
                completed += 1
                library, before = folder / f"library{completed}", {}
        finish(begin(partial(run, library)))
        compare(seen(library, folder / "seen.json"), json.loads(json.dumps(wanted)))
    emit(
        "SIGKILL at random moments of indexing",
        kills=landed,
        run_seconds=round(length, 2),
        libraries_completed_and_equal=completed + 1,
        moments=len(wanted),
        lost=0,
        doubled=0,
        faults=0,
    )


if __name__ == "__main__":
    main()
