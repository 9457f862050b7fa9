"""A person's videos are read as the clips of training were."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reeltune.errors import DataError
from reeltune.features.store import FeatureReader, Features
from reeltune.models.opening.open import open_model
from reeltune.recipes.read import read_recipe
from reeltune.recipes.stored import as_stored, write_recipe
from reeltune.runs.make_features import FeatureOptions, make_features
from reeltune.runs.own_videos import EncodedClips, own_videos
from reeltune.types import Pair
from runs.own_models import save

EVERY = {"features.every": 0.2}


@pytest.fixture(scope="module")
def univl(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return open_model(save(tmp_path_factory.mktemp("univl")), "cpu")


def of(path: Path, **part: float) -> Pair:
    return Pair(video=path.name, path=path, caption="", **part)


@pytest.mark.parametrize("most", [None, 3])
def test_features_are_those_that_training_reads_from_disk(
    univl: Any, videos: Path, tmp_path: Path, most: int | None
) -> None:
    options = FeatureOptions(every=0.2)
    make_features([str(videos)], "tiny-clip", tmp_path / "made", options)
    stored = FeatureReader(Features(tmp_path / "made"), most)
    read = EncodedClips(univl, options.sampling, most)
    for pair in (of(videos / "red.mp4"), of(videos / "two.mp4", start=3.0, end=7.1)):
        np.testing.assert_array_equal(read.read(pair), stored.read(pair))


def test_the_parts_of_a_video_are_decoded_once(univl: Any, videos: Path) -> None:
    read = EncodedClips(univl, FeatureOptions(every=1.0).sampling, None)
    first = read.read(of(videos / "two.mp4", start=0.0, end=5.0))
    (videos / "two.mp4").unlink()
    second = read.read(of(videos / "two.mp4", start=5.0, end=10.0))
    assert (len(first), len(second)) == (5, 5)
    with pytest.raises(DataError, match=r"frames up to 10 s, and asked for was the part from 11 s"):
        read.read(of(videos / "two.mp4", start=11.0, end=12.0))


@pytest.mark.parametrize(
    ("recipe", "policy"),
    [
        (None, "features fps 2 as shown"),
        (EVERY, "features fps 5 as shown"),
        ({**EVERY, "features.at_most": 7}, "features fps 5 as shown, at most 7"),
    ],
)
def test_the_recipe_beside_the_weights_says_which_frames(
    tmp_path: Path, recipe: dict[str, object] | None, policy: str
) -> None:
    folder = save(tmp_path, recipe)
    own = own_videos(open_model(folder, "cpu"), Path(folder))
    assert (own.reader.policy, own.notes) == (policy, ())


def test_features_in_a_folder_say_which_frames_unless_they_are_gone(
    videos: Path, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    make_features([str(videos)], "tiny-clip", made, FeatureOptions(every=0.25))
    folder = save(tmp_path / "model", {"features.folder": str(made)})
    own = own_videos(open_model(folder, "cpu"), Path(folder))
    assert (own.reader.policy, own.notes) == ("features fps 4 as shown", ())
    shutil.rmtree(made)
    own = own_videos(open_model(folder, "cpu"), Path(folder))
    assert own.reader.policy == "features fps 5 as shown", "that of the recipe"
    assert own.notes == (
        f"which frames the features in {made} were made of is not known, so one is read every "
        "0.2 s",
    )


def test_a_model_of_pictures_reads_as_many_as_in_training(tmp_path: Path) -> None:
    model = open_model("tiny-clip", "cpu")
    assert own_videos(model, tmp_path).reader.policy == "uniform 12 as shown"
    write_recipe(as_stored(read_recipe("toybox/vop", {"frames": 5})), tmp_path)
    assert own_videos(model, tmp_path).reader.policy == "uniform 5 as shown"


def test_features_of_an_unknown_maker_cannot_be_made_of_videos(tmp_path: Path) -> None:
    folder = save(tmp_path, encoder=None)
    with pytest.raises(DataError, match=r"reads stored features of width 96.*encoder"):
        own_videos(open_model(folder, "cpu"), tmp_path)
