"""UniVL on a made-up YouCook2 in the layout of the release: converted, trained, judged."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from reeltune.data.released.univl_pickles import convert_s3d
from reeltune.data.released.youcook2 import convert
from reeltune.errors import ConfigError, DataError
from reeltune.recipes.read import read_recipe
from reeltune.recipes.recipe import Recipe
from reeltune.runs.evaluate import evaluate_checkpoint
from reeltune.runs.evaluation_recipe import evaluation_recipe
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe
from reeltune.training.log import read_log

VIDEOS = [f"video{n}abcdef" for n in range(8)]  # five to train, one of them held out, three to test
TESTED = 3
SMALL = {
    **{f"config.{part}_layers": 1 for part in ("text", "video", "cross", "decoder")},
    "config.pretrained": None,
    "config.vocabulary": "small",
    "config.features": 6,
    "config.width": 16,
    "config.heads": 2,
    "config.positions": 32,
    "config.words": 16,
    "config.frames": 12,
    "training.epochs": 1,
    "training.batch": 4,
    "options.hold_out": 1,
}


@pytest.fixture(autouse=True)
def without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures that need it are left out, and are tested where captions are scored; it is slow."""
    monkeypatch.setenv("PATH", "")


def release(folder: Path, spoken: bool = True) -> Path:
    """Two steps in each video; pickles as numpy writes them, then converted."""
    folder.mkdir()
    source = np.random.default_rng(0)
    told, features = {}, {}
    for number, video in enumerate(VIDEOS):
        told[video] = {
            "start": np.array([0.0, 4.5], dtype=object),
            "end": np.array([3.0, 9.25], dtype=object),
            "text": np.array([f"a red square {number}", "a circle blinks"], dtype=object),
            "transcript": np.array(["look at this square" if spoken else "NONE", "NONE"], object),
        }
        features[video] = source.standard_normal((10, 6)).astype(np.float32)
    (folder / "data.pickle").write_bytes(pickle.dumps(told))
    (folder / "s3d.pickle").write_bytes(pickle.dumps(features))
    convert(folder / "data.pickle", folder)
    convert_s3d(folder / "s3d.pickle", folder / "features")
    for name, videos in (("train", VIDEOS[:-TESTED]), ("val", VIDEOS[-TESTED:])):
        lines = "".join(f"{video},{video}\n" for video in videos)
        (folder / f"youcookii_{name}.csv").write_text("video_id,feature_file\n" + lines)
    return folder


def recipe(method: str, **changes: object) -> Recipe:
    return read_recipe(f"youcook2/{method}", {**SMALL, **changes})


def test_captions_of_what_is_seen_and_said(tmp_path: Path) -> None:
    place = RunPlace(out=tmp_path / "run", data=release(tmp_path / "data"), device="cpu")
    trained = run_recipe(recipe("univl-caption-speech-meltr"), place)
    steps = [line for line in read_log(place.out) if line["kind"] == "step"]
    assert len(steps) == 2
    assert len([name for name in steps[0] if name.startswith("slope ")]) == 8
    assert set(trained.report.scores) >= {"BLEU-4", "ROUGE-L", "CIDEr-D"}
    again = evaluation_recipe(str(place.out), "youcook2", {})
    found = evaluate_checkpoint(str(place.out), again, place, "test")
    assert found.scores == trained.report.scores
    assert (len(found.captions), found.protocol.split) == (2 * TESTED, "test")


def test_a_model_that_listens_is_told_where_nobody_speaks(tmp_path: Path) -> None:
    place = RunPlace(
        out=tmp_path / "run", data=release(tmp_path / "data", spoken=False), device="cpu"
    )
    with pytest.raises(DataError, match=r"no transcript of any clip.*univl-caption"):
        run_recipe(recipe("univl-caption-speech"), place)


def test_retrieval_of_clips(tmp_path: Path) -> None:
    place = RunPlace(
        out=tmp_path / "run", data=release(tmp_path / "data", spoken=False), device="cpu"
    )
    trained = run_recipe(recipe("univl-primary"), place)
    assert trained.report.protocol.split == "test"
    assert 0 < trained.report.t2v["R@1"] <= trained.report.t2v["R@10"] == 100


def test_features_of_another_width_are_refused(tmp_path: Path) -> None:
    place = RunPlace(out=tmp_path / "run", data=release(tmp_path / "data"), device="cpu")
    changed = recipe("univl-primary", **{"config.features": 1024})
    with pytest.raises(
        ConfigError, match=r"have width 6, and the model reads 1024; give --set config\.fe"
    ):
        run_recipe(changed, place)
