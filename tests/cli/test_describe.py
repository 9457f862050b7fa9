"""Parameter counts, told without reading a weight."""

import json
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import nn

from reeltune.errors import CheckpointError, ConfigError
from reeltune.models.clip import Config
from reeltune.models.opening.count import count_parameters
from reeltune.models.opening.published import PUBLISHED
from reeltune.registry import find, names
from reeltune.runs.describe import describe, description_table

# Counts of the published checkpoints; B/32 is in the paper's own tables (VoP, 2211.12764).
TOTALS = {
    "openai/clip-vit-base-patch32": 151_277_313,
    "openai/clip-vit-base-patch16": 149_620_737,
    "openai/clip-vit-large-patch14": 427_616_513,
    "openai/clip-vit-large-patch14-336": 427_944_193,
    "google/siglip-base-patch16-224": 203_155_970,
}
# Weights of google/embeddinggemma-2 without its audio tower, and of Qwen/Qwen3-VL-Embedding-2B.
STORED = {"tiny-clip"}  # models whose weights are read as they are built
EMBEDDERS = {"embedding-gemma2": 438_760_448, "qwen3-vl-embedding": 2_127_532_032}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_published_models_have_their_published_size(name: str) -> None:
    told = describe(name)
    assert told["total"] == TOTALS[name]
    assert told["trainable"] + told["frozen"] == told["total"]
    assert sum(part["total"] for part in told["parts"].values()) == told["total"]
    assert json.loads(json.dumps(told)) == told


@pytest.mark.parametrize(("name", "total"), EMBEDDERS.items())
def test_embedding_models_have_the_size_of_those_of_the_hub(name: str, total: int) -> None:
    assert describe(name)["total"] == total


@pytest.mark.parametrize("name", [name for name in names("models") if name not in EMBEDDERS])
def test_every_component_is_described(name: str) -> None:
    with torch.device("cpu" if name in STORED else "meta"):  # where no weight is drawn
        built = find("models", name).Config().build()
    real = sum(weight.numel() for weight in built.parameters())
    assert describe(name)["total"] == real


def test_a_folder_needs_no_weights(tmp_path: Path) -> None:
    model = Config.tiny().build()
    model.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    told = describe(str(tmp_path))
    assert told["total"] == sum(weight.numel() for weight in model.parameters())
    assert set(told["parts"]) >= {"text_model", "vision_model"}
    (tmp_path / "config.yaml").unlink()
    assert describe(str(tmp_path)) == told


def test_frozen_and_shared_weights_are_told_apart() -> None:
    model = nn.ModuleDict({"head": nn.Linear(3, 2), "frozen": nn.Linear(2, 2)})
    model["frozen"].requires_grad_(False)
    model["again"] = model["head"]
    count = count_parameters(model)
    assert (count["total"], count["trainable"], count["frozen"]) == (14, 8, 6)
    assert count["parts"]["head"] == {"total": 8, "trainable": 8}
    assert count["parts"]["frozen"] == {"total": 6, "trainable": 0}


def test_an_unknown_architecture_is_refused_with_what_is_known() -> None:
    with pytest.raises(
        CheckpointError,
        match=r"architecture of 'some/model' is not known here.*"
        r"openai/clip-vit-base-patch32.*give a folder with its config\.json",
    ):
        describe("some/model")


@pytest.mark.parametrize("name", ["toybox/nothere", "toybox/"])
def test_a_recipe_that_a_benchmark_does_not_have_is_refused_as_one(name: str) -> None:
    with pytest.raises(
        ConfigError,
        match=rf"^no recipe '{name}'; a recipe is one of .*toybox.*, a slash, and one of .*vop",
    ):
        describe(name)


def test_a_folder_may_be_called_as_a_recipe_would_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "toybox" / "nothere"
    model = Config.tiny().build()
    model.save_pretrained(folder)
    monkeypatch.chdir(tmp_path)
    total = sum(weight.numel() for weight in model.parameters())
    assert describe("toybox/nothere")["total"] == total


def test_a_folder_without_settings_is_not_said_to_have_wrong_ones(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"has no config\.json and is no folder that training"
    ):
        describe(str(tmp_path))


def test_the_table_ends_with_the_sum() -> None:
    console = Console(width=100, record=True, file=StringIO())
    console.print(description_table(describe("openai/clip-vit-base-patch32")))
    assert "151,277,313" in console.export_text().splitlines()[-2]


def test_heads_whose_size_only_data_say_are_counted_at_their_largest() -> None:
    """ALPRO's head of entities, which knows 1,000 of them in the release."""
    told = describe("msvd-qa/alpro")
    assert told["parts"]["mpm_head"]["total"] == 2_718_184
    assert told["parts"]["classifier"]["total"] == 4_905_335
    assert "mpm_head" not in describe("msvd-qa/alpro-primary")["parts"], "no loss reads it"
