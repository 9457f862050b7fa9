"""Downloads, from a small server that speaks the hub's HTTP."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hf_folders import clip_folder

from local_server import answering
from reeltune.errors import CheckpointError
from reeltune.models.clip import load
from reeltune.models.opening.hub import fetch

MAIN, PROPOSAL = "a" * 40, "b" * 40  # commits
PULL = {
    "num": 15,
    "repo": {"name": "owner/model", "type": "model"},
    "author": {"name": "SFconvertbot"},
    "title": "Adding `safetensors` variant of this model",
    "status": "open",
    "isPullRequest": True,
    "createdAt": "2023-02-17T16:23:27.000Z",
}


@contextmanager
def hub(commits: dict[str, dict[str, bytes]], pulls: list[dict[str, object]]) -> Iterator[str]:
    """Serve `owner/model`, whose commits hold the given files; yields the endpoint."""

    class Answer(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            place = urlsplit(self.path).path.strip("/").split("/")
            if place[:2] == ["owner", "model"]:
                self.file(place[3], "/".join(place[4:]))
            elif place[2:4] != ["owner", "model"]:
                self.reply(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            elif place[4:5] == ["discussions"]:
                self.reply(200, {"discussions": pulls, "count": len(pulls), "start": 0})
            elif place[4:5] == ["tree"]:
                files = commits[place[5]].items()
                self.reply(200, [entry(name, data) for name, data in files])
            else:
                commit = PROPOSAL if "pr" in self.path.split("revision")[-1] else MAIN
                named = [{"rfilename": name} for name in commits[commit]]
                self.reply(200, {"id": "owner/model", "sha": commit, "siblings": named})

        do_HEAD = do_GET

        def file(self, commit: str, name: str) -> None:
            data = commits[commit][name]
            mark = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": commit}
            self.reply(200, data, mark)

        def reply(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for key, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

    def entry(name: str, data: bytes) -> dict[str, object]:
        mark = hashlib.sha1(data).hexdigest()
        return {"type": "file", "path": name, "size": len(data), "oid": mark}

    with answering(Answer) as address:
        yield address


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    folder = clip_folder(tmp_path / "source")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_model_is_downloaded_once_and_its_pickle_never(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    with hub({MAIN: {**files, "pytorch_model.bin": b"pickle"}}, []) as endpoint:
        folder = fetch("owner/model", cache=cache, endpoint=endpoint)
    assert load(folder).dim == 20
    assert not (folder / "pytorch_model.bin").exists()
    assert fetch("owner/model", cache=cache, endpoint=endpoint) == folder, "the hub is gone"


def test_safetensors_that_the_hub_only_proposes_are_found(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    """Several well-known models have only a pickle on `main`."""
    old = {name: data for name, data in files.items() if name != "model.safetensors"}
    old["pytorch_model.bin"] = b"pickle"
    cache = tmp_path / "cache"
    with hub({MAIN: old, PROPOSAL: {**old, **files}}, [PULL]) as endpoint:
        folder = fetch("owner/model", cache=cache, endpoint=endpoint)
    assert load(folder).dim == 20
    assert fetch("owner/model", cache=cache, endpoint=endpoint) == folder


def test_a_model_of_pickles_alone_is_refused(files: dict[str, bytes], tmp_path: Path) -> None:
    old = {"config.json": files["config.json"], "pytorch_model.bin": b"pickle"}
    someone = {**PULL, "author": {"name": "someone"}}
    with (
        hub({MAIN: old}, [someone]) as endpoint,
        pytest.raises(CheckpointError, match="no safetensors on the hub, only pickles"),
    ):
        fetch("owner/model", cache=tmp_path, endpoint=endpoint)


def test_a_model_that_is_not_there_is_said_not_to_be(tmp_path: Path) -> None:
    with (
        hub({}, []) as endpoint,
        pytest.raises(CheckpointError, match="owner/other is not on the hub, or private; check"),
    ):
        fetch("owner/other", cache=tmp_path, endpoint=endpoint)


@pytest.mark.parametrize("revision", ["a/../../../there", "..", "a/..", "a//b", "a/.b", "/there"])
def test_a_revision_leads_nowhere_out_of_the_cache(revision: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a hub id"):
        fetch(f"owner/model@{revision}", cache=tmp_path)
