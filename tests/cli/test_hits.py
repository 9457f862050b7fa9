"""Hits of the last search by their numbers: remembered, played and cut."""

import json
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from cli.test_cli import Done, reeltune
from media.numbered_video import Numbered, number_of
from reeltune.cli.player import PLAYERS, command_for
from reeltune.errors import DataError
from reeltune.search.ingest import Choice, index
from reeltune.search.last_hits import recall, remember
from reeltune.search.library import Library
from reeltune.types import Hit
from waiting import until


@pytest.fixture
def hits(library: Path) -> list[dict[str, object]]:
    """What the last search found."""
    done = reeltune("search", "something blue", "-l", library, "--json")
    found: list[dict[str, object]] = json.loads(done.stdout)
    assert done.stderr == ""
    return found


def hit(path: Path) -> Hit:
    return Hit(
        path=path.name,
        location=str(path),
        start=1.0,
        end=2.0,
        duration=4.0,
        score=0.5,
        confidence=0.5,
    )


def player(folder: Path, name: str) -> Path:
    """A program that writes down what it is called with, in place of a player."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    heard = f"pathlib.Path({str(folder / 'heard.part')!r})"
    program.write_text(
        f"#!{sys.executable}\nimport json, pathlib, sys\n"
        f"{heard}.write_text(json.dumps(sys.argv))\n"
        f"{heard}.rename({str(folder / 'heard.json')!r})\n"
    )
    program.chmod(0o755)
    return program


def heard(folder: Path) -> list[str]:
    until((folder / "heard.json").exists, within=30)
    said: list[str] = json.loads((folder / "heard.json").read_text())
    return said


def test_play_begins_at_the_moment_of_the_hit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = tmp_path / "a.mp4"
    video.write_bytes(b"1")
    remember(tmp_path, "x", [hit(video)])
    program = player(tmp_path / "bin", "mpv")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    command = [str(program), "--start=1.00", "--", str(video)]
    assert reeltune("play", "1", "--print").stdout == f"{' '.join(command)}\n"
    assert not (tmp_path / "bin" / "heard.json").exists()
    done = reeltune("play", "1")
    assert (done.returncode, done.stdout) == (0, f"{video} from 0:01 to 0:02\n")
    assert heard(tmp_path / "bin") == command
    facts = json.loads(reeltune("play", "1", "--print", "--json").stdout)
    assert facts["command"] == command
    assert facts["starts_there"]


def test_a_player_that_fails_at_once_is_told_and_one_that_goes_on_is_left_alone(
    hits: list[dict[str, object]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    program = player(tmp_path / "bin", "mpv")
    program.write_text(f"#!{sys.executable} -S\nraise SystemExit(3)\n")
    said = failed("play", "1")
    assert f"error: {program} ended at once, with 3; run it yourself to see why: {program} " in said
    program.write_text(f"#!{sys.executable} -S\nimport time\ntime.sleep(9)\nraise SystemExit(3)\n")
    assert reeltune("play", "1").returncode == 0


def test_windows_opens_a_video_without_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setattr("shutil.which", lambda name: None if name in PLAYERS else name)
    command, starts_there = command_for(Path("a&calc.mp4"), 1.0)
    assert command == ["rundll32", "url.dll,FileProtocolHandler", "a&calc.mp4"]
    assert not starts_there


@pytest.mark.skipif(shutil.which("mpv") is None, reason="mpv is not installed, which this runs")
@pytest.mark.parametrize("name", ["a.mp4", "-v 100%d 'a' \"b\" $(c);.mp4", "http:/d/e?f#g.mp4"])
def test_a_real_player_shows_the_picture_at_the_moment(
    name: str, numbered: Numbered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = tmp_path / name
    video.parent.mkdir(parents=True, exist_ok=True)
    numbered(video, range(0, 4000, 40))
    settings = tmp_path / "mpv" / "mpv.conf"
    settings.parent.mkdir()
    settings.write_text(f"vo=image\nvo-image-outdir={tmp_path}/shown\nframes=2\nao=null\n")
    monkeypatch.setenv("MPV_HOME", str(settings.parent))
    remember(tmp_path, "x", [hit(video)])
    monkeypatch.setenv("PATH", os.path.dirname(str(shutil.which("mpv"))))
    done = reeltune("play", "1")
    assert (done.returncode, done.stdout) == (0, f"{video} from 0:01 to 0:02\n")
    shown = tmp_path / "shown"
    until((shown / "00000002.jpg").exists, within=60)  # the first one is complete then
    with Image.open(shown / "00000001.jpg") as picture:
        pixels = np.asarray(picture.convert("RGB").resize((96, 96)))
    assert number_of(pixels.transpose(2, 0, 1)) == 25


def test_another_opener_begins_at_the_beginning_and_that_is_said(
    hits: list[dict[str, object]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    done = reeltune("play", "1")
    assert done.returncode == 1
    assert "error: there is none of mpv, vlc, ffplay, xdg-open to play " in done.stderr
    assert "; install one, or open it yourself at 0:0" in done.stderr
    player(tmp_path / "bin", "xdg-open")
    assert "; the player begins at the beginning" in reeltune("play", "1").stdout
    assert heard(tmp_path / "bin")[1:] == [hits[0]["location"]]


def test_cut_writes_the_hit_as_a_clip_and_says_where_it_begins(
    hits: list[dict[str, object]], tmp_path: Path
) -> None:
    out = tmp_path / "clip.mp4"
    start, end = hits[0]["start"], hits[0]["end"]
    made = json.loads(reeltune("cut", "1", "-o", out, "--exact", "--json").stdout)
    assert made["path"] == str(out)
    assert (made["start"], made["end"]) == (start, pytest.approx(end, abs=0.1))
    assert made["size"] == out.stat().st_size
    with av.open(str(out)) as clip:
        assert clip.duration / av.time_base == pytest.approx(made["end"] - made["start"], abs=0.02)
    again = reeltune("cut", "1", "-o", out)
    assert again.returncode == 1
    assert "clip.mp4 is there already; give another name, or --force to replace it" in again.stderr
    assert reeltune("cut", "1", "-o", out, "--force").stdout.startswith(f"{out}: from 0:0")


def test_a_copy_that_begins_early_says_so(numbered: object, tmp_path: Path) -> None:
    video = numbered(tmp_path / "a.mp4", range(0, 4000, 40), sc_threshold="0")  # type: ignore[operator]
    remember(tmp_path, "x", [hit(video)])
    said = reeltune("cut", "1", "-o", tmp_path / "b.mp4").stdout
    assert said.startswith(f"{tmp_path}/b.mp4: from 0:00.0 to 0:02.")
    assert said.endswith("; 1.0 s early, at a keyframe: --exact begins in time\n")


def failed(*arguments: str | Path) -> str:
    done: Done = reeltune(*arguments)
    assert done.returncode == 1
    return done.stderr


def test_a_hit_that_is_not_there_is_said_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELTUNE_STATE", str(tmp_path / "state"))
    none = 'error: no search is remembered; search first: reeltune search "a dog"\n'
    assert failed("play", "1") == none
    video = tmp_path / "a.mp4"
    video.write_bytes(b"1")
    remember(tmp_path / "lib", "x", [hit(video)])
    assert recall(1).video == str(video)
    with pytest.raises(
        DataError, match=r"there is no hit 2: the last search, in /.*/lib, has hits "
    ):
        recall(2)
    video.write_bytes(b"22")
    with pytest.raises(DataError, match=r"a\.mp4 has changed since it was indexed; bring the lib"):
        recall(1)
    video.unlink()
    with pytest.raises(
        DataError, match=r"a\.mp4 is not there; bring the library .* by reeltune in"
    ):
        recall(1)
    remember(tmp_path / "lib", None, [])
    with pytest.raises(DataError, match=r"/lib, found nothing; give one of its numbers, or search"):
        recall(1)
    kept = tmp_path / "state" / "last_hits.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    for wrong in ('{"hits": 3}', "[", '{"library": 1, "query": "", "hits": []}'):
        kept.write_text(wrong)
        assert 'search first: reeltune search "a dog"' in failed(
            "cut", "1", "-o", tmp_path / "b.mp4"
        )


def test_a_name_that_is_not_utf_8_is_remembered_too(tmp_path: Path) -> None:
    video = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4"))
    video.write_bytes(b"1")
    remember(tmp_path, "x", [hit(video)])
    assert recall(1).video == str(video)


def test_a_search_is_none_the_worse_where_its_hits_cannot_be_kept(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").write_text("a file")
    monkeypatch.setenv("REELTUNE_STATE", str(tmp_path / "state"))
    done = reeltune("search", "something blue", "-l", library, "-k", "1", "--json")
    assert (done.returncode, len(json.loads(done.stdout))) == (0, 1)
    assert done.stderr == "play and cut do not know these hits: they cannot be kept (File exists)\n"


def test_where_it_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REELTUNE_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    remember(tmp_path, "x", [])
    assert (tmp_path / "reeltune" / "last_hits.json").is_file()
    shutil.rmtree(tmp_path / "reeltune")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    remember(tmp_path, "x", [])
    assert (tmp_path / ".local" / "state" / "reeltune" / "last_hits.json").is_file()


def test_a_video_that_was_replaced_before_the_search_is_neither_played_nor_cut(
    library: Path, tmp_path: Path, clip: Callable[..., Path]
) -> None:
    video = clip(tmp_path / "red.mp4", (200, 0, 0))
    index(str(video), tmp_path / "lib", Choice(model=Library(library).manifest.model))
    clip(tmp_path / "other.mp4", (0, 0, 200), seconds=3).replace(video)
    assert reeltune("search", "something red", "-l", tmp_path / "lib").returncode == 0
    for command in (["play", "1", "--print"], ["cut", "1", "-o", tmp_path / "b.mp4"]):
        assert "red.mp4 has changed since it was indexed; bring the library" in failed(*command)
    assert reeltune("index", video, "-l", tmp_path / "lib").returncode == 0
    assert reeltune("search", "something blue", "-l", tmp_path / "lib").returncode == 0
    assert reeltune("cut", "1", "-o", tmp_path / "b.mp4").returncode == 0
