"""The client against a real server, beside the library itself."""

import inspect
import json
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import reeltune
from reeltune.cli.app import app
from reeltune.errors import ConfigError, DataError, LibraryError, MediaError, NotInLibraryError
from reeltune.media.progress import Silent
from reeltune.search.store.changes import undo
from reeltune.serve.settings import Settings
from reeltune.serve.tokens import Tokens
from serve.running import running

Clip = Callable[..., Path]
NOT_OVER_HTTP = {  # methods of a library that a client lacks, and why
    "create": "a server has one library, which the first job makes",
    "reindex": "which model a library has is up to who starts the server",
    "embed_text": "vectors stay where they are; /api/score compares words with moments",
    "embed_frames": "the same",
    "begin": "a server prepares the searches of all clients together itself",
    "verify": "it reads the whole library, which no stranger may ask for again and again",
    "model": "it is an object in memory",
    "gallery": "it is an object in memory",
    "remarks": "they are for the command line",
    "prepare": "the server does so when it starts",
    "is_current": "a server reads what is stored at each search",
}


@pytest.fixture(scope="module")
def client(server: httpx.Client) -> Iterator[reeltune.Client]:
    with reeltune.Client(str(server.base_url)) as client:
        yield client


def public(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


def test_a_client_has_the_methods_of_a_library_with_their_signatures() -> None:
    shared = public(reeltune.Library) - NOT_OVER_HTTP.keys()
    assert public(reeltune.Client) == shared | {"close"}
    for name in shared:
        ours, theirs = (
            inspect.signature(getattr(kind, name)) for kind in (reeltune.Client, reeltune.Library)
        )
        assert ours == theirs, name


def test_it_answers_as_the_library_does(client: reeltune.Client, library: Path) -> None:
    opened = reeltune.Library(library)
    assert client.files() == opened.files()
    assert [*client.moments()] == [*opened.moments()]
    assert [*client.moments("duration > 3")] == [*opened.moments("duration > 3")]
    assert [*client.texts()] == [*opened.texts()] == []
    ids = [moment.id for moment in opened.moments()]
    assert client.thumbnails([*ids, "0" * 24]) == opened.thumbnails(ids)


def test_it_searches_as_the_library_does(
    client: reeltune.Client, library: Path, tmp_path: Path
) -> None:
    opened = reeltune.Library(library)
    picture = tmp_path / "red.png"
    Image.new("RGB", (32, 32), (200, 20, 20)).save(picture)
    first = next(iter(opened.moments()))
    for given in [
        {"text": "a red square", "k": 2},
        {"text": "red", "k": 1000, "fold": False},
        {"text": "red", "where": "duration > 3", "sort": "date"},
        {"text": "red", "without": "blue", "between": (1.0, None), "channels": "seen"},
        {"text": "red", "inside": first.location, "min_confidence": 0.01},
        {"like": first.id},
        {"image": picture},
        {"image": picture, "text": "red", "without": ["blue", "sky"]},
        {"text": "red", "k": np.int64(2), "min_confidence": np.float32(0.01)},
    ]:
        assert client.search(**given) == opened.search(**given), given


def test_more_hits_than_a_page_has_are_asked_for_page_by_page(
    client: reeltune.Client, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reeltune.serve.client.PAGE", 2)
    wishes = {"k": 5, "fold": False}
    assert client.search("red", **wishes) == reeltune.Library(library).search("red", **wishes)
    dated = wishes | {"k": 4, "sort": "date"}
    assert client.search("red", **dated) == reeltune.Library(library).search("red", **dated)
    assert [*client.moments()] == [*reeltune.Library(library).moments()]


def test_more_hits_than_a_server_finds_at_once_are_refused_with_what_to_do(
    client: reeltune.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reeltune.serve.client.PAGE", 1)
    monkeypatch.setattr("reeltune.serve.schemas.PAGES", 2)
    assert len(client.search("red", k=2)) == 2
    with pytest.raises(ConfigError, match="k is 3, and a server finds at most 2 moments at once"):
        client.search("red", k=3)


def test_what_is_no_id_leads_to_no_other_address(client: reeltune.Client, library: Path) -> None:
    file = client.files()[0].id
    for wrong in (f"../files/{file}", "", "..", "?a", "#", "zz", "0" * 24):
        with pytest.raises(NotInLibraryError, match=r"is no id of|has no mark"):
            client.unmark(wrong)
        assert client.thumbnails([wrong]) == reeltune.Library(library).thumbnails([wrong]) == {}
    assert len(client.files()) == 3
    for ask in (lambda: client.search("\udcff"), lambda: client.mark("0" * 24, "\udcff")):
        with pytest.raises(ConfigError, match="is not UTF-8, and a server takes nothing else"):
            ask()


def test_a_list_that_changes_between_its_pages_lacks_nothing_in_silence(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reeltune.serve.client.PAGE", 1)
    opened = reeltune.Library(shutil.copytree(library, tmp_path / "lib"))
    with (
        running(Settings(library=tmp_path / "lib")) as server,
        reeltune.Client(str(server.base_url)) as client,
    ):
        first, second, third = opened.files()
        moments = client.moments()
        next(moments)
        opened.remove(first.location)  # which moves all that follow to the page before
        with pytest.raises(LibraryError, match="has a list of other items by now; list them again"):
            list(moments)
        assert [*client.moments()] == [*opened.moments()]

        def remove(answer: httpx.Response) -> None:
            if len(opened.files()) == 2:
                opened.remove(second.location)

        client._http.event_hooks = {"response": [remove]}  # while the second page is not asked for
        assert client.files() == [third]


def test_its_errors_are_those_of_the_library(client: reeltune.Client, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    for error, given in [
        (ConfigError, {}),
        (ConfigError, {"text": "a", "where": "size +"}),
        (ConfigError, {"text": "a", "k": 0}),
        (ConfigError, {"video": "a.mp4"}),
        (NotInLibraryError, {"like": "0" * 24}),
        (NotInLibraryError, {"text": "a", "inside": "/nowhere"}),
        (MediaError, {"image": tmp_path / "none.jpg"}),
        (DataError, {"image": tmp_path / "text.jpg"}),
    ]:
        with pytest.raises(error):
            client.search(**given)
    with pytest.raises(ConfigError, match="a server gives no vectors"):
        client.moments(vectors=True)
    with pytest.raises(NotInLibraryError, match="no file /nowhere"):
        client.remove("/nowhere")
    with pytest.raises(ConfigError, match="leaves everything to those who start it"):
        client.index("/videos", everything=True)
    with pytest.raises(ConfigError, match="nothing that this server may bring in"):
        client.index("/videos")


class Heard(Silent):
    """Progress that is remembered."""

    def __init__(self) -> None:
        self.files, self.done = 0, 0

    def begin(self, files: int, size: int, work: str = "") -> None:
        self.files = files

    def advance(self, path: str, size: int) -> None:
        self.done += size


def test_it_fills_a_library_and_takes_videos_out(
    tmp_path: Path, exported_model: str, clip: Clip
) -> None:
    root = tmp_path / "videos"
    clip(root / "red.mp4", (200, 20, 20), seconds=1)
    (root / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + b"x" * 100)
    settings = Settings(library=tmp_path / "lib", roots=(root.resolve(),), model=exported_model)
    with running(settings) as server, reeltune.Client(str(server.base_url)) as client:
        with pytest.raises(LibraryError, match="there is no library yet"):
            client.files()
        heard = Heard()
        report = client.index(root, progress=heard)
        assert [Path(one.path).name for one in report.indexed] == ["red.mp4"]
        assert [Path(one.path).name for one in report.failed] == ["broken.mp4"]
        assert (report.exit_code, heard.files) == (3, 2)
        assert client.remove(root) == [str(root.resolve() / "red.mp4")]
        assert client.files() == []


def test_a_path_without_a_name_is_none_of_files_that_have_relative_ones(
    tmp_path: Path, model: str, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip(tmp_path / "videos" / "red.mp4", (200, 20, 20), seconds=1)
    monkeypatch.chdir(tmp_path)
    reeltune.Library.create(tmp_path / "lib", model).index("videos")
    with (
        running(Settings(library=tmp_path / "lib")) as server,
        reeltune.Client(str(server.base_url)) as client,
    ):
        for nothing in (".", ".."):
            with pytest.raises(NotInLibraryError, match="has no file"):
                client.remove(nothing)
            with pytest.raises(NotInLibraryError, match="has no file"):
                client.search("red", inside=nothing)
        assert len(client.search("red", inside="videos")) == 1
        assert client.remove("videos") == ["videos/red.mp4"]


def test_many_files_are_taken_out_in_one_change(library: Path, tmp_path: Path) -> None:
    opened = reeltune.Library(shutil.copytree(library, tmp_path / "lib"))
    first, second, third = opened.files()
    with (
        running(Settings(library=tmp_path / "lib")) as server,
        reeltune.Client(str(server.base_url)) as client,
    ):
        with pytest.raises(NotInLibraryError, match="no file /nowhere"):
            client.remove([first.path, "/nowhere"])
        assert client.remove([]) == []
        assert len(client.files()) == 3
        assert client.remove([third.location, first.path]) == [first.path, third.path]
        assert client.files() == [second]
        undo(tmp_path / "lib")
        assert client.files() == [first, second, third]
        for ids in (["0" * 32], [first.id, first.id[::-1]]):
            assert server.post("/api/files/remove", json={"files": ids}).status_code == 404
        gone = server.post("/api/files/remove", json={"files": [first.id, second.id]})
        assert gone.json() == {"removed": [first.path, second.path]}
        assert client.files() == [third]


def test_names_are_found_in_either_form_of_unicode(tmp_path: Path, model: str, clip: Clip) -> None:
    stored, typed = (unicodedata.normalize(form, "été") for form in ("NFD", "NFC"))
    clip(tmp_path / stored / "red.mp4", (200, 20, 20), seconds=1)
    reeltune.Library.create(tmp_path / "lib", model).index(tmp_path)
    with (
        running(Settings(library=tmp_path / "lib")) as server,
        reeltune.Client(str(server.base_url)) as client,
    ):
        for path in (tmp_path / typed, tmp_path / typed / "red.mp4"):
            assert len(client.search("red", inside=path)) == 1
        assert client.remove(tmp_path / typed) == [str(tmp_path / stored / "red.mp4")]


def test_tokens_and_addresses_that_are_wrong_are_said(library: Path) -> None:
    tokens = Tokens.drawn()
    with running(Settings(library=library, tokens=tokens)) as server:
        url = str(server.base_url)
        assert len(reeltune.Client(url, tokens.read).files()) == 3
        with pytest.raises(ConfigError, match="wants the token that it printed"):
            reeltune.Client(url).files()
        with pytest.raises(ConfigError, match="this token is for reading alone"):
            reeltune.Client(url, tokens.read).index("/videos")
    with pytest.raises(LibraryError, match=r"does not answer \(.*; start it with"):
        reeltune.Client(url).files()
    for wrong in ("", "nas:8420", "ftp://nas", "http://", "http://[", "nas"):
        with pytest.raises(ConfigError, match="is no address of a server"):
            reeltune.Client(wrong)
    with pytest.raises(ConfigError, match="the token is not ASCII"):
        reeltune.Client("http://nas", "é")


def test_the_command_searches_through_a_server(server: httpx.Client, library: Path) -> None:
    def found(*options: str) -> object:
        done = CliRunner().invoke(app, ["search", "a red square", "--json", *options])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    assert found("--server", str(server.base_url)) == found("--library", str(library))
