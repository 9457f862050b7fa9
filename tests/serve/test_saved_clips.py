"""Many moments as a zip of clips: over HTTP, from Python, and what is said of those left out."""

import asyncio
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import av
import httpx
import pytest
from PIL import Image

from reeltune import Client, Library
from reeltune.errors import ConfigError, DataError, LibraryError, ReeltuneError
from reeltune.search import clip_archive
from reeltune.search.saved_clips import read_list
from reeltune.serve import clips as serve_clips
from reeltune.serve.errors import Refusal
from reeltune.serve.settings import Settings
from serve.running import running

Clip = Callable[..., Path]
ODD = 'a<b>|"?*\u202e\x07\r\n:.mp4'
LONG = "x" * 200 + ".mp4"
NO_ID = "0" * 24


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, clip: Clip, model: str) -> Path:
    """A library of videos of one name in two folders, of odd names, a GIF, and one that is gone."""
    place = tmp_path_factory.mktemp("saved").resolve()
    colours = [(200, 20, 20), (20, 200, 20), (20, 20, 200), (200, 200, 20), (90, 20, 90)]
    names = ["one/two.mp4", "other/two.mp4", ODD, LONG, "gone.mp4"]
    for name, colour in zip(names, colours, strict=True):
        clip(place / "videos" / name, colour, (250, 250, 250), seconds=3)
    frames = [Image.new("RGB", (64, 48), (20 * shade, 99, 20)) for shade in range(10)]
    gif = place / "videos" / "moving.gif"
    frames[0].save(gif, save_all=True, append_images=frames[1:], duration=200)
    Library.create(place / "lib", model).index(place / "videos")
    (place / "videos" / "gone.mp4").unlink()
    return place


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[httpx.Client]:
    with running(Settings(library=place / "lib")) as client:
        yield client


def unzipped(content: bytes) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The clips of a zip by their names, and its list."""
    with ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}
    return files, json.loads(files.pop("clips.json"))


def ids(place: Path, name: str = "") -> list[str]:
    return [one.id for one in Library(place / "lib").moments() if one.path.endswith(name)]


def pictures(content: bytes) -> int:
    with av.open(io.BytesIO(content)) as container:
        return len([*container.decode(video=0)])


def test_all_hits_of_a_search_come_as_clips_with_a_list_of_them(
    server: httpx.Client, place: Path
) -> None:
    found = server.post("/api/search", json={"words": "red", "fold": False}).json()["hits"]
    named = [hit["id"] for hit in found]
    answer = server.post("/api/export/clips", json={"moments": [*named, NO_ID]})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''clips.zip"
    files, told = unzipped(answer.content)
    assert {one["name"] for one in told["clips"]} == files.keys()
    assert [int(answer.headers[name]) for name in ("clips", "left-out")] == [
        *map(len, (told["clips"], told["left_out"]))
    ]
    assert [one["id"] for one in told["clips"]] == [
        hit["id"] for hit in found if not hit["path"].endswith("gone.mp4")
    ]
    for one, hit in zip(
        told["clips"], (hit for hit in found if "gone" not in hit["path"]), strict=True
    ):
        assert {name: one[name] for name in ("path", "start", "end", "date", "caption")} == {
            name: hit.get(name) for name in ("path", "start", "end", "date", "caption")
        }
        assert one["begins"] <= one["start"]
        assert one["size"] == len(files[one["name"]])
    reasons = {one["id"]: one["reason"] for one in told["left_out"]}
    assert reasons.keys() == {*ids(place, "gone.mp4"), NO_ID}
    assert "no moment" in reasons.pop(NO_ID)
    assert all("is not where it was" in reason for reason in reasons.values())
    assert str(place) not in json.dumps(told["left_out"], indent=1).replace(
        json.dumps(str(place / "videos" / "gone.mp4")), ""
    )


def test_names_in_the_zip_are_safe_and_each_is_there_once(place: Path, tmp_path: Path) -> None:
    done = Library(place / "lib").save_clips(ids(place), tmp_path / "all.zip")
    with ZipFile(done.out) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "out")
    assert len({name.lower() for name in names}) == len(names) == len(done.clips) + 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*names}
    for name in names:
        assert not set('<>:"/\\|?*\u202e\x07\r\n') & set(name)
        assert len(name.encode()) < 128
        assert name.isprintable()


@pytest.mark.parametrize("exact", [False, True])
def test_clips_are_those_that_come_one_by_one(
    server: httpx.Client, place: Path, exact: bool
) -> None:
    named = ids(place, "one/two.mp4")
    answer = server.post("/api/export/clips", json={"moments": named, "exact": exact})
    files, told = unzipped(answer.content)
    assert [one["kind"] for one in told["clips"]] == ["exact" if exact else "copy"] * len(named)
    for id, one in zip(named, told["clips"], strict=True):
        alone = server.get(f"/api/moments/{id}/clip", params={"exact": exact}).content
        assert pictures(files[one["name"]]) == pictures(alone)
        if not exact:
            assert files[one["name"]] == alone


def test_a_gif_is_put_in_as_it_is_and_once_unless_exact_clips_are_wanted(
    server: httpx.Client, place: Path
) -> None:
    (gif,) = ids(place, ".gif")
    files, told = unzipped(server.post("/api/export/clips", json={"moments": [gif]}).content)
    assert [*files.values()] == [(place / "videos" / "moving.gif").read_bytes()]
    assert (told["clips"][0]["kind"], *files) == ("picture", "001 moving whole.gif")
    wanted = {"moments": [gif], "exact": True}
    files, told = unzipped(server.post("/api/export/clips", json=wanted).content)
    assert (told["clips"][0]["kind"], *map(pictures, files.values())) == ("exact", 10)


@pytest.mark.parametrize("exact", [False, True])
def test_a_client_saves_what_the_library_saves(
    server: httpx.Client, place: Path, tmp_path: Path, exact: bool
) -> None:
    library, url = Library(place / "lib"), str(server.base_url)
    with Client(url) as client:
        hits = [hit for hit in client.search("red") if "gone" not in hit.path]
        there, here = (
            of.save_clips([*hits, NO_ID], tmp_path / f"{name}.zip", exact=exact)
            for name, of in (("there", client), ("here", library))
        )
        assert (there.clips, there.left_out) == (here.clips, here.left_out)
        for done in (there, here):
            assert Path(done.out).is_file()
            assert [one.id for one in done.clips] == [hit.id for hit in hits]
        alone = client.save_clips(hits[0], tmp_path / "alone.zip", exact=exact)
        assert [one.id for one in alone.clips] == [hits[0].id]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "alone.zip",
        "here.zip",
        "there.zip",
    ]


@pytest.mark.parametrize("exact", [False, True])
def test_its_errors_are_those_of_the_library(
    server: httpx.Client, place: Path, tmp_path: Path, exact: bool
) -> None:
    gone, some = ids(place, "gone.mp4"), ids(place)
    (tmp_path / "taken.zip").touch()
    cases: list[tuple[type[ReeltuneError], str, list[str], str]] = [
        (ConfigError, "0 moments were named", [], "a.zip"),
        (ConfigError, "201 moments were named", [f"{n:024x}" for n in range(201)], "a.zip"),
        (ConfigError, r"is there already; .*force=True\)", some, "taken.zip"),
        (ConfigError, "end its name in .zip", some, "a.mp4"),
        (ConfigError, "there is no folder", some, "none/a.zip"),
        (DataError, "none of these moments can be cut out; of the first", gone, "a.zip"),
        (DataError, "none of these moments can be cut out; of the first", [NO_ID], "a.zip"),
    ]
    with Client(str(server.base_url)) as client:
        for of in (client, Library(place / "lib")):
            for error, said, moments, name in cases:
                with pytest.raises(error, match=said):
                    of.save_clips(moments, tmp_path / name, exact=exact)
    assert [path.name for path in tmp_path.iterdir()] == ["taken.zip"]


def test_more_clips_or_bytes_than_a_zip_has_are_refused_in_the_shape_of_all_errors(
    server: httpx.Client, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = {"moments": [f"{number:024x}" for number in range(201)]}
    answer = server.post("/api/export/clips", json=many)
    assert (answer.status_code, answer.json()["kind"]) == (422, "Invalid")
    assert "at most 200" in answer.json()["error"]
    monkeypatch.setattr(clip_archive, "LARGEST", 100)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("two.mp4", ".gif"):
        answer = server.post("/api/export/clips", json={"moments": ids(place, name)})
        assert answer.json() == {
            "error": "these clips have more than 100 bytes, which is the most of one zip; take "
            "fewer moments at a time",
            "kind": "ConfigError",
        }
        assert answer.status_code == 400
    assert [*tmp_path.iterdir()] == []


def test_one_zip_is_packed_at_a_time_and_single_clips_go_on(
    server: httpx.Client, place: Path
) -> None:
    named = ids(place, "one/two.mp4")
    assert serve_clips._packing.acquire(blocking=False)
    try:
        answer = server.post("/api/export/clips", json={"moments": named})
        assert (answer.status_code, answer.json()["kind"]) == (429, "TooMany")
        assert server.get(f"/api/moments/{named[0]}/clip").status_code == 200
    finally:
        serve_clips._packing.release()
    assert server.post("/api/export/clips", json={"moments": named}).status_code == 200


def test_who_is_gone_is_not_worked_for(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    asked: list[None] = []

    async def is_gone() -> bool:
        asked.append(None)
        return len(asked) == 3

    library = Library(place / "lib").folder
    with pytest.raises(Refusal, match="nobody waits for these clips"):
        asyncio.run(serve_clips.pack(library, ids(place), False, is_gone))
    assert (len(asked), [*tmp_path.iterdir()]) == (3, [])


def test_what_the_decoder_says_is_not_sent(tmp_path: Path, clip: Clip, model: str) -> None:
    broken = clip(tmp_path / "videos" / "broken.mp4", (200, 20, 20))
    clip(tmp_path / "videos" / "whole.mp4", (20, 200, 20))
    library = Library.create(tmp_path / "lib", model)
    library.index(tmp_path / "videos")
    content, times = broken.read_bytes(), broken.stat()
    broken.write_bytes(b"x" * len(content))
    os.utime(broken, ns=(times.st_atime_ns, times.st_mtime_ns))
    with running(Settings(library=tmp_path / "lib")) as server:
        wanted = {"moments": [one.id for one in library.moments()]}
        _, told = unzipped(server.post("/api/export/clips", json=wanted).content)
    assert {one["reason"] for one in told["left_out"]} == {
        "this part cannot be cut out as it is; ask for it with exact=true"
    }
    assert told["clips"]


def test_a_zip_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"no zip")
    with pytest.raises(LibraryError, match="what came is no zip of clips"):
        read_list(tmp_path / "a.zip", tmp_path / "b.zip")
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("clips.json", '{"clips": 3}')
    with pytest.raises(LibraryError, match=r"of clips \(clips: Input should be a valid list\)$"):
        read_list(tmp_path / "a.zip", tmp_path / "b.zip")
