"""What a Dual Encoding is given before its training: official files, and what is said of them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reeltune.data.hybrid_space import Config
from reeltune.errors import ConfigError, DataError
from reeltune.features.official import write_official
from reeltune.models.dual_encoding import DualEncoding
from reeltune.models.opening.material import Started
from reeltune.recipes.read import read_recipe
from reeltune.recipes.recipe import Recipe
from reeltune.runs.place import RunPlace
from reeltune.runs.setup import material_of
from reeltune.runs.train import run_recipe

SIZES = {"features": 4, "embedding": 3, "hidden": 4, "filters": 4, "latent": 6, "concepts": 2}
SMALL = {f"config.{name}": size for name, size in SIZES.items()} | {"words.at_least": 1}


def recipe(method: str = "dual-encoding", **changes: object) -> Recipe:
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return read_recipe(f"msrvtt-yu/{method}", {**SMALL, **named})


def begun(wanted: Recipe, options: Config) -> Started[DualEncoding]:
    """The model as training begins, and remarks on it but for those on its sizes."""
    splits = options.read("train"), options.read("val")
    torch.manual_seed(0)
    place = RunPlace(out=options.folder, device="cpu")
    material = replace(material_of(wanted, options, splits, place), width=4)
    found: Started[DualEncoding] = wanted.model_config_of().start(material)
    return replace(found, said=tuple(one for one in found.said if not one.startswith("config.")))


@pytest.fixture
def options(tmp_path: Path) -> Config:
    """Four videos of training, video0 to video3, and two each of validation and test."""
    text, feature = tmp_path / "toy" / "TextData", tmp_path / "toy" / "FeatureData" / "made-up"
    text.mkdir(parents=True)
    feature.mkdir(parents=True)
    videos = [f"video{number}" for number in range(8)]
    for part, some in (("train", videos[:4]), ("val", videos[4:6]), ("test", videos[6:])):
        lines = [f"{video}#0 a toy number {video[5:]}\n{video}#1 the toy\n" for video in some]
        (text / f"toy{part}.caption.txt").write_text("".join(lines))
    np.random.default_rng(0).standard_normal(64).astype("<f4").tofile(feature / "feature.bin")
    write_official(feature, dict.fromkeys(videos, 2), 4)
    return Config(folder=tmp_path)


def write_captions(options: Config, lines: str) -> None:
    path = options.folder / "toy" / "TextData" / "toytrain.caption.txt"
    path.write_text(lines, encoding="utf-8")


def write_vectors(options: Config, words: str, width: int = 3) -> np.ndarray:
    folder = options.word_vectors
    folder.mkdir(parents=True)
    rows = np.arange(1.0, 1 + width * len(words.split()), dtype="<f4").reshape(-1, width)
    rows.tofile(folder / "feature.bin")
    (folder / "id.txt").write_text(words)
    (folder / "shape.txt").write_text(f"{len(rows)} {width}")
    return rows


def write_tags(options: Config, videos: str, size: int = 2) -> None:
    labels, names = options.tags(size)
    names.parent.mkdir(parents=True)
    labels.write_text("".join(f"{video}\ttoy:4 game:2\n" for video in videos.split()))
    names.write_text(json.dumps(["game", "toy"]))


def test_official_files_are_used_where_the_released_code_keeps_them(options: Config) -> None:
    rows = write_vectors(options, "toy zebra number")
    write_tags(options, "video0 video1 video2 video3")
    found = begun(recipe(), options)
    vocabulary = found.model.vocabulary
    weights = found.model.text.embedding.weight.detach().numpy()
    for word, row in (("toy", 0), ("number", 2)):
        (place,) = set(vocabulary.ids(word)) - {1, 2}
        np.testing.assert_array_equal(weights[place], rows[row])
    pair = options.read("train").pairs[0]
    assert found.targets["concepts"](pair).tolist() == [0.5, 1]
    tags, vectors = found.said
    assert tags == (f"concepts: the 2 of {options.tags(2)[1]}, by the tags in {options.tags(2)[0]}")
    assert vectors.startswith(f"word vectors of {options.word_vectors}: 2 of {len(vocabulary)} w")


def test_what_the_released_code_has_and_the_folder_lacks_is_said(options: Config) -> None:
    found = begun(recipe(), Config(folder=options.folder))
    tags, vectors = found.said
    assert tags.startswith(f"warning: no tags at {options.tags(2)[0]}, from which the released")
    words = len(found.model.vocabulary)
    assert vectors.startswith(f"warning: no word vectors at {options.word_vectors}, from which")
    assert f"all {words} words start between -1 and 1 (" in vectors


def test_words_start_between_minus_one_and_one(options: Config) -> None:
    """In all published recipes; in those that are ours, as their figures were measured."""
    wide = begun(recipe(config__embedding=500), options).model.text.embedding.weight
    assert 0.98 < wide.abs().max() <= 1
    assert recipe().model_config_of().embedding_range == 1
    for name in ("toybox", "flickr8k"):
        assert read_recipe(f"{name}/dual-encoding").model_config_of().embedding_range == 0.1


def test_who_wants_no_official_files_hears_nothing_of_them(options: Config) -> None:
    write_vectors(options, "toy", width=5)
    write_tags(options, "video9")
    found = begun(recipe(words__word2vec="none", words__tags="captions"), options)
    assert found.said == ()
    message = r"are \(\d+, 5\), .* --set config\.embedding=5, or start without them by --set words"
    with pytest.raises(ConfigError, match=message):
        begun(recipe(words__tags="captions"), options)


def test_one_caption_a_video_is_told_to_leave_out_the_concepts(options: Config) -> None:
    write_captions(options, "video0#0 a toy number 0\n")
    message = r"none is in the 1 caption of 1 training video; .* --set config\.concepts=0, or bring"
    with pytest.raises(ConfigError, match=message):
        begun(recipe(), options)
    assert begun(recipe(config__concepts=0), options).targets == {}


def test_one_file_of_tags_without_the_other_is_refused(options: Config) -> None:
    for name in ("tags", "tag_vocabulary"):
        with pytest.raises(ConfigError, match=r"one of two files of tags is given; give both"):
            begun(recipe(**{f"words__{name}": "file"}), options)


def test_under_meltr_videos_of_validation_have_the_tags_of_their_captions(options: Config) -> None:
    """The official file has those of training alone, and MELTR wants the losses of validation."""
    write_tags(options, "video0 video1 video2 video3")
    held_out = options.read("val").pairs[0]
    found = begun(recipe("dual-encoding-meltr"), options)
    assert found.said[1] == (
        "no tags are there for 2 validation videos, such as 'video4': they are taken from captions"
    )
    assert found.targets["concepts"](held_out).tolist() == [0, 1], "toy, which it has twice"
    with pytest.raises(DataError, match="no tags of 'video4'"):
        begun(recipe(), options).targets["concepts"](held_out)


def test_tags_of_another_collection_are_refused(options: Config) -> None:
    write_tags(options, "video7 video8")
    with pytest.raises(DataError, match=r"none of the 4 training videos, such as 'video0'; take"):
        begun(recipe(), options)


def test_words_of_every_script_are_read_where_that_is_wanted(options: Config) -> None:
    write_captions(options, "video0#0 красный куб\nvideo0#1 a red cube\n")
    quiet = {"words__word2vec": "none", "config__concepts": 0}
    ascii_ = begun(recipe(**quiet), options)
    assert ascii_.said == (
        "warning: no word in 1 of 2 training captions, the first is 'красный куб'; "
        "--set words.letters=unicode reads every script",
    )
    assert ascii_.model.vocabulary.words == ("a", "red", "cube")
    unicode = begun(recipe(words__letters="unicode", **quiet), options)
    assert unicode.said == ()
    assert unicode.model.vocabulary.words == ("красный", "куб", "a", "red", "cube")


class Listener:
    """A watcher that keeps what it is told before the first step."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def say(self, sentence: str) -> None:
        self.heard.append(sentence)

    def prepare(self, what: str, done: int, total: int) -> None: ...

    def begin(self, done: int, steps: int) -> None: ...

    def step(self, facts: dict[str, float]) -> None: ...

    def epoch(self, facts: dict[str, float]) -> None: ...


def test_the_card_and_the_watcher_say_what_the_model_was_given(
    options: Config, tmp_path: Path
) -> None:
    write_vectors(options, "toy number")
    watcher, out = Listener(), tmp_path / "run"
    own = {"options__collection": "toy", "options__feature": "made-up"}
    wanted = recipe(training__epochs=1, training__batch=2, **own)
    run_recipe(wanted, RunPlace(out=out, data=options.folder, device="cpu", watcher=watcher))
    *_, tags, vectors, _ = watcher.heard
    assert tags.startswith("warning: no tags at")
    assert vectors.startswith("word vectors of")
    card = (out / "README.md").read_text()
    assert f"- {tags}\n- {vectors}\n" in card
