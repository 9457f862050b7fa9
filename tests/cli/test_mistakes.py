"""What a user may get wrong: one sentence, exit code 1, nothing left behind; never a traceback."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.data.toybox import Config

FILES = (
    *("config.yaml", "config.json", "metrics.json", "recipe.yaml", "log.jsonl"),
    *("library.json", "index.json", "features.npy", "captions.csv"),
    *("model.safetensors", "adapter.safetensors", "meltr.safetensors"),
)
PLACES = ("absent", "file", "binary", "json", "folders", "loop", "caf\udce9")
TINY = ("--set", "options.size=tiny")
READERS = (  # @ is the wrong place
    "search x -l @",
    "search --image @ -l lib",
    "library info @",
    "library verify @",
    "library optimize @",
    "index videos -l new --model @",
    "index videos -l new --model tiny-clip --caption @",
    "ask @ --model tiny-clip",
    "ask videos what? --model @",
    "caption videos --model @",
    "train @",
    "train toybox/dual-encoding --set options.size=tiny --set features.folder=@ --out new",
    "train msrvtt-9k/vop --data @ --set config.base=tiny-clip --out new",
    "train msrvtt-official/dual-encoding --data @ --out new",
    "train folder/vop-fp --data @ --set config.base=tiny-clip --out new",
    "evaluate @",
    "evaluate tiny-clip --benchmark @",
    "evaluate tiny-clip --benchmark msrvtt-9k --data @",
    "compare @ @",
    "losses @",
    "prune @ --out new",
    "describe @",
    "datasets @",
    "tune @ --model tiny-clip --out new",
    "tune captions.csv --videos @ --model tiny-clip --out new",
    "features videos --model @ --out new",
    "table @ --out new",
    "table vop --dataset @ --out new",
    "table vop --dataset msrvtt-9k --data @ --set config.base=tiny-clip --out new",
    "convert univl @ new",
    "convert s3d @ new",
    "convert youcook2 @ new",
    "convert dual-encoding @ new --words @",
)
WRITERS = (
    "train toybox/vop --set options.size=tiny --out @",
    "evaluate tiny-clip --set options.size=tiny --out @/report.json",
    "table vop --size tiny --out @",
    "table dual-encoding-pp --size tiny --out @",
    "table meltr-gamma --size tiny --out @",
    "prune tiny-clip --out @",
    "features videos --model tiny-clip --out @",
    "index videos -l @ --model tiny-clip",
    "demo videos --folder @",
)
OTHERS = (
    "train toybox/vop --set training.lr={ --out new",
    "train toybox/vop --set =3 --out new",
    "train toybox/vop --set training=3 --out new",
    "train toybox/vop --set training.lr.x=1 --out new",
    "train toybox/vop --set config.prompts=[{}] --out new",
    "train toybox/vop --set options.size=tiny --seed -1 --out new",
    "train toybox/vop --set options.size=tiny --device gpu9 --out new",
    "train toybox/vop --set options.size=tiny --set training.batch=25 --out new",
    "train toybox/vop --out=",
    "evaluate tiny-clip --split TEST",
    "features videos --model tiny-clip --out new --every nan",
    "prune tiny-clip --out new --amount nan",
    "prune tiny-clip --out new --units 2",
    "index videos -l new --sampling gap:x",
    "index empty -l new",
    "features empty --model tiny-clip --out new",
    "demo empty --folder new",
    "library repair empty",
    "search caf\udce9 -l lib",
    "search x -l lib --where path='caf\udce9'",
    "datasets caf\udce9",
    "losses caf\udce9",
    "table caf\udce9 --out new",
    "train toybox/caf\udce9 --out new",
    "train toybox/vop --set training.lr=caf\udce9 --out new",
    "train toybox/vop --set caf\udce9=1 --out new",
    "train toybox/vop --set options.size=tiny --device caf\udce9 --out new",
    "evaluate tiny-clip --set options.size=tiny --split caf\udce9",
    "index videos -l new --model tiny-clip --exclude caf\udce9",
    "index videos -l new --sampling caf\udce9",
    "index videos -l new --model caf\udce9",
    "features videos --model caf\udce9 --out new",
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("world")
    for folder in ("videos", "empty", "binary", "json", "folders"):
        (place / folder).mkdir()
    (place / "videos" / "a.mp4").write_bytes(b"no video")
    (place / "captions.csv").write_text("path,caption\na.mp4,one\n")
    (place / "file").write_text("nothing\n")
    (place / "loop").symlink_to(place / "loop")
    for name in FILES:
        (place / "binary" / name).write_bytes(b"\xff\xfe nothing {[\n")
        (place / "json" / name).write_text("[1, 2]\n")
        (place / "folders" / name).mkdir()
    return place


@pytest.fixture(autouse=True, scope="module")
def here(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The folder of the world, and a Toybox that is there already: none says that it is made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(world)
        patch.setenv("REELTUNE_CACHE", str(tmp_path_factory.mktemp("cache")))
        Config(size="tiny").make()
        yield


def refused(words: list[str], world: Path) -> None:
    before = sorted(world.rglob("*"))
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, SystemExit), f"{words}: {done.exception!r}"
    assert done.exit_code == 1, f"{words}: {done.output}"
    said = done.stderr.strip()
    assert said.startswith("error: "), f"{words}: {said}"
    assert "\n" not in said, f"{words}: {said}"
    assert said.isprintable(), f"{words}: {said}"
    assert sorted(world.rglob("*")) == before, f"{words} left something behind"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("command", READERS)
def test_a_wrong_place_to_read_is_one_sentence(command: str, place: str, world: Path) -> None:
    refused(command.replace("@", place).split(), world)


@pytest.mark.parametrize("place", ["file", "file/below", "loop", "caf\udce9"])
@pytest.mark.parametrize("command", WRITERS)
def test_a_wrong_place_to_write_is_one_sentence(command: str, place: str, world: Path) -> None:
    refused(command.replace("@", place).split(), world)


@pytest.mark.parametrize("command", OTHERS)
def test_a_wrong_value_is_one_sentence(command: str, world: Path) -> None:
    refused(command.split(), world)
