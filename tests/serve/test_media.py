"""Videos over HTTP: whole, and a single range of their bytes."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import av
import httpx
import pytest

from reeltune import Library
from reeltune.serve.settings import Settings
from serve.running import running


@pytest.fixture(scope="module")
def place(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library whose files a test may change."""
    place = tmp_path_factory.mktemp("media")
    shutil.copytree(library.parent, place / "all")
    folder = place / "all" / "videos"
    Library(place / "all" / "lib").index(folder)
    return place / "all"


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[httpx.Client]:
    with running(Settings(library=place / "lib")) as client:
        yield client


def named(server: httpx.Client, name: str) -> tuple[str, Path]:
    """The address and the place of a video."""
    (file,) = (one for one in server.get("/api/files").json()["items"] if name in one["path"])
    return f"/api/files/{file['id']}/media", Path(file["location"])


def test_a_video_is_sent_whole_with_its_kind_and_name(server: httpx.Client) -> None:
    address, path = named(server, "two.mp4")
    answer = server.get(address)
    assert (answer.status_code, answer.content) == (200, path.read_bytes())
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-disposition"] == "inline; filename*=UTF-8''two.mp4"
    head = server.head(address)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(answer.content)
    again = server.get(address, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-", slice(0, None)),
        ("bytes=0-0", slice(0, 1)),
        ("bytes=100-199", slice(100, 200)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=-999999999", slice(0, None)),
        ("bytes=5-999999999999999999", slice(5, None)),
    ],
)
def test_one_range_is_sent(server: httpx.Client, asked: str, part: slice) -> None:
    address, path = named(server, "two.mp4")
    whole = path.read_bytes()
    answer = server.get(address, headers={"Range": asked})
    start, stop, _ = part.indices(len(whole))
    assert (answer.status_code, answer.content) == (206, whole[part])
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(whole)}"


@pytest.mark.parametrize(
    "asked",
    [
        *("bytes=0-,0-", "bytes=0-1,4-5", "bytes=" + "0-," * 500, "bytes=-0", "bytes=9-3"),
        *("bytes=99999999-", "bytes=99999999999999999999999-", "bytes=--5", "bytes=-", "bytes="),
        *("bytes=a-b", "lines=0-5", "0-5", "bytes=1", "bytes =0-5"),
    ],
)
def test_other_ranges_are_refused_with_the_size(server: httpx.Client, asked: str) -> None:
    address, path = named(server, "two.mp4")
    answer = server.get(address, headers={"Range": asked})
    assert (answer.status_code, answer.json()["kind"]) == (416, "BadRange")
    assert answer.headers["content-range"] == f"bytes */{path.stat().st_size}"


def test_a_range_of_a_former_content_is_the_whole_file(server: httpx.Client) -> None:
    address, path = named(server, "two.mp4")
    answer = server.get(address, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (answer.status_code, len(answer.content)) == (200, path.stat().st_size)


def test_a_file_that_is_another_one_by_now_is_not_sent(server: httpx.Client) -> None:
    address, path = named(server, "red.mp4")
    clip = f"/api/moments/{first_moment(server, 'red.mp4')}/clip"
    content, times = path.read_bytes(), path.stat()
    secret = path.parent.parent / "secret.mp4"
    secret.write_bytes(content)
    path.unlink()
    gone = [server.get(address), server.get(clip)]
    path.symlink_to(secret)
    linked = [server.get(address), server.get(clip)]
    path.unlink()
    path.write_bytes(b"secret" + content)
    changed = [server.get(address), server.get(clip)]
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert [one.json()["kind"] for one in gone + linked] == ["FileGone"] * 4
    assert [one.json()["kind"] for one in changed] == ["FileChanged"] * 2
    assert server.get(address).content == content


def first_moment(server: httpx.Client, name: str) -> str:
    items = server.get("/api/moments", params={"where": f"path like '%{name}'"}).json()["items"]
    return items[0]["id"]


@pytest.mark.parametrize("exact", [False, True])
def test_a_moment_is_cut_out(server: httpx.Client, tmp_path: Path, exact: bool) -> None:
    address = f"/api/moments/{first_moment(server, 'two.mp4')}/clip"
    answer = server.get(address, params={"exact": exact, "from": 2, "to": 3})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''two")
    (tmp_path / "clip.mp4").write_bytes(answer.content)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert len([*container.decode(video=0)]) in ((10,) if exact else range(10, 21))


def test_what_cannot_be_cut_is_said(server: httpx.Client) -> None:
    address = f"/api/moments/{first_moment(server, 'two.mp4')}/clip"
    for span in ({"from": 3, "to": 2}, {"from": 0, "to": 9000}):
        answer = server.get(address, params=span)
        assert (answer.status_code, answer.json()["kind"]) == (400, "ConfigError")
