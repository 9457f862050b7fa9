"""Writers caption real videos, and the moments of a library."""

from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import reeltune
from reeltune.cli.app import app
from reeltune.errors import ConfigError
from reeltune.runs.caption import Captioner
from reeltune.runs.own_videos import own_videos
from reeltune.search.store.table import open_table
from reeltune.types import Pair
from runs.own_models import save

WORDS = {"words": 8}  # of a caption, so that writing takes no time


@pytest.fixture(scope="module")
def writers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    place = tmp_path_factory.mktemp("writers")
    return {reads: save(place / reads, reads=reads, **WORDS) for reads in ("nothing", "transcript")}


@torch.inference_mode()
def slow_caption(folder: str, path: Path, said: str | None = None, **part: float) -> str:
    """What the model writes about one clip, read alone."""
    model: Any = reeltune.load(folder)
    reader = own_videos(model, Path(folder)).reader
    clip = torch.from_numpy(reader.read(Pair(video="", path=path, caption="", **part)))[None]
    heard = None if said is None else model.tokenize([said])
    return model.caption(clip, torch.ones(clip.shape[:2]).bool(), heard)[0]


def test_each_video_gets_its_caption_and_a_broken_one_is_named(
    writers: dict[str, str], videos: Path
) -> None:
    (videos / "bad.mp4").write_bytes(b"this is no video")
    found = reeltune.caption([str(videos)], writers["nothing"])
    assert found.exit_code == 3
    assert [Path(one.path).name for one in found.failed] == ["bad.mp4"]
    assert {path: one.caption for path, one in found.videos.items()} == {
        str(path): slow_caption(writers["nothing"], path)
        for path in (videos / "green.mp4", videos / "red.mp4", videos / "two.mp4")
    }
    assert found.notes == []


def test_a_model_that_hears_reads_the_transcript_of_one_video(
    writers: dict[str, str], videos: Path
) -> None:
    red, said = videos / "red.mp4", "a red box moves up"
    heard = reeltune.caption([str(red)], writers["transcript"], said)
    assert heard.videos[str(red)].caption == slow_caption(writers["transcript"], red, said)
    assert heard.notes == []
    silent = reeltune.caption([str(red)], writers["transcript"])
    assert silent.videos[str(red)].caption == slow_caption(writers["transcript"], red)
    assert silent.notes == [
        f"{writers['transcript']} learned with what is said in a clip, and writes here without it"
    ]
    with pytest.raises(ConfigError, match=r"said in one video, and 3 are given"):
        reeltune.caption([str(videos)], writers["transcript"], said)
    with pytest.raises(ConfigError, match=r"does not read what is said; leave --transcript out"):
        reeltune.caption([str(red)], writers["nothing"], said)
    with pytest.raises(ConfigError, match=r"the transcript '\\udce9' is not UTF-8; type it in a"):
        reeltune.caption([str(red)], writers["transcript"], "\udce9")


def test_a_model_that_writes_nothing_says_what_it_does(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tiny-clip finds videos and writes no captions; train"):
        Captioner("tiny-clip")
    with pytest.raises(ConfigError, match=r"rates what is said in a clip and writes no captions"):
        Captioner(save(tmp_path, task="sentiment"))


def test_the_commands_caption_videos_and_the_moments_of_a_library(
    writers: dict[str, str], videos: Path, tmp_path: Path
) -> None:
    def run(*words: str | Path) -> str:
        done = CliRunner().invoke(app, list(map(str, words)))
        assert done.exit_code == 0, done.output
        return done.output

    model, library = writers["nothing"], tmp_path / "lib"
    red = videos / "red.mp4"
    assert run("caption", red, "--model", model) == f"{red}: {slow_caption(model, red)}\n"
    said = run("index", videos, "-l", library, "--model", "tiny-clip", "--caption", model)
    assert "4 moments captioned" in said
    rows = open_table(library).to_table(columns=["location", "start", "end", "caption"])
    for row in rows.to_pylist():
        part = {"start": row["start"], "end": row["end"]}
        assert row["caption"] == slow_caption(model, Path(row["location"]), **part)
