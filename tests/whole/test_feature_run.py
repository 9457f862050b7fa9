"""Runs on stored features: what is learned of captions, and features that are made once."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from reeltune.data.hybrid_space import Config as HybridSpace
from reeltune.data.toybox import Config
from reeltune.errors import ConfigError, DataError, MediaError
from reeltune.features.store import Features
from reeltune.media.decoder import Decoder
from reeltune.media.sampling import Sampling
from reeltune.models.clip import Config as Clip
from reeltune.models.dual_encoding import DualEncoding
from reeltune.models.opening.material import Material, Started
from reeltune.recipes.read import read_recipe
from reeltune.recipes.recipe import Recipe
from reeltune.runs.clips import StoredClips
from reeltune.runs.inputs import without_faults
from reeltune.runs.place import RunPlace
from reeltune.runs.setup import source_of
from reeltune.runs.train import run_recipe
from reeltune.types import Pair, Pixels, Split

OPTIONS = Config(size="tiny")
SMALL = {"options.size": "tiny", "training.epochs": 1, "training.batch": 16}


def recipe(**changes: object) -> Recipe:
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return read_recipe("toybox/dual-encoding", {**SMALL, **named})


def started(wanted: Recipe, splits: list[Split]) -> Started[DualEncoding]:
    """The model of a recipe, on features that are 96 wide."""
    material = Material(
        title=f"recipe {wanted.name}",
        device="cpu",
        width=96,
        splits=tuple(splits),
        dataset=OPTIONS,
        words=wanted.words,
    )
    return wanted.model_config_of().start(material)


def silent(what: str) -> Callable[[int, int], None]:
    return lambda done, of: None


@pytest.fixture(scope="module")
def splits() -> list[Split]:
    return [Config(size="tiny").read(part) for part in ("train", "val", "test")]


def asked(splits: list[Split]) -> StoredClips:
    return source_of(recipe(), Config(size="tiny")).open(splits, silent)


@pytest.fixture(scope="module")
def folder(splits: list[Split], cache: Path) -> Path:
    """The features that `asked` makes; other tests may have made more, of other frames or clips."""
    policy = asked(splits).policy
    clips = {pair.path.stem for split in splits for pair in split.pairs}
    for lock in cache.glob("features/*.lock"):
        features = Features(lock.with_suffix(""))
        alike = policy == f"features {features.making.model} {features.making.sampling}"
        if alike and all(any(n.endswith(clip) for n in features.videos) for clip in clips):
            return features.folder
    raise AssertionError("nothing was made")


def test_words_are_those_that_the_training_captions_have_often_enough(splits: list[Split]) -> None:
    model = started(recipe(words__at_least=40), splits[:1]).model
    counts = Counter(w for pair in splits[0].pairs for w in re.findall("[a-z0-9]+", pair.caption))
    assert set(model.vocabulary.words) == {word for word, times in counts.items() if times >= 40}
    assert model.config.words == len(model.vocabulary) < len(counts)
    assert model.config.features == 96


def test_concepts_are_as_many_as_there_are_and_at_most_as_many_as_wanted(
    splits: list[Split],
) -> None:
    few = started(recipe(config__concepts=7), splits[:1]).model
    assert few.config.concepts == 7
    many = started(recipe(config__concepts=512), splits[:1]).model
    assert 7 < many.config.concepts < 512


def test_sizes_that_the_data_settle_are_said_where_settings_have_others(
    splits: list[Split],
) -> None:
    begun = started(recipe(config__words=9000, config__features=4096), splits[:1])
    words = len(begun.model.vocabulary)
    assert begun.said[:2] == (
        "config.features is 96, the width of the stored features, in place of 4,096",
        f"config.words is {words}, the number of words that are known, in place of 9,000",
    )
    few = started(recipe(config__words=words, config__concepts=7), splits[:1])
    assert not any(one.startswith("config.") for one in few.said)
    many = started(recipe(config__words=words, config__concepts=512), splits[:1])
    there = f"config.concepts is {many.model.config.concepts}, the number of concepts that there"
    assert many.said[0] == f"{there} are, in place of 512"


def test_targets_are_between_0_and_1_and_of_the_pairs_own_video(splits: list[Split]) -> None:
    begun = started(recipe(), splits[:1])
    of = begun.targets["concepts"]
    by_video = {pair.video: of(pair) for pair in splits[0].pairs}
    assert {len(found) for found in by_video.values()} == {begun.model.config.concepts}
    values = np.stack(list(by_video.values()))
    assert values.min() == 0
    assert values.max() == 1
    assert len({found.tobytes() for found in by_video.values()}) > 10
    unknown = Pair(video="none", path=Path("none.mp4"), caption="")
    with pytest.raises(DataError, match=r"no tags of 'none'"):
        of(unknown)


def test_without_concepts_there_is_no_target(splits: list[Split]) -> None:
    begun = started(recipe(config__concepts=0), splits[:1])
    assert begun.targets == {}
    assert begun.model.config.concepts == 0


def test_concepts_may_come_from_the_users_own_files(splits: list[Split], tmp_path: Path) -> None:
    tags, names = tmp_path / "video_label_th_1.txt", tmp_path / "tag_vocab_512.json"
    videos = list(dict.fromkeys(pair.video for pair in splits[0].pairs))
    lines = (f"{video}\tball:{4 if place else 1} move:4\n" for place, video in enumerate(videos))
    tags.write_text("".join(lines))
    names.write_text(json.dumps(["ball", "move"]))
    given = recipe(words__tags=str(tags), words__tag_vocabulary=str(names))
    begun = started(given, splits[:1])
    first = next(pair for pair in splits[0].pairs if pair.video == videos[0])
    assert begun.model.config.concepts == 2
    assert begun.targets["concepts"](first).tolist() == [0.25, 1]


def test_targets_of_validation_are_for_the_concepts_of_training(splits: list[Split]) -> None:
    alone = started(recipe(), splits[:1])
    both = started(recipe(), splits[:2])
    pair, held_out = splits[0].pairs[0], splits[1].pairs[0]
    assert both.targets["concepts"](pair).tolist() == alone.targets["concepts"](pair).tolist()
    assert len(both.targets["concepts"](held_out)) == alone.model.config.concepts
    with pytest.raises(DataError, match="no tags of"):
        alone.targets["concepts"](held_out)


def test_runs_that_ask_at_once_share_features_that_are_made_once(
    splits: list[Split], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One may open the folder while the other looks whether anything is missing in it."""
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path))
    few = [Split(pairs=splits[2].pairs[:60], captions="multiple")]
    videos = {pair.video for pair in few[0].pairs}
    with ThreadPoolExecutor(2) as pool:
        readers = list(pool.map(lambda _: asked(few), range(3)))
    (lock,) = (tmp_path / "features").glob("*.lock")
    features = Features(lock.with_suffix(""))
    assert len(features.videos) == len(videos)
    assert features.making.model == "tiny-clip"
    wanted = sum(features.count(video) for video in features.videos)
    assert len(np.load(lock.with_suffix("") / "features.npy")) == wanted
    for pair in few[0].pairs[::20]:
        for reader in readers:
            np.testing.assert_array_equal(reader.read(pair), readers[0].read(pair))


def test_a_run_reads_what_another_made(folder: Path, cache: Path, tmp_path: Path) -> None:
    before = (folder / "features.npy").read_bytes()
    there = set(cache.glob("features/*"))
    trained = run_recipe(recipe(), RunPlace(out=tmp_path))
    assert not trained.report.protocol.incomplete
    assert set(cache.glob("features/*")) == there
    assert (folder / "features.npy").read_bytes() == before
    assert trained.report.protocol.frames.startswith("features tiny-clip fps 5")
    assert run_recipe(recipe(), RunPlace(out=tmp_path)).report == trained.report


def test_other_weights_of_an_encoder_make_features_of_their_own(
    splits: list[Split], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a folder of weights may be trained on under its name."""
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path))
    few = [Split(pairs=splits[2].pairs[:20], captions="multiple")]
    read = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        Clip.tiny().build().save_pretrained(tmp_path / "clip")
        own = recipe(config__encoder=str(tmp_path / "clip"))
        read.append(source_of(own, Config(size="tiny")).open(few, silent).read(few[0].pairs[0]))
    assert len(list((tmp_path / "features").glob("*.lock"))) == 2
    assert not np.allclose(*read)


def test_another_spacing_of_frames_makes_features_of_its_own(
    splits: list[Split], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path))
    few = [Split(pairs=splits[2].pairs[:20], captions="multiple")]
    for changed in (recipe(), recipe(features__every=0.5), recipe()):
        source_of(changed, Config(size="tiny")).open(few, silent)
    assert len(list((tmp_path / "features").glob("*.lock"))) == 2


def test_clips_are_rows_of_the_folder(splits: list[Split], folder: Path) -> None:
    reader = source_of(recipe(), Config(size="tiny")).open(splits, silent)
    pair = splits[1].pairs[0]
    assert reader.width == 96
    np.testing.assert_array_equal(reader.read(pair), Features(folder).of(reader_id(folder, pair)))
    few = source_of(recipe(features__at_most=3), Config(size="tiny")).open(splits, silent)
    assert few.read(pair).shape == (3, 96)
    assert few.policy == f"{reader.policy}, at most 3"


def reader_id(folder: Path, pair: Pair) -> str:
    return next(name for name in Features(folder).videos if name.endswith(pair.path.stem))


def test_features_of_the_dataset_are_read_where_it_has_them(tmp_path: Path) -> None:
    options = HybridSpace.tiny(tmp_path)
    reader = source_of(recipe(), options).open([options.read("val")], silent)
    pair = options.read("val").pairs[0]
    np.testing.assert_array_equal(reader.read(pair), np.arange(8, 16).reshape(2, 4))
    assert reader.policy == "features stored"


def test_clips_without_features_are_named(splits: list[Split], tmp_path: Path) -> None:
    options = HybridSpace.tiny(tmp_path)
    own = recipe(features__folder=str(options.features("val")))
    reader = source_of(own, OPTIONS).open(splits, silent)
    pair = splits[1].pairs[0]
    message = rf"has no features of .*{pair.path.name} under any of .*`reeltune features`"
    with pytest.raises(DataError, match=message):
        reader.read(pair)
    with pytest.raises(DataError, match=r"no video of the split can be read; the first is .*mp4"):
        without_faults(reader, splits[1], RunPlace(out=tmp_path))
    known = Pair(video="video1", path=Path("video1"), caption="")
    both = Split(pairs=(known, pair), captions="single")
    kept = without_faults(reader, both, RunPlace(out=tmp_path))
    assert [one.video for one in kept.pairs] == ["video1"]
    [entry] = kept.left_out
    assert (entry.what, entry.count, entry.names) == ("video", 1, (pair.video,))
    assert "has no features of" in entry.reason


@pytest.mark.parametrize("place", [0, 3])
def test_a_video_whose_features_are_not_finite_is_left_out_by_name(
    place: int, splits: list[Split], folder: Path, tmp_path: Path
) -> None:
    """Also where it is the first one that is asked for."""
    broken = tmp_path / "features"
    shutil.copytree(folder, broken)
    videos = list(dict.fromkeys(pair.video for pair in splits[0].pairs))
    name = reader_id(folder, next(p for p in splits[0].pairs if p.video == videos[place]))
    data = np.load(broken / "features.npy")
    entry = json.loads((broken / "index.json").read_text())["videos"][name]
    data[entry["first"]] = np.nan
    np.save(broken / "features.npy", data)
    own = recipe(features__folder=str(broken))
    done = run_recipe(own, RunPlace(out=tmp_path / "run"))
    said = next(one for one in done.report.protocol.left_out["train"] if one.what == "video")
    assert said.names == (videos[place],)
    assert "are not finite numbers" in said.reason


def test_why_a_video_gave_no_features_is_kept(
    splits: list[Split], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    whole = splits[2].pairs[0]
    lost = Pair(video="lost", path=broken, caption="")
    split = Split(pairs=(whole, lost), captions="multiple")
    for _ in range(2):  # the second time, the features of the other are there
        reader = source_of(recipe(), Config(size="tiny")).open([split], silent)
        kept = without_faults(reader, split, RunPlace(out=tmp_path))
        (entry,) = kept.left_out
        assert kept.pairs == (whole,)
        assert (entry.what, entry.names) == ("video", ("lost",))
        assert "has no features of" not in entry.reason
        with (
            pytest.raises(MediaError) as shown,
            Decoder(Pixels(size=8), Sampling("fps", 2.0)) as decoder,
        ):
            decoder.open(broken)
        assert entry.reason == shown.value.reason


def test_an_encoder_that_is_not_there_is_named() -> None:
    told = r"--set config\.encoder=tiny-clop: no model 'tiny-clop'.*tiny-clip"
    with pytest.raises(ConfigError, match=told):
        recipe(config__encoder="tiny-clop")


def test_without_encoder_and_folder_both_remedies_are_named(splits: list[Split]) -> None:
    with pytest.raises(ConfigError, match=r"no encoder.*--set config\.encoder=lite, or --set f"):
        source_of(recipe(config__encoder=None), Config(size="tiny")).open(splits, silent)


def test_videos_of_one_name_are_refused(splits: list[Split], tmp_path: Path) -> None:
    paths = [str(tmp_path / "a" / "one.mp4"), str(tmp_path / "b" / "one.mp4")]
    with pytest.raises(DataError, match=r"2 videos have 1 name,.*features\.folder=OUT"):
        source_of(recipe(), OPTIONS).make(paths, silent)


def test_a_recipe_of_frames_has_no_features(splits: list[Split]) -> None:
    frames = read_recipe("toybox/vop", {"options.size": "tiny"})
    with pytest.raises(ConfigError, match=r"toybox/vop has no features; give --set features\."):
        source_of(frames, Config(size="tiny")).open(splits, silent)
