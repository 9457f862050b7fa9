"""How much faster are frames read in bfloat16 and int8 than in float32, and what does int8 cost?

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
from reeltune.evaluation.compare import compare
from reeltune.evaluation.comparison import Comparison
from reeltune.media.decoder import Decoder
from reeltune.models.clip import Config
from reeltune.models.tiny_clip import load
from reeltune.records import Precision
from reeltune.runs.evaluate import evaluate_opened
from reeltune.runs.evaluation_recipe import evaluation_recipe
from reeltune.runs.place import RunPlace
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


def ratio(took: Times, column: int, fast: Precision, slow: str = "float32") -> float:
    """How many times as long the slow one takes."""
    long, short = (median(row[column] for row in took[name]) for name in (slow, fast))
    return round(long / short, 2)


def has_bfloat16() -> bool:
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


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


def encoding(clips: Path, rounds: int, count: int) -> tuple[Times, dict[Precision, float]]:
    """Times of frames by CLIP in each way, and least cosines with transformers in float32."""
    model = Config().build().requires_grad_(False)
    coarse: list[Precision] = ["bfloat16", "int8"] if has_bfloat16() else ["int8"]
    ways = {one: model.rounded(one) for one in coarse} | {"float32": model}
    with Decoder(Pixels(size=224)) as decoder, decoder.open(clips / CLIPS[-1]) as reading:
        some = torch.stack([torch.from_numpy(frame.pixels) for frame in reading])
    frames = some.repeat(-(-count // len(some)), 1, 1, 1)[:count]
    there = torch.ones(len(frames), 1, dtype=torch.bool)
    colours = model.normalize(frames)
    found: dict[str, torch.Tensor] = {}

    def eager() -> None:
        found["eager"] = model.towers.get_image_features(pixel_values=colours).pooler_output

    def ours(way: Precision) -> None:
        found[way] = ways[way].encode_video(frames[:, None], there)

    works = {"eager": eager} | {way: partial(ours, way) for way in ways}
    took: Times = {name: [] for name in works}
    with torch.inference_mode():
        for work in works.values():  # warms up
            work()
        for _ in range(rounds):
            for name, work in works.items():
                timed(took[name], work)
    return took, {
        way: F.cosine_similarity(found["eager"], found[way]).min().item() for way in coarse
    }


def retrieval(size: str) -> Comparison:
    """Figures of `tiny-clip` on Toybox's test split in float32 and int8, by the same videos."""
    model, name = load(), "tiny-clip"
    recipe = evaluation_recipe(name, "toybox", {"options": {"size": size}})
    with tempfile.TemporaryDirectory() as folder:
        place = RunPlace(out=Path(folder), device="cpu")
        whole, coarse = (
            evaluate_opened(one, Path(name), recipe, place, "test")
            for one in (model, model.rounded("int8"))
        )
    return compare(whole, coarse)


def bfloat16_of_lite(clips: Path, rounds: int, copies: int) -> None:
    if not has_bfloat16():
        print("this processor has no instructions for bfloat16, which is left out", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as name:
        took, seconds, cosine = indexing(clips, Path(name), rounds, copies)
    emit(
        "lite in bfloat16 beside float32",
        index_processor=ratio(took, 1, "bfloat16"),
        index_wall=ratio(took, 0, "bfloat16"),
        lite_cosine=round(cosine, 5),
        index_float32_s=round(median(row[1] for row in took["float32"]), 1),
        video_s=round(seconds, 1),
        threads=torch.get_num_threads(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--copies", type=int, default=3)
    parser.add_argument("--frames", type=int, default=32, help="of one call of CLIP")
    parser.add_argument("--size", default="small", help="of Toybox")
    chosen = parser.parse_args()
    clips = chosen.data / "clips" / "misc"
    if not clips.is_dir():
        print(f"{clips} is absent, so there is nothing to measure on", file=sys.stderr)
        return
    bfloat16_of_lite(clips, chosen.rounds, chosen.copies)
    took, cosines = encoding(clips, chosen.rounds, chosen.frames)
    for way, cosine in cosines.items():
        emit(
            f"CLIP ViT-B/32 in {way} beside transformers in float32",
            clip_processor=ratio(took, 1, way, "eager"),
            clip_wall=ratio(took, 0, way, "eager"),
            clip_cosine=round(cosine, 5),
            float32_processor=ratio(took, 1, "float32", "eager"),
            eager_s=round(median(row[1] for row in took["eager"]), 2),
            frames=chosen.frames,
            threads=torch.get_num_threads(),
        )
    differences = retrieval(chosen.size).differences
    emit(
        "tiny-clip on Toybox, int8 against float32",
        **{
            name.replace(" ", "_"): [round(x, 2) for x in (one.a, one.b, one.low, one.high)]
            for name, one in differences.items()
            if "SumR" in name or "R@1" in name
        },
        outside_noise=[name for name, one in differences.items() if not one.inside_noise],
    )


if __name__ == "__main__":
    main()
