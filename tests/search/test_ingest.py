"""Indexing runs over real files, with a real model and a real table."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

from reeltune.errors import DataError, LibraryError
from reeltune.models.opening.open import open_model
from reeltune.models.opening.presets import presets
from reeltune.search.creation import encoder_for
from reeltune.search.ingest import REPORT_NAME, Choice, index
from reeltune.search.maintain import verify
from reeltune.search.report import Report
from reeltune.search.store import table as _table
from reeltune.search.store.lock import sole_writer
from search.made_once import MadeOnce

Clip = Callable[..., Path]


def run(videos: Path, model: str, **more: object) -> Report:
    return index([str(videos)], library(videos), Choice(model=model, **more))  # type: ignore[arg-type]


def library(videos: Path) -> Path:
    return videos.parent / "library"


def rows(videos: Path, *columns: str) -> list[dict[str, object]]:
    return _table.open_table(library(videos)).to_table(columns=list(columns)).to_pylist()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, model: str) -> MadeOnce:
    """A library of three clips, beside them."""
    return MadeOnce(tmp_path_factory.mktemp("made"), lambda videos: run(videos, model))


@pytest.fixture
def indexed(made: MadeOnce) -> Path:
    """Three clips after a first run."""
    return made.anew()


def names(paths: list[str]) -> list[str]:
    return [Path(path).name for path in paths]


def test_every_file_becomes_moments_that_cover_it(videos: Path, model: str) -> None:
    report = run(videos, model)
    assert report.exit_code == 0
    assert sorted(names([done.path for done in report.indexed])) == [
        "green.mp4",
        "red.mp4",
        "two.mp4",
    ]
    found = rows(videos, "path", "start", "end", "duration", "width", "height", "note")
    assert {row["path"] for row in found} == {str(path) for path in videos.iterdir()}
    two = sorted((r["start"], r["end"]) for r in found if str(r["path"]).endswith("two.mp4"))
    assert two == [(0.0, 5.0), (5.0, 10.0)], "one moment a scene"
    assert {(row["width"], row["height"], row["note"]) for row in found} == {(64, 48, "")}
    assert verify(library(videos)).faults == []


def test_vectors_are_those_of_the_model_on_the_frames_of_the_moment(
    indexed: Path, model: str
) -> None:
    import torch

    from reeltune.media.decoder import Decoder

    encoder = open_model(model)
    (row,) = [r for r in rows(indexed, "path", "vector") if str(r["path"]).endswith("red.mp4")]
    with Decoder(encoder.pixels) as decoder, decoder.open(indexed / "red.mp4") as reading:
        frames = torch.stack([torch.from_numpy(frame.pixels) for frame in reading])
    with torch.inference_mode():
        expected = encoder.encode_video(frames[None], torch.ones(1, len(frames), dtype=torch.bool))
    np.testing.assert_allclose(row["vector"], expected[0].numpy(), atol=1e-5)


def test_a_second_run_finds_everything_unchanged(indexed: Path, model: str) -> None:
    version = _table.open_table(library(indexed)).version
    report = run(indexed, model)
    assert (len(report.unchanged), report.indexed) == (3, [])
    assert _table.open_table(library(indexed)).version == version, "nothing was written"


def test_a_touched_file_is_not_read_again(indexed: Path, model: str) -> None:
    os.utime(indexed / "red.mp4", ns=(1, 1))
    assert len(run(indexed, model).unchanged) == 3
    (row,) = [r for r in rows(indexed, "path", "modified_ns") if str(r["path"]).endswith("red.mp4")]
    assert row["modified_ns"] == 1


def test_a_moved_file_keeps_its_moments(indexed: Path, model: str) -> None:
    before = {row["id"] for row in rows(indexed, "id")}
    (indexed / "old's").mkdir()
    shutil.move(indexed / "red.mp4", indexed / "old's" / "crimson.mp4")
    report = run(indexed, model)
    assert names(report.moved) == ["crimson.mp4"]
    assert {row["id"] for row in rows(indexed, "id")} == before
    paths = {str(row["path"]) for row in rows(indexed, "path")}
    assert str(indexed / "old's" / "crimson.mp4") in paths
    assert str(indexed / "red.mp4") not in paths


def test_a_copy_is_named_and_not_stored_twice(videos: Path, model: str) -> None:
    shutil.copy(videos / "red.mp4", videos / "zz.mp4")
    report = run(videos, model)
    assert names(report.copies) == ["zz.mp4"]
    assert len({row["video"] for row in rows(videos, "video")}) == 3
    assert names(run(videos, model).copies) == ["zz.mp4"]


def test_changed_content_replaces_the_old(indexed: Path, model: str, clip: Clip) -> None:
    clip(indexed / "red.mp4", (90, 0, 90), (0, 90, 90), seconds=4)
    report = run(indexed, model)
    assert names([done.path for done in report.indexed]) == ["red.mp4"]
    found = [r for r in rows(indexed, "path", "video") if str(r["path"]).endswith("red.mp4")]
    assert len(found) == 2
    assert len({row["video"] for row in found}) == 1
    assert verify(library(indexed)).faults == []


def test_a_place_whose_video_was_spoiled_has_no_moments(indexed: Path, model: str) -> None:
    """Whether its first bytes or its frames show that it is no video any more."""
    (indexed / "red.mp4").write_bytes(b"this is no video")
    whole = (indexed / "two.mp4").read_bytes()
    (indexed / "two.mp4").write_bytes(whole[:200] + b"rubbish" * 20)
    assert sorted(names([one.path for one in run(indexed, model).failed])) == ["red.mp4", "two.mp4"]
    assert {Path(str(row["path"])).name for row in rows(indexed, "path")} == {"green.mp4"}


def test_renumbered_files_are_moved_and_not_decoded_again(indexed: Path, model: str) -> None:
    before = {row["id"] for row in rows(indexed, "id")}
    (indexed / "two.mp4").rename(indexed / "zz.mp4")
    (indexed / "red.mp4").rename(indexed / "two.mp4")
    (indexed / "green.mp4").rename(indexed / "red.mp4")
    report = run(indexed, model)
    assert sorted(names(report.moved)) == ["red.mp4", "two.mp4", "zz.mp4"]
    assert report.indexed == []
    assert {row["id"] for row in rows(indexed, "id")} == before


def test_a_copy_takes_over_when_the_first_is_gone(videos: Path, model: str) -> None:
    shutil.copy(videos / "red.mp4", videos / "zz.mp4")
    run(videos, model)
    (videos / "red.mp4").unlink()
    assert names(run(videos, model, prune="gone").moved) == ["zz.mp4"]


def test_a_file_has_the_spelling_by_which_it_was_met_last(
    videos: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(videos)
    index(["."], library(videos), Choice(model=model))
    assert {row["path"] for row in rows(videos, "path")} == {"red.mp4", "green.mp4", "two.mp4"}
    assert len(run(videos, model).unchanged) == 3
    assert {row["path"] for row in rows(videos, "path")} == {str(one) for one in videos.iterdir()}


def test_files_gone_from_disk_stay_until_pruned(indexed: Path, model: str) -> None:
    (indexed / "red.mp4").unlink()
    assert run(indexed, model).removed == []
    assert verify(library(indexed)).remarks[0].endswith("reeltune index DIR --prune takes it out")
    assert names(run(indexed, model, prune="gone").removed) == ["red.mp4"]
    assert len({row["video"] for row in rows(indexed, "video")}) == 2


def test_pruning_leaves_files_below_other_folders(indexed: Path, model: str, clip: Clip) -> None:
    other = indexed.parent / "other"
    clip(other / "white.mp4", (250, 250, 250))
    (indexed / "red.mp4").unlink()
    report = index([str(other)], library(indexed), Choice(prune="gone"))
    assert report.removed == []


def test_a_bad_file_is_named_and_the_run_goes_on(videos: Path, model: str) -> None:
    (videos / "bad.mp4").write_bytes(b"this is no video")
    (videos / "empty.mp4").write_bytes(b"")
    report = run(videos, model)
    assert report.exit_code == 3
    assert sorted(names([failed.path for failed in report.failed])) == ["bad.mp4", "empty.mp4"]
    assert all("\n" not in failed.reason for failed in report.failed)
    assert len(report.indexed) == 3
    stored = json.loads((library(videos) / REPORT_NAME).read_text())
    assert stored["failed"][0]["reason"]


def test_only_bad_files_give_exit_code_1(tmp_path: Path, model: str) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "bad.mp4").write_bytes(b"this is no video")
    assert run(tmp_path / "videos", model).exit_code == 1


def test_a_missing_path_is_an_error_and_leaves_no_library(tmp_path: Path, model: str) -> None:
    with pytest.raises(DataError, match="is not there"):
        run(tmp_path / "nowhere", model)
    assert not (tmp_path / "library").exists()


def test_other_settings_are_refused_with_the_remedy(indexed: Path, model: str) -> None:
    with pytest.raises(
        LibraryError, match=r"sampling 'gap 2'.*'fps 1 as shown'.*; leave --sampling out, or "
    ):
        run(indexed, model, sampling="fps 1")
    assert run(indexed, model, sampling="gap 2").exit_code == 0


def test_another_model_is_refused_with_the_remedy(
    indexed: Path, model: str, tmp_path: Path
) -> None:
    from reeltune.models.clip import Config

    Config.tiny().build().save_pretrained(tmp_path / "other")
    remedy = r"; leave --model out, or read its videos again: reeltune library reindex .* --model"
    with pytest.raises(LibraryError, match=remedy):
        run(indexed, str(tmp_path / "other"))


def test_the_same_clip_with_merged_tokens_is_another_model(
    videos: Path, model: str, tmp_path: Path
) -> None:
    merging = open_model(model)
    merging.merge(1)
    merging.save_pretrained(tmp_path / "fast")
    assert run(videos, str(tmp_path / "fast")).exit_code == 0
    assert verify(library(videos)).faults == []
    with pytest.raises(LibraryError, match=r"; leave --model out, or read its videos again: "):
        run(videos, model)


@pytest.mark.parametrize("sampling", [None, "fps 1"])
def test_a_library_of_an_older_rule_of_frames_is_told_to_begin_anew(
    sampling: str | None, videos: Path, model: str
) -> None:
    """No option makes today's frames those that it was made of."""
    run(videos, model, sampling="fps 1")
    card = library(videos) / "library.json"
    card.write_text(card.read_text().replace("fps 1 as shown", "fps 1"))
    with pytest.raises(
        LibraryError, match=r"sampling 'fps 1' .*, not 'fps 1 as shown' [^;]*; index into a new fo"
    ):
        run(videos, model, sampling=sampling)


def test_a_second_writer_is_turned_away(videos: Path, model: str) -> None:
    library(videos).mkdir()
    with sole_writer(library(videos)), pytest.raises(LibraryError, match="is being written by"):
        run(videos, model)


class Meter:
    """Adds up what an indexing run tells."""

    def __init__(self) -> None:
        self.total = self.done = self.steps = 0

    def begin(self, files: int, size: int, work: str = "") -> None:
        self.total = size

    def advance(self, path: str, size: int) -> None:
        assert size >= 0
        self.done, self.steps = self.done + size, self.steps + 1

    def recognise(self, path: str, done: int, size: int) -> None:
        assert 0 < done <= size


def test_progress_adds_up_to_the_bytes_of_all_files(videos: Path, model: str) -> None:
    (videos / "bad.mp4").write_bytes(b"this is no video")
    meter = Meter()
    index([str(videos)], library(videos), Choice(model=model), meter)
    assert meter.total == meter.done == sum(path.stat().st_size for path in videos.iterdir())


class Interrupt(Meter):
    """Presses Ctrl-C as soon as work is reported."""

    def advance(self, path: str, size: int) -> None:
        raise KeyboardInterrupt


def test_ctrl_c_keeps_what_is_complete_and_the_next_run_goes_on(videos: Path, model: str) -> None:
    report = index([str(videos)], library(videos), Choice(model=model), Interrupt())
    assert report.interrupted
    assert report.exit_code == 130
    report = run(videos, model)
    assert report.exit_code == 0
    assert len({row["video"] for row in rows(videos, "video")}) == 3
    assert verify(library(videos)).faults == []


def test_a_library_that_is_still_empty_is_sound(tmp_path: Path, model: str) -> None:
    """As it is after a run that was killed before its first commit."""
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "bad.mp4").write_bytes(b"this is no video")
    run(tmp_path / "videos", model)
    health = verify(tmp_path / "library")
    assert (health.files, health.moments, health.faults) == (0, 0, [])


def test_the_program_that_the_package_shows_runs(
    videos: Path, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default model is replaced by a small one, and `Videos` is a folder of three clips."""
    import reeltune

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("reeltune.search.creation.DEFAULT", model)
    videos.rename(tmp_path / "Videos")
    exec(compile(dedent("\n".join((reeltune.__doc__ or "").splitlines()[2:])), "shown", "exec"), {})
    assert len(reeltune.Library("my.library").search("a dog catches a frisbee")) == 3


def test_verify_remarks_what_is_not_on_disk_as_it_is_stored(indexed: Path, model: str) -> None:
    (indexed / "green.mp4").unlink()
    os.utime(indexed / "red.mp4", ns=(1, 1))
    (indexed / "two.mp4").write_bytes(b"short")
    health = verify(library(indexed))
    assert health.faults == []
    mended = "reeltune index DIR brings it up to date"
    assert sorted(health.remarks) == [
        f"{indexed / 'green.mp4'} is gone; reeltune index DIR --prune takes it out",
        f"{indexed / 'red.mp4'} has another time of change than is stored; {mended}",
        f"{indexed / 'two.mp4'} has another size than is stored; {mended}",
    ]


def test_a_short_name_is_the_same_model_in_a_library_as_elsewhere(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of that name is given as a path, so that no folder changes what a name means."""
    monkeypatch.chdir(tmp_path)
    for name in ("siglip2", "lite"):
        shutil.copytree(model, tmp_path / name)
        assert encoder_for(tmp_path / "library", name, None).name == presets()[name].model
        there = encoder_for(tmp_path / "library", f"./{name}", None)
        assert there.name == str(tmp_path / name)
        assert there.model.name == str(tmp_path / name)
