"""Folders of models that a stranger made: each attack reaches the check that is for it, and no code
runs, no other file is read and no memory is taken."""

import json
import os
import pickle
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from hf_folders import clip_folder
from safetensors.torch import load_file, save_file

from reeltune.errors import CheckpointError
from reeltune.models import vop
from reeltune.models.clip import Config
from reeltune.models.opening.allowance import allowance
from reeltune.models.opening.harmless import LONGEST
from reeltune.models.opening.open import open_model
from reeltune.models.opening.weights import read_tensors

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_folder(tmp_path_factory.mktemp("hostile") / "clip")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A model that opens, to be spoiled."""
    return Path(shutil.copytree(whole, tmp_path / "clip"))


def set_in(path: Path, *names: str, to: Any) -> None:
    """Change one setting in a JSON file."""
    content = json.loads(path.read_text()) if path.exists() else {}
    inside = content
    for name in names[:-1]:
        inside = inside[name]
    inside[names[-1]] = to
    path.write_text(json.dumps(content))


class Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.mark), "w"))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "a.pth", "a.ckpt", "model.pkl"])
def test_no_pickle_is_opened(name: str, folder: Path, tmp_path: Path) -> None:
    (folder / name).write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    assert open_model(str(folder)).dim == 20, "beside safetensors it is not looked at"
    (folder / WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match=rf"only as {name}, a pickle, and Reeltune reads"):
        open_model(str(folder))
    (folder / name).rename(folder / WEIGHTS)  # under the name of the weights
    with pytest.raises(CheckpointError, match=r"weights in .* cannot be read \(.*[Hh]eader"):
        open_model(str(folder))
    assert not (tmp_path / "ran").exists()


def safetensors(header: object, body: bytes = bytes(64), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def a(start: int, end: int, *shape: int) -> dict[str, Any]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}


HEADERS = {
    "a header longer than any": safetensors({}, length=1 << 62),
    "a header longer than the file": safetensors({}, length=1 << 20),
    "tensors that overlap": safetensors({"a": a(0, 64, 16), "b": a(32, 64, 8)}),
    "a tensor beyond the end": safetensors({"a": a(0, 1 << 40, 1 << 38)}),
    "a tensor before the beginning": safetensors({"a": a(-64, 64, 32)}),
    "a shape that is too large": safetensors({"a": a(0, 64, 1 << 62, 1 << 62)}),
    "a hole": safetensors({"a": a(32, 64, 8)}),
    "deep JSON": safetensors(b"[" * 100_000),
    "no JSON": safetensors(b"\x80\x04" * 50),
}


@pytest.mark.parametrize("content", HEADERS.values(), ids=HEADERS)
def test_safetensors_that_lie_about_their_bytes_are_refused(content: bytes, folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"weights in .* cannot be read \("):
        open_model(str(folder))
    with pytest.raises(CheckpointError, match=r"cannot be read as safetensors \("):
        read_tensors(folder / WEIGHTS)


def shard(folder: Path, name: str) -> None:
    """Name one file in the index of shards for every weight."""
    names = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).rename(folder / "model-1.safetensors")
    weights = dict.fromkeys(names, "model-1.safetensors") | {"logit_scale": name}
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weights}))


@pytest.mark.parametrize(
    "name", ["../other.safetensors", "/{outside}", "sub/../../other.safetensors", "x.bin", "..", ""]
)
def test_an_index_of_shards_names_nothing_but_its_own_files(
    name: str, folder: Path, tmp_path: Path
) -> None:
    save_file({"logit_scale": torch.zeros(())}, tmp_path / "other.safetensors")
    torch.save({"logit_scale": torch.zeros(())}, folder / "x.bin")
    shard(folder, name.replace("/{outside}", str(tmp_path / "other.safetensors")))
    with pytest.raises(CheckpointError, match=r"index\.json names the weights '.*', and they must"):
        open_model(str(folder))


def test_an_index_of_shards_is_whole(folder: Path) -> None:
    shard(folder, "model-2.safetensors")
    with pytest.raises(CheckpointError, match=r"lacks model-2\.safetensors, which model\.safe"):
        open_model(str(folder))
    save_file({"logit_scale": torch.zeros(())}, folder / "model-2.safetensors", {"format": "pt"})
    assert open_model(str(folder)).dim == 20
    for content, message in (("[]", "has no weight_map"), ("[" * 10_000, "too deeply")):
        (folder / INDEX).write_text(content)
        with pytest.raises(CheckpointError, match=message):
            open_model(str(folder))


FILES = ("config.json", "tokenizer_config.json", "preprocessor_config.json", "generation.json")


@pytest.mark.parametrize("name", FILES)
def test_settings_are_neither_long_nor_deep(name: str, folder: Path) -> None:
    (folder / name).write_text('{"a":' * 100_000)
    with pytest.raises(CheckpointError, match=rf"{name} is not JSON \(it is nested too deeply\)"):
        open_model(str(folder))
    with (folder / name).open("wb") as file:
        file.truncate(1 << 25)
    with pytest.raises(CheckpointError, match=rf"{name} is not JSON \(it has more than 16,777"):
        open_model(str(folder))


@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.json", "merges.txt", "spiece.model"])
def test_lists_of_tokens_are_not_read_beyond_measure(name: str, folder: Path) -> None:
    with (folder / name).open("wb") as file:
        file.truncate(LONGEST + 1)
    with pytest.raises(CheckpointError, match=rf"{name} has 134,217,729 bytes, and at most 134"):
        open_model(str(folder))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", WEIGHTS, "anything.bin"])
def test_a_named_pipe_is_not_waited_for(name: str, folder: Path) -> None:
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    with pytest.raises(CheckpointError, match=r"is no regular file but|holds neither config\.yaml"):
        open_model(str(folder))


ASKED = [
    ("config.json", ("auto_map",), {"AutoModel": "evil.Model"}, r"run Python code of its own"),
    ("config.json", ("text_config", "auto_map"), {"AutoConfig": "evil.C"}, r"run Python code of"),
    ("tokenizer_config.json", ("auto_map",), ["evil.T", None], r"run Python code of its own"),
    ("preprocessor_config.json", ("auto_map",), {"AutoProcessor": "e.P"}, r"run Python code of"),
    ("config.json", ("configuration_files",), ["config.1.0.0.json"], r"settings from other files"),
    ("config.json", ("transformers_weights",), "x.bin", r"weights from another file"),
    ("config.json", ("quantization_config",), {"quant_method": "awq"}, r"by another library"),
    ("config.json", ("vision_config", "quantization_config"), {"a": 1}, r"by another library"),
    ("config.json", ("_attn_implementation",), "evil/kernel", r"attention 'evil/kernel' \(_attn_"),
    (
        "config.json",
        ("attn_implementation",),
        {"": "evil/k"},
        r"attention .*may be code of the",
    ),
    ("config.json", ("text_config", "_attn_implementation_internal"), "flash_attention_2", "code"),
    ("tokenizer_config.json", ("tokenizer_class",), "evil.Tokenizer", r"tokenizer 'evil\.Tokenize"),
    ("tokenizer_config.json", ("tokenizer_class",), "BertJapaneseTokenizer", r"tokenizer 'BertJap"),
    ("config.json", ("text_config", "tokenizer_class"), ["x"], r"asks for the tokenizer \['x'\]"),
    ("adapter_config.json", ("base_model_name_or_path",), "evil/model", r"library peft on another"),
]


@pytest.mark.parametrize(("file", "names", "value", "message"), ASKED)
def test_settings_that_ask_for_code_or_other_files_are_refused(
    file: str, names: tuple[str, ...], value: Any, message: str, folder: Path
) -> None:
    set_in(folder / file, *names, to=value)
    with pytest.raises(CheckpointError, match=message):
        open_model(str(folder))


def test_settings_that_ask_for_what_is_built_in_are_not(folder: Path) -> None:
    set_in(folder / "config.json", "quantization_config", to=None)
    set_in(folder / "config.json", "text_config", "_attn_implementation", to="eager")
    set_in(folder / "tokenizer_config.json", "tokenizer_class", to="CLIPTokenizerFast")
    assert open_model(str(folder)).dim == 20


SIZES = [
    ("text_config", "hidden_size", 2_000_000_000),
    ("text_config", "vocab_size", 10**9),
    ("text_config", "max_position_embeddings", 10**9),
    ("vision_config", "intermediate_size", 10**9),
    ("vision_config", "num_hidden_layers", 10**6),
    ("projection_dim", 10**9),
]


@pytest.mark.parametrize("names", SIZES, ids=lambda names: names[-2])
def test_a_size_without_weights_of_that_size_takes_no_memory(
    names: tuple[Any, ...], folder: Path
) -> None:
    set_in(folder / "config.json", *names[:-1], to=names[-1])
    with pytest.raises(CheckpointError, match=r"clip: its settings ask for a model many times la"):
        open_model(str(folder))


def adapter(folder: Path) -> Path:
    vop.Config(base=None, architecture=Config.tiny()).build().save_pretrained(folder)
    return folder


def test_a_size_in_a_card_of_ours_takes_no_memory(tmp_path: Path) -> None:
    folder = adapter(tmp_path / "run")
    assert open_model(str(folder)).dim == 24
    card = (folder / "config.yaml").read_text()
    assert "mlp: null" in card
    (folder / "config.yaml").write_text(card.replace("mlp: null", "mlp: 1000000000"))
    with pytest.raises(CheckpointError, match=r"run: its settings ask for a model many times la"):
        open_model(str(folder))


CARDS: dict[str, tuple[str, str]] = {
    "an alias": ("model: &a [x, x]\nconfig: {b: [*a, *a]}\n", r"it has an alias of YAML"),
    "code": ("model: !!python/object/apply:os.system ['true']\n", r"could not determine a constr"),
    "depth": ("model: " + "[" * 5000, r"it is nested too deeply"),
    "length": ("#" * (1 << 20) + "\nmodel: vop", r"it has more than 1,048,576 bytes"),
    "a module": ("model: evil.module\nconfig: {}", r"no file may say which module is imported"),
}


@pytest.mark.parametrize(("card", "message"), CARDS.values(), ids=CARDS)
def test_a_card_of_ours_does_no_harm(card: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(card)
    with pytest.raises(CheckpointError, match=message):
        open_model(str(tmp_path))


def test_allowances_of_models_within_each_other_add_up(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with allowance(tmp_path / "none"):
        torch.zeros(3 << 24)  # 200 MB of 256
        with pytest.raises(CheckpointError, match="none: its settings ask for a model many times"):
            torch.empty(1 << 40)
    with allowance(tmp_path / "none"), allowance(tmp_path / "none"):
        torch.empty(3 << 25, device="meta")
    torch.empty(1 << 40, device="meta")  # and outside of them nothing is counted
