"""A command whose disk is full says so in one line that names where it writes, and leaves nothing
half made; with more room the same command does all of it."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reeltune.cli.app import app
from small_disk import remount, small_disk

TRAIN = ("train", "toybox/vop", "--set=options.size=tiny", "--set=training.epochs=1")
MADE = {  # what the command leaves: the size of the disk, and the command without its last word
    "log.jsonl": ("16k", TRAIN),
    ".journal.jsonl .lock": ("16k", ("features", "VIDEOS", "--model=tiny-clip", "--every=0.05")),
    "": ("100k", ("prune", "tiny-clip", "--bf16")),
}


@pytest.mark.parametrize("left", MADE)
def test_a_full_disk_is_named_and_more_room_is_enough(
    left: str, videos: Path, tmp_path: Path
) -> None:
    size, words = MADE[left]
    with small_disk(tmp_path / "disk", size) as disk:
        command = [word.replace("VIDEOS", str(videos)) for word in words]
        done = run(command, disk / "out")
        (line,) = [line for line in done.splitlines() if line.startswith("error:")]
        assert str(disk / "out") in line
        assert "(No space left on device); make room there, and run the command again" in line
        there = {path.name for path in disk.rglob("*") if path.is_file()}
        assert there - {".features.npy.part"} == set(left.split())
        remount(disk, "size=20m")
        run(command, disk / "out", code=0)


@pytest.mark.parametrize("form", ["onnx", "sentence-transformers"])
def test_an_export_says_that_the_disk_is_full_and_not_that_it_cannot_be_done(
    form: str, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", "300k") as disk:
        said = run(["export", "tiny-clip", "--to", form], disk / "out")
        assert f"error: {disk / 'out'}" in said
        assert "(No space left on device); make room there" in said
        assert [*disk.iterdir()] == []


def run(words: Sequence[str], out: Path, code: int = 1) -> str:
    """What a command says that ends with a code."""
    done = CliRunner().invoke(app, [*words, "--out", str(out)])
    assert done.exit_code == code, done.output
    return done.output
