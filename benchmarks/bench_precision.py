"""How much faster does indexing read 720p, and CLIP ViT-B/32 frames, in bfloat16 and int8 than in
float32, and what does int8 cost?

    python benchmarks/bench_precision.py --data ../shared/data

Indexing: the 720p clips of `clips/misc`, a few copies of each, into a fresh library by `lite`,
which is open already, once in float32 and in bfloat16, taking turns; where the processor has no
instructions for bfloat16, it is left out. CLIP: frames of the clips, by Reeltune in each precision
and by transformers in float32, with random weights, taking turns. Ratios are those of processor
time, of all processes, and of wall time beside; medians. What int8 costs is the SumR of `tiny-clip`
on the videos of Toybox's test split, in float32 and in int8.
"""

import argparse
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch.nn import functional as F

from _line import ROOT, emit
from reeltune.media.decoder import Decoder
from reeltune.models.clip import Config
from reeltune.records import Precision
from reeltune.search._by_torch import open_cut
from reeltune.search.encoder import Encoder
from reeltune.search.ingest import index
from reeltune.search.store.table import open_table
from reeltune.storage.place import place
from reeltune.types import Pixels

RUNS = [["--data", "../shared/data"]]
FIGURES = {
    "index_processor": ("higher", "beside lite in float32, indexing of 720p, processor time"),
    "index_wall": ("higher", "beside lite in float32, indexing of 720p"),
    "clip_processor": ("higher", "beside CLIP ViT-B/32 of transformers, processor time"),
    "clip_wall": ("higher", "beside CLIP ViT-B/32 of transformers"),
    "lite_cosine": ("higher", "least cosine of lite's moments with those in float32"),
    "clip_cosine": ("higher", "least cosine of CLIP's frames with those in float32"),
}
CLIPS = ("bigbuckbunny.mp4", "jesse_dance.mp4", "big_buck_bunny_0_30.webm")
Times = dict[str, list[tuple[float, float]]]  # wall and processor, s


def processor() -> float:
    """Seconds of this process and of those that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def timed(took: list[tuple[float, float]], work: Callable[[], object]) -> None:
    wall, used = time.perf_counter(), processor()
    work()
    took.append((time.perf_counter() - wall, processor() - used))


def ratio(took: Times, column: int) -> float:
    slow, fast = (median(row[column] for row in took[name]) for name in ("float32", "bfloat16"))
    return round(slow / fast, 2)


def indexing(clips: Path, folder: Path, rounds: int, copies: int) -> tuple[Times, float, float]:
    """Times by precision, seconds of video, and the least cosine between the two."""
    videos = folder / "videos"
    videos.mkdir()
    for name in CLIPS:
        for number in range(copies):
            copy = videos / f"{number}-{name}"
            shutil.copyfile(clips / name, copy)
            with copy.open("ab") as file:
                file.write(b"\0" * number)  # another content, or it would be a known copy
    both: tuple[Precision, Precision] = ("float32", "bfloat16")
    encoders = {
        one: Encoder("lite", partial(open_cut, "lite", "cpu", None, None), precision=one)
        for one in both
    }
    took: Times = {one: [] for one in both}
    vectors = {}
    for number in range(rounds):
        for one, encoder in encoders.items():
            library = str(folder / f"{one}{number}")
            _ = encoder.baseline  # opens the model
            timed(took[one], partial(index, [str(videos)], library, encoder=encoder))
            vectors[one] = stored(library)
    cosine = float((vectors["float32"] * vectors["bfloat16"]).sum(1).min())
    return took, copies * seconds_of([clips / name for name in CLIPS]), cosine


def stored(library: str) -> torch.Tensor:
    """The vectors of a library, by file and time."""
    rows = open_table(place(library)).to_table(columns=["path", "start", "vector"])
    ordered = rows.sort_by([("path", "ascending"), ("start", "ascending")])
    return torch.tensor(ordered["vector"].to_pylist())


def seconds_of(paths: list[Path]) -> float:
    with Decoder() as decoder:
        return sum(decoder.open(path).info.duration for path in paths)


def encoding(clips: Path, rounds: int) -> tuple[Times, float]:
    """Times of 32 frames by CLIP in each way, and the least cosine between the two."""
    model = Config().build().requires_grad_(False)
    chosen = model.rounded()
    with Decoder(Pixels(size=224)) as decoder, decoder.open(clips / CLIPS[-1]) as reading:
        some = torch.stack([torch.from_numpy(frame.pixels) for frame in reading])
    frames = some.repeat(3, 1, 1, 1)[:32]
    there = torch.ones(len(frames), 1, dtype=torch.bool)
    colours = model.normalize(frames)
    took: Times = {"float32": [], "bfloat16": []}
    found: dict[str, torch.Tensor] = {}

    def eager() -> None:
        found["float32"] = model.towers.get_image_features(pixel_values=colours).pooler_output

    def ours() -> None:
        found["bfloat16"] = chosen.encode_video(frames[:, None], there)

    with torch.inference_mode():
        for work in (eager, ours):  # warms up
            work()
        for _ in range(rounds):
            timed(took["float32"], eager)
            timed(took["bfloat16"], ours)
    return took, F.cosine_similarity(found["float32"], found["bfloat16"]).min().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--copies", type=int, default=3)
    chosen = parser.parse_args()
    clips = chosen.data / "clips" / "misc"
    if not clips.is_dir():
        print(f"{clips} is absent, so there is nothing to measure on", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as name:
        index_took, seconds, lite = indexing(clips, Path(name), chosen.rounds, chosen.copies)
    clip_took, clip = encoding(clips, chosen.rounds)
    emit(
        "bfloat16 beside float32",
        index_processor=ratio(index_took, 1),
        index_wall=ratio(index_took, 0),
        clip_processor=ratio(clip_took, 1),
        clip_wall=ratio(clip_took, 0),
        lite_cosine=round(lite, 5),
        clip_cosine=round(clip, 5),
        index_float32_s=round(median(row[1] for row in index_took["float32"]), 1),
        video_s=round(seconds, 1),
        threads=torch.get_num_threads(),
    )


if __name__ == "__main__":
    main()
