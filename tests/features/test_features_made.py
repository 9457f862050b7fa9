"""Features made from videos: real decoding, a real model, real files."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from reeltune.cli.commands.features import app
from reeltune.errors import ConfigError, DataError
from reeltune.features.store import FeatureReader, Features
from reeltune.media.decoder import Decoder
from reeltune.media.files import find, said_of
from reeltune.media.sampling import Sampling
from reeltune.models.opening.open import open_model
from reeltune.runs.make_features import FeatureOptions, make_features, sources_of
from reeltune.types import FrameEncoder, Pair


def slow_features(path: Path, model: str, every: float) -> tuple[np.ndarray, list[float], float]:
    """One frame at a time through the model; its times, and the length of the video, in s."""
    encoder = open_model(model)
    assert isinstance(encoder, FrameEncoder)
    with (
        Decoder(encoder.pixels, Sampling("fps", 1 / every)) as decoder,
        decoder.open(path) as reading,
    ):
        frames = list(reading)
    with torch.inference_mode():
        rows = [encoder.encode_frames(torch.from_numpy(f.pixels)[None])[0] for f in frames]
    return torch.stack(rows).numpy(), [frame.time for frame in frames], reading.info.duration


@pytest.fixture
def footage(tmp_path: Path, clip: Callable[..., Path]) -> Path:
    """A clip, a longer one below, one that is broken, and a photo."""
    folder = tmp_path / "footage"
    clip(folder / "red.mp4", (200, 20, 20))
    clip(folder / "a place" / "two.mp4", (20, 20, 200), (200, 200, 20), seconds=9)
    (folder / "broken.mp4").write_bytes(b"no video")
    Image.new("RGB", (40, 30), (20, 200, 20)).save(folder / "photo.jpg")
    return folder


def test_features_are_those_of_each_frame(footage: Path, model: str, tmp_path: Path) -> None:
    """36 frames at once and one at a time are equal; a broken file is named and left out."""
    report = make_features([str(footage)], model, tmp_path / "f", FeatureOptions(dtype="float32"))
    assert report.made == ["a place/two", "red"]
    assert list(report.faults) == [str(footage / "broken.mp4")]
    features = Features(tmp_path / "f")
    assert (features.making.model, features.making.sampling) == (model, "fps 2 as shown")
    for name in report.made:
        rows, times, until = slow_features(footage / f"{name}.mp4", model, 0.5)
        np.testing.assert_allclose(features.of(name), rows, atol=1e-5)
        edges = features.edges(name)
        assert edges is not None
        np.testing.assert_allclose(edges[:-1], times)
        assert edges[-1] == pytest.approx(until, abs=0.001)
    assert report.rows == features.rows == 40


def test_the_official_format_and_ours_hold_the_same(
    footage: Path, model: str, tmp_path: Path
) -> None:
    own = make_features([str(footage)], model, tmp_path / "own", FeatureOptions(photos=True))
    wish = FeatureOptions(photos=True, format="official")
    official = make_features([str(footage)], model, tmp_path / "official", wish)
    assert own.made == ["a place/two", "photo", "red"]
    assert official.made == ["a%20place/two", "photo", "red"]
    readers = [FeatureReader(Features(tmp_path / name)) for name in ("own", "official")]
    for path in ("a place/two.mp4", "photo.jpg", "red.mp4"):
        pair = Pair(video=path, path=footage / path, caption="colours")
        one, other = (reader.read(pair) for reader in readers)
        np.testing.assert_allclose(one, other, atol=1e-3)
    assert len(readers[0].read(Pair(video="photo", path=footage, caption="green"))) == 1
    part = Pair(video="x", path=footage / "a place" / "two.mp4", caption="c", start=9.0)
    assert len(readers[1].read(part)) == 18


def test_a_second_run_makes_what_is_new(
    model: str, tmp_path: Path, clip: Callable[..., Path]
) -> None:
    """A file that has changed is named, since its old rows are there."""
    videos = tmp_path / "videos"
    clip(videos / "a.mp4", (200, 20, 20))
    first = make_features([str(videos)], model, tmp_path / "f")
    clip(videos / "b.mp4", (20, 200, 20))
    second = make_features([str(videos)], model, tmp_path / "f")
    assert (first.made, second.made, second.unchanged) == (["a"], ["b"], ["a"])
    clip(videos / "a.mp4", (20, 20, 200))
    third = make_features([str(videos)], model, tmp_path / "f")
    assert (third.made, third.unchanged) == ([], ["b"])
    assert (
        "another version of it, has the id 'a'; give a new folder"
        in third.faults[str(videos / "a.mp4")]
    )
    with pytest.raises(
        DataError, match=r"whose sampling is 'fps 2 as shown', not 'fps 1 as shown'; give a new"
    ):
        make_features([str(videos)], model, tmp_path / "f", FeatureOptions(every=1.0))


class Stops:
    """Progress that stops the run, as Ctrl-C does, after some files."""

    def __init__(self, after: int) -> None:
        self.left = after

    def begin(self, files: int, size: int, work: str = "") -> None:
        """Nothing to show."""

    def advance(self, path: str, size: int) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def recognise(self, path: str, done: int, size: int) -> None:
        """Nothing to show."""


def test_what_a_person_stops_is_not_read_as_if_it_were_whole_and_goes_on(
    footage: Path, model: str, tmp_path: Path
) -> None:
    report = make_features([str(footage)], model, tmp_path / "f", progress=Stops(1))
    assert (report.interrupted, report.made) == (True, ["a place/two"])
    assert report.rows > 0
    with pytest.raises(DataError, match=r"was left unfinished; wait, or run the same"):
        Features(tmp_path / "f")
    again = make_features([str(footage)], model, tmp_path / "f")
    assert (again.interrupted, again.made) == (False, ["red"])
    assert Features(tmp_path / "f").videos == ("a place/two", "red")


def test_ids_are_paths_from_the_folder_that_was_given(footage: Path) -> None:
    one = str(footage / "a place" / "two.mp4")

    def ids(*paths: str) -> list[str]:
        return [source.id for source in sources_of(find(paths).files)]

    assert ids(str(footage)) == ["a place/two", "broken", "red"]
    assert ids(one) == ["two"]
    assert len(ids(str(footage), one)) == 3, "a file that is named twice is taken once"


def test_what_is_no_video_is_said_and_photos_are_taken_if_wanted(
    footage: Path, model: str, tmp_path: Path
) -> None:
    shutil.copytree(footage, tmp_path / "v")
    (tmp_path / "v" / "notes.txt").write_text("x")
    Image.new("RGB", (8, 8)).save(tmp_path / "v" / "photo.jpg")
    report = make_features([str(tmp_path / "v")], model, tmp_path / "f")
    assert said_of(report.passed_over) == ["2 other files were passed over: 1 .txt, 1 .jpg"]
    options = FeatureOptions(photos=True)
    report = make_features([str(tmp_path / "v")], model, tmp_path / "f", options)
    assert report.made == ["photo"]
    assert said_of(report.passed_over) == ["1 other file was passed over: 1 .txt"]
    (tmp_path / "empty").mkdir()
    report = make_features([str(footage), str(tmp_path / "empty")], model, tmp_path / "f")
    assert report.faults[str(tmp_path / "empty")] == "holds no video"


def test_a_wish_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"every is 0 s; give seconds above 0, such as 0.5"):
        FeatureOptions(every=0.0)


def test_the_command_prints_json_and_sentences(footage: Path, model: str, tmp_path: Path) -> None:
    asked = [str(footage), "--model", model, "--out", str(tmp_path / "f")]
    said = CliRunner().invoke(app, [*asked, "--json"], catch_exceptions=False)
    report = json.loads(said.stdout)
    assert (said.exit_code, report["made"], report["rows"]) == (3, ["a place/two", "red"], 40)
    broken = str(footage / "broken.mp4")
    (entry,) = report["left_out"]
    assert (entry["what"], entry["count"], entry["names"]) == ("file", 1, [broken])
    assert entry["reason"] == report["faults"][broken] != ""
    said = CliRunner().invoke(app, asked, catch_exceptions=False)
    text = " ".join(said.stdout.split())
    assert "0 videos made, 2 there already, 1 left out; 40 rows of" in text
    assert f"left out 1 file ({entry['reason']}): {broken}" in text
    assert said.exit_code == 3, "one of three has no features"
    refused = CliRunner().invoke(app, [*asked, "--format", "mine"])
    assert refused.exit_code == 2
    shown = CliRunner().invoke(app, ["--help"])
    assert "Example: `reeltune features ~/Videos" in " ".join(shown.stdout.split())
