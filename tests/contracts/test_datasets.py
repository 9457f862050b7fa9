"""What every file in data/ promises; a new dataset is under these tests by being there."""

from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel, ValidationError

from reeltune.data._features import Features
from reeltune.data._splits import PARTS, Part
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
    assert not any(split.missing or split.extra for split in splits.values())


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
