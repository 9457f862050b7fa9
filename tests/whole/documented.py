"""The command lines that README.md, docs/**/*.md and `--help` show, and their smallest sizes."""

import re
import shlex
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from typer.main import get_command

from reeltune.cli.app import app

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "docs" / "extend"  # whose commands come from outside; tests of its own run them
PAGES = [
    ROOT / "README.md",
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if PLUGINS not in page.parents),
]
BLOCK = re.compile(r"```\w*\n(.*?)```", re.DOTALL)
PROGRAM = get_command(app)

WORDS = {  # of a reader's own, by what stands for them here
    "openai/clip-vit-base-patch32": "tiny-clip",
    "PATHS": "~/Videos",
    "VIDEOS": "~/Videos",
    "DIR": "~/Videos",
    "VIDEO": "clip.mp4",
    "ANSWERER": "runs/toybox-what/univl/seed0",
    "WRITER": "runs/toybox/univl-caption/seed0",
    "CAPTIONS": "captions.csv",
    "M": "tiny-clip",
    "CLIP": "tiny-clip",
    "OUT": "made",
    "lite": "tiny-clip",
    "siglip2": "tiny-clip",
    "NAME": "msrvtt",
    "RECIPE": "toybox/vop-fp",
    "RECIPE_OR_MODEL": "toybox/vop-fp",
    "MODEL": "tiny-clip",
    "CHECKPOINT": "runs/toybox/dual-encoding/seed0",
    "RUN": "runs/toybox/univl-meltr/seed0",
    "OTHER": "runs/toybox/univl-meltr/seed0",
    "runs/toybox/univl/seed0": "runs/toybox/univl-meltr/seed0",
    "100": "10",  # candidates: the tiny Toybox has 12 clips
    "A": "runs/toybox/vop/seed0",
    "B": "runs/toybox/vop-fp/seed0",
}
HYBRID = (  # sizes of a Dual Encoding that a few clips can train
    *("config.features=96", "config.words=30", "config.embedding=16", "config.hidden=16"),
    *("config.filters=8", "config.latent=24", "config.concepts=4", "words.at_least=1"),
    *("training.epochs=1", "training.batch=8"),
)
SMALL = {  # what is set so that a line takes a second; by how the line begins
    "train toybox/tempme-zero-shot": ("options.size=tiny",),  # which trains nothing
    "train toybox/": ("options.size=tiny", "training.epochs=1"),
    "train toybox-": ("options.size=tiny", "training.epochs=1"),
    "train msrvtt-9k/": (
        *("options.hold_out=2", "config.base=tiny-clip", "frames=2"),
        *("training.batch=4", "training.epochs=1"),
    ),
    "train msrvtt-official/": (*HYBRID, "options.collection=msrvtt10k", "options.feature=clip"),
    "train vatex/": (*HYBRID, "options.collection=vatex", "options.feature=clip"),
    "table dual-encoding-pp --dataset msrvtt-official": (
        *HYBRID,
        *("options.collection=msrvtt10k", "options.feature=clip"),
    ),
    "train short.yaml": ("training.epochs=1", "frames=2", "training.batch=8"),
    "train runs/short": ("training.epochs=1", "frames=2", "training.batch=8"),
    "train folder/vop": (
        *("config.base=tiny-clip", "frames=2", "training.batch=4", "training.epochs=1"),
    ),
    "train folder/tempme": (
        *("config.base=tiny-clip", "frames=2", "training.batch=4", "training.epochs=1"),
        "config.joins=[]",
    ),
    "evaluate tiny-clip --benchmark msrvtt-9k": ("options.hold_out=2",),
    "train folder/dual-encoding-meltr": (  # one video is held out of so few
        *(*HYBRID[:-1], "config.encoder=tiny-clip", "training.batch=4", "meltr.outer=recent"),
    ),
    "train folder/dual-encoding": (*HYBRID[:-1], "config.encoder=tiny-clip", "training.batch=4"),
    "evaluate de-released": ("options.collection=msrvtt10k", "options.feature=clip"),
    "evaluate released": ("options.collection=msrvtt10k", "options.feature=clip"),
    "evaluate runs/toybox/": ("options.size=tiny",),
    "evaluate merged --benchmark": (),
    "evaluate merged": ("options.size=tiny",),
}
PARSED_ONLY = {  # lines that are not run here, and why; their options are checked all the same
    "convert ": "they read released files, which are made small in tests/cli/test_convert.py",
    "torchrun ": "two processes train in tests/whole/test_torchrun.py",
    "table meltr ": "it trains a model for every row; test_table_meltr_rows.py has its rows",
    "library list LIBRARY": "tests/search/test_library_files.py lists the files of one",
    "library texts LIBRARY": "tests/search/test_tell_files.py has what is listed",
    "library marks ": "tests/search/test_marks.py lists those of one and makes captions",
    "tune captions.csv --model lite --out": "tests/serve/test_teaching.py tunes by marks",
    "library remove ": "tests/search/test_library_files.py does so, with what undoes it",
    "library undo ": "the same",
    "library relocate ": "the same",
    "--in said,shown": "tests/search/test_words_in_libraries.py searches a library that has words",
    "play ": "it would open a player; tests/cli/test_hits.py has one that writes down its call",
    "s3://": "they need a store; tests/search/test_library_in_store.py has a server of one",
    "mcp ": "it speaks with an assistant; tests/cli/test_mcp.py is one",
    "export ": "tests/whole/test_export_command.py does so, and searches by what is written",
    "-onnx": "the same",
    "losses RUN --beside": "tests/whole/test_losses_command.py does so",
    "losses runs/toybox/univl-meltr/seed0": "the same",
    "watch ": "it goes on for ever; tests/cli/test_watch.py ends it",
    "library reindex ": "tests/search/test_reindex.py does so, with two models",
    "--model gemma2 --width": "tests/search/test_width.py does so, with small weights",
    "--server ": "tests/serve/test_client.py searches through a server",
    "reeltune serve ": "it answers until it is stopped; tests/serve has what it answers",
    "train msrvtt-7k/violet ": "it reads a released dVAE; see tests/models/test_violet_files.py",
}


def lines() -> list[str]:
    """Every line, once, in the order of the pages."""
    found = [line for page in PAGES for line in lines_of(page.read_text(encoding="utf-8"))]
    found += [line for text in helps(PROGRAM) for line in inline(text)]
    return list(dict.fromkeys(found))


def lines_of(page: str) -> Iterator[str]:
    """From blocks of code and from code within sentences and tables."""
    for block in BLOCK.findall(page):
        for line in block.replace("\\\n", " ").splitlines():
            if re.match(r"(\$ )?(torchrun|reeltune) ", line):
                yield from choices(line.split("  #")[0].strip())
    yield from inline(BLOCK.sub("", page))


def inline(text: str) -> Iterator[str]:
    """From code within sentences; the name of a command alone is a mention of it."""
    for code in re.findall(r"`((?:torchrun|reeltune) [^`]+)`", text):
        yield from choices(" ".join(code.split()))


def choices(line: str) -> Iterator[str]:
    """`a [b] c\\|d` with all that may be left out, and with c or with d; a list, as in `a=[b]`,
    stays."""
    bare = re.sub(r"(?<!=)\[([^][]*)\]", r"\1", line).replace("\\|", "|")
    yield from map(" ".join, product(*(word.split("|") for word in bare.split(" "))))


def helps(command: Any) -> Iterator[str]:
    """The help of a command and of those below it."""
    yield command.help or ""
    if hasattr(command, "commands"):
        for below in command.commands.values():
            yield from helps(below)


def is_mention(line: str) -> bool:
    """Whether the line only names a command, which a reader would not type as it stands."""
    command, left = named(shlex.split(line)[1:])
    if line == "reeltune search":  # which opens a prompt on a terminal, see tests/cli
        return True
    return not left and (hasattr(command, "commands") or any(p.required for p in command.params))


def named(words: list[str]) -> tuple[Any, list[str]]:
    """The command that words begin with, and its arguments; KeyError where there is none."""
    command: Any = PROGRAM
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def arguments(line: str) -> list[str]:
    """As they are run here: small, below this folder, and none of the hub."""
    words = [WORDS.get(word, word) for word in shlex.split(line)[1:]]
    words = [str(Path(word).expanduser()) if word.startswith("~") else word for word in words]
    small = next((s for begin, s in SMALL.items() if " ".join(words).startswith(begin)), ())
    if words[0] in ("tune", "features") and "--model" not in words:
        words += ["--model", "tiny-clip"]
    if words[0] == "tune" and "--out" not in words:
        words += ["--out", "tuned"]
    if words[0] == "demo":
        words = ["demo", "few"]
    if words[0] == "table":
        small = small or ("options.size=tiny",)
        words = [word for word in words if word not in ("--size", "small")]
        words += ["--seeds", "1", "--no-sweep"]
    return words + [word for setting in small for word in ("--set", setting)]


def run_as(line: str) -> tuple[str, ...]:
    """What is run of a line, wherever it writes to: lines that are alike in it are run once."""
    words = arguments(line)
    where = words.index("--out") if "--out" in words else len(words)
    return tuple(words[:where] + words[where + 2 :])
