"""Weights in and out: nothing half, nothing silent, never a pickle."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hf_folders import clip_folder
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CLIPModel

from reeltune.errors import CheckpointError
from reeltune.models.clip import load
from reeltune.models.opening.weights import (
    CARD,
    Card,
    fingerprint,
    load_weights,
    read_card,
    require_weights,
    write_card,
)
from reeltune.storage.tensors import write_tensors


def test_weights_round_trip_and_leave_no_half_file(tmp_path: Path) -> None:
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    path = tmp_path / "new" / "model.safetensors"
    write_tensors(path, first.state_dict())
    load_weights(second, path)
    assert torch.equal(first.weight, second.weight)
    assert [file.name for file in path.parent.iterdir()] == ["model.safetensors"]


def test_keys_that_do_not_fit_are_named_and_nothing_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_tensors(path, {"weight": torch.ones(2, 4), "scale": torch.ones(1)})
    module = nn.Linear(3, 2)
    before = module.weight.clone()
    with pytest.raises(
        CheckpointError,
        match=r"model\.safetensors does not fit its model: 1 missing \(bias\); "
        r"1 unexpected \(scale\); 1 of another shape \(weight \(2, 4\) for \(2, 3\)\); take",
    ):
        load_weights(module, path)
    assert torch.equal(module.weight, before)


def test_many_odd_keys_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_tensors(path, {f"extra{number}": torch.ones(1) for number in range(9)})
    with pytest.raises(CheckpointError, match=r"9 unexpected \(extra0, .*extra4 and 4 more\)"):
        load_weights(nn.Linear(1, 1), path)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_tensors(path, nn.Linear(30, 20).state_dict())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"model\.safetensors cannot be read as safetensors"):
        load_weights(nn.Linear(30, 20), path)


def test_the_fingerprint_knows_weights_names_shapes_and_facts() -> None:
    weights, facts = {"a": torch.arange(6.0)}, {"size": 224}
    base = fingerprint(weights, facts)
    assert re.fullmatch("[0-9a-f]{32}", base)
    assert fingerprint({"a": torch.arange(6.0)}, {"size": 224}) == base
    assert fingerprint({"b": torch.arange(6.0)}, facts) != base
    assert fingerprint({"a": torch.arange(6.0).view(2, 3)}, facts) != base
    assert fingerprint({"a": torch.arange(6.0) + 1}, facts) != base
    assert fingerprint(weights, {"size": 225}) != base
    assert fingerprint({"a": torch.arange(6.0).half()}, facts) == base, "stored in half precision"


def test_cards_round_trip_and_bad_ones_are_named(tmp_path: Path) -> None:
    write_card(tmp_path, "lite", {"dim": 256})
    assert read_card(tmp_path) == Card(tmp_path / CARD, "lite", {"dim": 256})
    for text in (
        "",
        "model: 3",
        "model",
        "- a\n- b",
        "config: {}",
        "model: [",
        "model: a\nconfig: 3",
    ):
        (tmp_path / "config.yaml").write_text(text)
        with pytest.raises(CheckpointError, match=r"config\.yaml does not say which model.*'model"):
            read_card(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no model\.safetensors; give a folder"):
        require_weights(tmp_path)


@pytest.fixture
def pickled(tmp_path: Path) -> Path:
    """A CLIP as the first ones were published: its weights are a pickle."""
    folder = clip_folder(tmp_path / "old clip")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder


def test_a_pickle_is_refused_and_the_remedy_works(pickled: Path) -> None:
    with pytest.raises(CheckpointError, match=r"only as pytorch_model\.bin, a pickle") as refusal:
        load(pickled)
    code = re.search(r'python -c "(.*)"', str(refusal.value))
    assert code is not None
    subprocess.run([sys.executable, "-c", code[1]], check=True, capture_output=True)
    assert load(pickled).dim == 20


def test_a_clip_with_other_keys_is_refused_by_name(tmp_path: Path) -> None:
    folder = clip_folder(tmp_path / "clip")
    path = folder / "model.safetensors"
    weights = load_file(path)
    kept = weights.pop("visual_projection.weight")
    save_file({**weights, "odd.weight": kept}, path, {"format": "pt"})
    with pytest.raises(
        CheckpointError,
        match=r"1 missing \(visual_projection\.weight\); 1 unexpected \(odd\.weight\); take",
    ):
        load(folder)
    save_file({**weights, "visual_projection.weight": kept[:7]}, path, {"format": "pt"})
    with pytest.raises(
        CheckpointError, match=r"visual_projection\.weight \(7, 32\) for \(20, 32\)"
    ):
        load(folder)


def test_position_ids_of_old_checkpoints_are_no_fault(tmp_path: Path) -> None:
    folder = clip_folder(tmp_path / "clip")
    path = folder / "model.safetensors"
    ids = {
        f"{part}_model.embeddings.position_ids": torch.arange(9)[None]
        for part in ("text", "vision")
    }
    save_file({**load_file(path), **ids}, path, {"format": "pt"})
    assert load(folder).dim == 20


def test_sharded_and_half_precision_weights_are_read(tmp_path: Path) -> None:
    folder = clip_folder(tmp_path / "clip")
    whole = load(folder)
    parts = clip_folder(tmp_path / "parts")
    (parts / "model.safetensors").unlink()
    CLIPModel.from_pretrained(folder).half().save_pretrained(parts, max_shard_size="50KB")
    assert len(list(parts.glob("model-*.safetensors"))) > 1
    half = load(parts)
    assert half.towers.dtype == torch.float32
    tokens = whole.tokenize(["rain"])
    torch.testing.assert_close(
        half.encode_text(tokens), whole.encode_text(tokens), atol=2e-3, rtol=0
    )
    half.save_pretrained(tmp_path / "again")
    assert load(tmp_path / "again").fingerprint == half.fingerprint


def test_a_truncated_clip_is_refused(tmp_path: Path) -> None:
    folder = clip_folder(tmp_path / "clip")
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(CheckpointError, match=r"weights in .*clip cannot be read.*again"):
        load(folder)
