"""After any changes on disk, a library says what is there: checked against the files themselves."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reeltune.media.decoder import Decoder
from reeltune.media.files import find
from reeltune.media.progress import Silent
from reeltune.search._gather import Gatherer
from reeltune.search._known import Known
from reeltune.search._prune import gone_below
from reeltune.search.encoder import Encoder
from reeltune.search.engines.local import Meter, Run
from reeltune.search.engines.local_readers import LocalWorker, Readers
from reeltune.search.maintain import verify
from reeltune.search.report import Report
from reeltune.search.shots import MomentSettings
from reeltune.search.store import table as _table
from reeltune.search.store.manifest import Manifest
from reeltune.storage.content import content_hash

Clip = Callable[..., Path]
PLACES = ("a.mp4", "b.mp4", "c.mp4", "sub/a.mp4", "sub/d.mp4")
BROKEN = b"this is no video"

place = st.sampled_from(PLACES)
changes = st.lists(
    st.one_of(
        st.tuples(st.just("write"), place, st.integers(0, 3)),
        st.tuples(st.sampled_from(("move", "copy", "copy with its time", "swap")), place, place),
        st.tuples(st.sampled_from(("delete", "touch", "break")), place, st.just(None)),
        st.tuples(st.just("index"), st.sampled_from((".", "sub")), st.just(None)),
    ),
    max_size=14,
)


class Shared(LocalWorker):
    """Reads with a decoder that the next run has as well."""

    def close(self) -> None:
        """Nothing: the decoder is not its own."""


@dataclass
class World:
    """A folder of clips and a library of it; one model and one decoder serve all runs."""

    home: Path
    contents: list[bytes]
    encoder: Encoder
    decoder: Decoder

    @property
    def videos(self) -> Path:
        return self.home / "videos"

    def begin(self) -> None:
        shutil.rmtree(self.videos, ignore_errors=True)
        shutil.rmtree(self.home / "library", ignore_errors=True)
        (self.videos / "sub").mkdir(parents=True)
        for name, content in zip(PLACES[:3], self.contents, strict=False):
            (self.videos / name).write_bytes(content)

    def change(self, how: str, first: str, second: Any) -> None:
        at = self.videos / first
        if how == "write":
            at.write_bytes(self.contents[second])
        elif how == "break":
            at.write_bytes(BROKEN)
        elif at.exists() and first != second:
            self._change_file(how, at, self.videos / (second or ""))

    def _change_file(self, how: str, at: Path, to: Path) -> None:
        match how:
            case "delete":
                at.unlink()
            case "touch":
                os.utime(at)
            case "move":
                at.replace(to)
            case "copy":
                shutil.copyfile(at, to)
            case "copy with its time":
                shutil.copy2(at, to)
            case "swap" if to.exists():
                aside = self.home / "aside"
                at.replace(aside)
                to.replace(at)
                aside.replace(to)

    def index(self, library: Path, below: str = ".", prune: bool = False) -> Report:
        """What `index` does with an opened model."""
        manifest = Manifest(
            model="m",
            fingerprint="f",
            dim=self.encoder.arrays.dim,
            sampling=str(self.decoder.sampling),
            segments="s",
        )
        if not _table.exists(library):
            library.mkdir(parents=True)
            manifest.write(library)
            _table.create(library, manifest)
        root = str(self.videos / below)
        files, report = find([root]).files, Report(str(library))
        gatherer = Gatherer(self.encoder, MomentSettings())
        run = Run(library, manifest, gatherer, Meter(Silent()), report)
        shared = Shared(lambda: self.decoder)
        run.all(Readers(files, Known.read(library, [root]), lambda: shared, 1, Silent()))
        if prune:
            gone, _ = gone_below([root], list(Known.read(library).by_video.values()), "all")
            _table.remove(library, [one.video for one in gone])
        return report

    def on_disk(self, below: str = ".") -> dict[str, set[str]]:
        """The readable contents, each with its places."""
        found: dict[str, set[str]] = {}
        for path in (self.videos / below).rglob("*.mp4"):
            if path.read_bytes() != BROKEN:
                found.setdefault(content_hash(str(path)), set()).add(str(path.resolve()))
        return found

    def check(self, library: Path, below: str = ".") -> None:
        """What the library says about the places that a run has judged is true and whole."""
        table, disk = _table.open_table(library), self.on_disk()
        rows = table.to_table(columns=["video", "location", "size", "modified_ns"]).to_pylist()
        root = str((self.videos / below).resolve())
        for row in rows:
            if row["location"].startswith(root) and os.path.exists(row["location"]):
                assert row["location"] in disk.get(row["video"], ()), "a place without its content"
                status = os.stat(row["location"])
                assert (row["size"], row["modified_ns"]) == (status.st_size, status.st_mtime_ns)
        assert self.on_disk(below).keys() <= {row["video"] for row in rows}, "a content is missing"
        assert verify(library).faults == []


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, model: str, clip: Clip) -> Any:
    home = tmp_path_factory.mktemp("identity")
    colours = [(200, 20, 20), (20, 200, 20), (20, 20, 200), (200, 200, 20)]
    clips = [
        clip(home / f"{at}.mp4", colour, seconds=0.3 + at / 10) for at, colour in enumerate(colours)
    ]
    encoder = Encoder.named(model, "cpu", None, None)
    contents = [path.read_bytes() for path in clips]
    with Decoder(encoder.arrays.pixels) as decoder:
        yield World(home, contents, encoder, decoder)


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(changes)
def test_after_any_changes_a_library_equals_one_made_new(world: World, done: list[Any]) -> None:
    library, new = world.home / "library", world.home / "new"
    world.begin()
    world.index(library)
    for how, first, second in done:
        if how == "index":
            world.index(library, below=first)
            world.check(library, below=first)
        else:
            world.change(how, first, second)
    world.index(library, prune=True)
    world.check(library)
    shutil.rmtree(new, ignore_errors=True)
    world.index(new)
    ids = [
        set(_table.open_table(one).to_table(columns=["id"])["id"].to_pylist())
        for one in (library, new)
    ]
    assert ids[0] == ids[1]
