"""What every file in data/ promises; a new dataset is under these tests by being there."""

from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel, ValidationError

from reeltune.data.splits.part import PARTS, Part, read_if_any
from reeltune.errors import ConfigError, NoSplitError
from reeltune.features.store import Features
from reeltune.registry import find, names
from reeltune.types import Split


@pytest.fixture(scope="module", params=names("data"))
def dataset(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def component(dataset: str) -> ModuleType:
    return find("data", dataset)


@pytest.fixture(scope="module")
def config(component: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return component.Config.tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def splits(config: BaseModel) -> dict[Part, Split]:
    return {part: config.read(part) for part in PARTS}


def test_how_draws_the_folder_and_fits_a_terminal(component: ModuleType) -> None:
    assert "FOLDER/" in component.HOW
    assert "├── " in component.HOW or "└── " in component.HOW
    assert all(len(line) <= 100 or "https://" in line for line in component.HOW.splitlines())


def test_settings_are_frozen_closed_and_survive_a_file(config: BaseModel) -> None:
    assert type(config)(**config.model_dump(mode="json")) == config
    with pytest.raises(ValidationError, match="no_such_setting"):
        type(config)(**config.model_dump(), no_such_setting=1)
    with pytest.raises(ValidationError, match="frozen"):
        config.folder = Path()


def test_three_items_at_least_are_read_back(splits: dict[Part, Split]) -> None:
    assert len({pair.video for split in splits.values() for pair in split.pairs}) >= 3
    assert all(split.pairs for split in splits.values())
    assert not any(split.left_out for split in splits.values())


def test_every_pair_has_a_file_or_features_a_caption_and_a_span(splits: dict[Part, Split]) -> None:
    for pair in (pair for split in splits.values() for pair in split.pairs):
        assert pair.path.is_file() or pair.path.name in Features(pair.path.parent)
        assert pair.caption == pair.caption.strip() != ""
        assert pair.start >= 0
        assert pair.end is None or pair.end > pair.start


def test_an_id_is_one_span_of_one_file(splits: dict[Part, Split]) -> None:
    spans: dict[str, tuple[Path, float, float | None]] = {}
    for pair in (pair for split in splits.values() for pair in split.pairs):
        span = (pair.path, pair.start, pair.end)
        assert spans.setdefault(pair.video, span) == span
    assert len(set(spans.values())) == len(spans)


def test_no_video_is_in_two_splits(splits: dict[Part, Split]) -> None:
    files = [{pair.path for pair in split.pairs} for split in splits.values()]
    assert sum(map(len, files)) == len(set().union(*files))


def test_captions_are_as_the_policy_says(splits: dict[Part, Split]) -> None:
    for split in splits.values():
        videos = [pair.video for pair in split.pairs]
        assert split.captions == "multiple" or len(set(videos)) == len(videos)


def test_reading_again_gives_the_same(config: BaseModel, splits: dict[Part, Split]) -> None:
    assert {part: config.read(part) for part in PARTS} == splits


@pytest.mark.parametrize(
    "name", ["TEST", "Test", "valid", "dev", "validation", "", "train ", "../x"]
)
def test_a_split_has_one_of_three_names_to_the_letter(config: BaseModel, name: str) -> None:
    with pytest.raises(ConfigError, match=r"no split .*; a split is one of train, val, test"):
        config.read(name)
    if hasattr(config, "features"):
        with pytest.raises(ConfigError, match=r"no split .*; a split is one of train, val, test"):
            config.features(name)


def test_a_held_out_split_can_be_done_without(config: BaseModel) -> None:
    """Who holds nothing out trains on all, and is told that there is no val."""
    if "hold_out" not in type(config).model_fields:
        return
    all_of_it = config.model_copy(update={"hold_out": 0})
    assert len(all_of_it.read("train").pairs) > len(config.read("train").pairs)
    with pytest.raises(NoSplitError, match=r"hold_out is 0.*--set options\.hold_out=500"):
        all_of_it.read("val")
    assert read_if_any(all_of_it, "val") is None
    assert read_if_any(all_of_it, "test") == config.read("test")
