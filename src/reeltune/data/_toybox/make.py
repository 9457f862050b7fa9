"""Write a Toybox to disk: mp4 files and one JSON line per clip."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
from filelock import FileLock
from jaxtyping import UInt8

from reeltune.batches.in_threads import in_threads
from reeltune.data._toybox.language import captions, mood, questions, transcript
from reeltune.data._toybox.render import FRAMES, RATE, SIDE, Look, frames
from reeltune.data._toybox.world import Script, draw_scripts
from reeltune.data.splits.part import Part
from reeltune.errors import DataError, in_short
from reeltune.storage.outputs import naming
from reeltune.storage.settings_file import read_json

VERSION = 5  # of the world; a new one where any file would come out different
FINISHED = "finished.json"
SIZES: dict[str, dict[Part, int]] = {
    "tiny": {"train": 24, "val": 8, "test": 12},
    "small": {"train": 1024, "val": 128, "test": 256},
    "base": {"train": 2400, "val": 320, "test": 640},
}
# Every frame is coded alone and alike: what an encoder carries from frame to frame would tell a
# clip from its twin without any sense of time. Without `cpu-independent`, x264 takes what is
# fastest where a picture lies in memory, and two runs differ by some pixels.
CODEC = {"g": "1", "qp": "23", "threads": "1", "x264-params": "cpu-independent=1"}
Progress = Callable[[int, int], None]  # clips done, clips in all


@dataclass(frozen=True)
class Task:
    """One clip to be made; `number` seeds its look and its words."""

    subset: Part
    number: int
    seed: int
    script: Script
    has_twin: bool  # in the same subset


def make_toybox(folder: Path, size: str, seed: int, progress: Progress | None = None) -> Path:
    """Fill `folder` unless it is already full. Several processes may do so at once.

    Errors: `DataError` if it holds another world.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if not (folder / FINISHED).is_file():
            _make(folder, size, seed, progress or (lambda done, total: None))
    _require_world(folder, size, seed)
    return folder


def _require_world(folder: Path, size: str, seed: int) -> None:
    try:
        facts = read_json(folder / FINISHED)
        found = facts["size"], facts["seed"], facts["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder / FINISHED} cannot be read ({in_short(error)}); delete {folder} "
            "and it is made again"
        ) from error
    if found != (size, seed, VERSION):
        raise DataError(
            f"{folder} holds Toybox {found[0]} with seed {found[1]} (version {found[2]}), and "
            f"wanted is {size} with seed {seed} (version {VERSION}); name another folder or delete "
            "this one"
        )


def tasks(size: str, seed: int) -> Iterator[Task]:
    """The clips of a world, the same ones in every run."""
    for number, (subset, count) in enumerate(SIZES[size].items()):
        scripts = draw_scripts(np.random.default_rng([seed, number]), subset, count)
        for i, script in enumerate(scripts):
            twin = script.is_temporal() and script.twin() in scripts
            yield Task(subset, i, seed, script, twin)


def _make(folder: Path, size: str, seed: int, progress: Progress) -> None:
    (folder / "videos").mkdir(exist_ok=True)
    every = list(tasks(size, seed))
    lines: dict[str, list[str]] = {subset: [] for subset in SIZES[size]}
    with closing(in_threads(partial(_write, folder), every)) as made:
        for done, (task, line) in enumerate(zip(every, made, strict=True), 1):
            lines[task.subset].append(line)
            progress(done, len(every))
    facts = {"version": VERSION, "size": size, "seed": seed, "clips": SIZES[size]}
    half = folder / f".{FINISHED}"
    with naming(folder):
        for subset, written in lines.items():
            (folder / f"{subset}.jsonl").write_text("\n".join(written) + "\n", encoding="utf-8")
        half.write_text(json.dumps(facts), encoding="utf-8")
    half.replace(folder / FINISHED)


def _write(folder: Path, task: Task) -> str:
    """One clip and its line; a clip and its twin look the same, frame for frame."""
    name = f"{task.subset}{task.number:05}"
    twins = sorted([repr(task.script), repr(task.script.twin())])
    alike = [task.seed, *("".join(twins).encode())]
    write_clip(
        folder / "videos" / f"{name}.mp4",
        frames(task.script, Look.draw(np.random.default_rng(alike))),
    )
    source = np.random.default_rng([task.seed, hash_of(task.subset), task.number])
    facts = {
        "video": name,
        "captions": captions(task.script, source),
        "tags": ["temporal"] if task.has_twin else [],
        "questions": [asdict(question) for question in questions(task.script)],
        "transcript": transcript(task.script, source, FRAMES / RATE),
        "mood": mood(task.script),
        "events": [asdict(event) for event in task.script.events],
    }
    return json.dumps(facts)


def hash_of(subset: Part) -> int:
    """A number that names a subset in seeds."""
    return list(SIZES["tiny"]).index(subset)


def write_clip(path: Path, pictures: Iterable[UInt8[np.ndarray, "H W 3"]]) -> None:
    """An mp4 at RATE, written under another name and renamed."""
    half = path.with_name(f".{path.name}")
    with av.open(str(half), "w", format="mp4") as container:
        stream = container.add_stream("h264", rate=RATE, options=CODEC)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for number, picture in enumerate(pictures):
            seen = av.VideoFrame.from_ndarray(picture, format="rgb24")
            seen.pts, seen.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(seen))
        container.mux(stream.encode())
    half.replace(path)
