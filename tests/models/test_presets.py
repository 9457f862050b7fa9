"""Models by short names: pinned, and chosen by what is on the machine."""

import re
from pathlib import Path

import pytest
from huggingface_hub import constants

from reeltune.errors import CheckpointError
from reeltune.models.opening.open import placed_name, require_named
from reeltune.models.opening.presets import best_here, candidates, chosen, is_offered, presets
from reeltune.registry import names

WHOLE = ("config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def put(cache: Path, name: str) -> None:
    """Files of a preset's model, without content, where the hub's cache has them."""
    repo, revision = presets()[name].model.split("@")
    folder = cache / f"models--{repo.replace('/', '--')}" / "snapshots" / revision
    folder.mkdir(parents=True)
    for file in WHOLE:
        (folder / file).touch()


def test_each_preset_is_inside_or_pinned_to_a_commit() -> None:
    for preset in presets().values():
        pinned = re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", preset.model)
        assert pinned or preset.model in names("models")
        assert (preset.rank is None) == (preset.model in names("models"))
    assert next(iter(presets())) == "lite"


def test_a_preset_is_stored_by_its_commit_and_other_names_stay(cache: Path) -> None:
    assert placed_name("siglip2") == presets()["siglip2"].model
    assert chosen("owner/model") == "owner/model"
    require_named("siglip2")
    require_named("auto")


def test_auto_takes_the_best_that_needs_no_download(cache: Path) -> None:
    assert (best_here(), chosen("auto")) == ("lite", "lite")
    put(cache, candidates()[-1])
    assert best_here() == candidates()[-1]
    put(cache, candidates()[0])
    assert best_here() == candidates()[0]
    assert presets()[candidates()[0]].is_here


def test_a_name_that_is_none_is_told_the_short_names() -> None:
    with pytest.raises(CheckpointError, match=r"lite, .*siglip2, .*auto, nor a hub id such as"):
        require_named("siglib2")


def test_a_file_is_no_model_and_is_not_asked_for_at_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "ViT-B-32.pt").touch()
    with pytest.raises(CheckpointError, match=r"^weights/ViT-B-32\.pt is a file, and a model is a"):
        require_named("weights/ViT-B-32.pt")


def test_nothing_is_offered_where_the_hub_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not is_offered("siglip2", 0.5, "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert not is_offered("siglip2", 0.5)
