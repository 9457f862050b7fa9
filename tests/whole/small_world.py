"""A folder in which every documented command runs: a few clips of Toybox under all names wanted."""

import csv
import json
import re
import shutil
from pathlib import Path

import av
import numpy as np
from documented import ROOT, arguments, named
from typer.testing import CliRunner, Result

from reeltune.cli.app import app
from reeltune.cli.options import changes_of
from reeltune.data.toybox import Config
from reeltune.models import clip
from reeltune.papers.table.make import jobs_of, table_named
from reeltune.papers.table.plan import Plan
from reeltune.recipes.stored import RECIPE, as_stored, write_recipe
from reeltune.types import Pair

TRAIN, VAL, TEST = 14, 4, 4  # clips of the copies of published datasets


def run(words: list[str]) -> Result:
    return CliRunner().invoke(app, words)


def succeed(words: list[str]) -> None:
    done = run(words)
    assert done.exit_code == 0, f"{' '.join(words)}: {done.output}{done.exception!r}"


def make_world(home: Path) -> None:
    """Fill the current folder, and `home`, with what the pages suppose to be there."""
    tiny = Config(size="tiny")
    pairs = [pair for part in ("train", "val", "test") for pair in tiny.read(part).pairs]
    clips = list({pair.video: pair for pair in pairs}.values())[: TRAIN + VAL + TEST]
    for folder in (home / "Videos", home / "MSRVTT" / "videos", Path("few")):
        folder.mkdir(parents=True)
    for pair in clips[:TRAIN]:
        shutil.copy(pair.path, home / "Videos" / pair.path.name)
    for pair in clips[:2]:
        shutil.copy(pair.path, Path("few") / pair.path.name)
    Path("MSRVTT").symlink_to(home / "MSRVTT")
    write_own_captions(Path("captions.csv"), clips[:TRAIN])
    write_own_captions(home / "Videos" / "captions.csv", clips[:TRAIN])
    write_own_recipe()
    write_words(clips)
    write_photos(home, clips[0])
    write_msrvtt(home / "MSRVTT", clips)
    clip.Config.tiny().build().save_pretrained("clip-folder")
    for collection in ("msrvtt10k", "vatex"):
        write_hybrid(home, collection)
    shutil.copytree(trained("toybox/vop-fp"), "tuned")
    shutil.copy(clips[0].path, "clip.mp4")
    for name in ("released", "de-released"):
        shutil.copytree(trained("msrvtt-official/dual-encoding"), name)
        Path(name, RECIPE).unlink()
    succeed(["prune", str(trained("toybox/dual-encoding")), "--int8", "--out", "fast"])
    succeed(["prune", "tiny-clip", "--amount", "0", "--merge", "1", "--out", "merged"])
    for library in ("holidays", "reeltune.library"):
        succeed(["index", str(home / "Videos"), "--library", library, "--model", "tiny-clip"])


def write_own_recipe() -> None:
    """The one that docs/training.md prints."""
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"```yaml\n(benchmark:.*?)```", text, re.DOTALL)
    Path("short.yaml").write_text(recipe)


def write_words(clips: list[Pair]) -> None:
    """Vectors of words, and tags of videos, as hybrid_space has them."""
    words = sorted({word for pair in clips for word in pair.caption.lower().split()})
    Path("VECTORS").mkdir()
    Path("VECTORS", "id.txt").write_text(" ".join(words))
    Path("VECTORS", "shape.txt").write_text(f"{len(words)} 16")
    vectors = np.random.default_rng(0).normal(size=(len(words), 16))
    vectors.astype("<f4").tofile("VECTORS/feature.bin")
    named = [f"video{n}" for n in range(TRAIN + VAL)] + [f"video{7010 + n}" for n in range(TEST)]
    Path("video_label_th_1.txt").write_text("".join(f"{name}\t{words[0]}:2\n" for name in named))
    Path("tag_vocab_512.json").write_text(json.dumps(words[:4]))


def write_own_captions(path: Path, clips: list[Pair]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "caption"])
        writer.writerows([pair.path.name, pair.caption] for pair in clips)


def write_photos(home: Path, pair: Pair) -> None:
    (home / "Photos").mkdir()
    with av.open(str(pair.path)) as container:
        picture = next(container.decode(video=0)).to_image()
    for path in (Path("photo.jpg"), home / "Photos" / "one.jpg"):
        picture.save(path)


def write_msrvtt(folder: Path, clips: list[Pair]) -> None:
    """MSR-VTT in the layout that is published, with lists of 9k and 7k."""
    names = [f"video{n}" for n in range(TRAIN + VAL)] + [f"video{7010 + n}" for n in range(TEST)]
    for name, pair in zip(names, clips, strict=True):
        shutil.copy(pair.path, folder / "videos" / f"{name}.mp4")
    said = [{"video_id": n, "caption": p.caption} for n, p in zip(names, clips, strict=True)]
    videos = [{"video_id": name, "split": "train"} for name in names]
    (folder / "MSRVTT_data.json").write_text(json.dumps({"videos": videos, "sentences": said}))
    for kind in ("9k", "7k"):
        listed = "".join(f"{name}\n" for name in names[: TRAIN + VAL])
        (folder / f"MSRVTT_train.{kind}.csv").write_text(f"video_id\n{listed}")
    with (folder / "MSRVTT_JSFUSION_test.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["key", "vid_key", "video_id", "sentence"])
        for n, one in enumerate(said[-TEST:]):
            rows.writerow([f"ret{n}", f"msr{n}", one["video_id"], one["caption"]])


def write_hybrid(home: Path, collection: str) -> None:
    """A collection of hybrid_space below ROOT, with features of tiny-clip."""
    place = Path("ROOT") / collection
    features = ["features", str(home / "MSRVTT" / "videos"), "--model", "tiny-clip"]
    succeed([*features, "--format", "official", "--out", str(place / "FeatureData" / "clip")])
    data = json.loads((home / "MSRVTT" / "MSRVTT_data.json").read_text())["sentences"]
    (place / "TextData").mkdir()
    parts = {"train": (0, TRAIN), "val": (TRAIN, TRAIN + VAL), "test": (TRAIN + VAL, None)}
    for part, (first, last) in parts.items():
        lines = [
            f"{s['video_id']}#{n} {s['caption']}\n" for s in data[first:last] for n in range(2)
        ]
        (place / "TextData" / f"{collection}{part}.caption.txt").write_text("".join(lines))


def provide(line: str) -> None:
    """Have the runs that a line reads, trained once, and all those of a table."""
    words = arguments(line)
    if "--out" in words:
        del words[words.index("--out") + 1]
    for word in (word.split("=")[-1] for word in words):
        if word.startswith("runs/short/"):
            succeed(arguments("reeltune train short.yaml"))
        elif Path(word).parts[:1] == ("runs",):
            trained("/".join(Path(word).parts[1:3]))
    if line.startswith("reeltune cut"):
        succeed(["search", "a circle"])  # whose hits it takes
    if line.startswith("reeltune table"):
        finish_runs_of_table(line)


def trained(recipe: str) -> Path:
    """The folder of a small run."""
    benchmark, _, method = recipe.partition("/")
    folder = Path("runs", benchmark, method, "seed0")
    if not folder.exists():
        data = {"msrvtt-9k": ["--data", str(Path.home() / "MSRVTT")]}
        is_made = benchmark.startswith("toybox")
        where = [] if is_made else data.get(benchmark, ["--data", "ROOT"])
        succeed([*arguments(f"reeltune train {recipe}"), *where])
    return folder


def finish_runs_of_table(line: str) -> None:
    """Put a run that was trained once into the place of each that the table would train."""
    command, left = named(arguments(line))
    asked = command.make_context("table", left).params
    kind = table_named(asked["family"]).folder or asked["family"]
    plan = Plan(
        family=asked["family"],
        benchmark=asked["dataset"],
        out=Path("runs", "tables", f"{kind}-{asked['dataset']}"),
        seeds=asked["seeds"],
        data=asked["data"],
        changes=changes_of(asked["settings"]),
        own=tuple(asked["method"] or ()),
    )
    for job in jobs_of(plan):
        if not job.folder.exists():
            source = next(run for begin, run in ALIKE.items() if job.method.startswith(begin))
            shutil.copytree(trained(f"{plan.benchmark}/{source}"), job.folder)
            write_recipe(as_stored(job.recipe(plan)), job.folder)


ALIKE = {  # the run that stands for another, by how that one's method begins
    "univl-caption": "univl-caption-speech-meltr",
    "univl": "univl-meltr",
    "dual-encoding": "dual-encoding",
    "": "vop-fp",
}
