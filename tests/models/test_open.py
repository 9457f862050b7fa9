"""Names of models: components, folders, hub ids; and what is said when one cannot be opened."""

import json
import shutil
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from socket import create_server

import pytest
import torch
from hf_folders import SIZE, TEXTS, TOWER, clip_folder, siglip2_folder, siglip_folder
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import SiglipConfig, SiglipModel

from reeltune.errors import CheckpointError
from reeltune.models import clip, vop
from reeltune.models.clip import Config
from reeltune.models.opening.hub import cached, cached_models, fetch
from reeltune.models.opening.material import Material
from reeltune.models.opening.open import load, open_model, placed_name
from reeltune.models.opening.presets import presets
from reeltune.recipes.read import read_recipe


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return clip_folder(tmp_path / "clip")


def change(path: Path, **fields: object) -> None:
    """Set fields of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def change_text(path: Path, **fields: object) -> None:
    settings = json.loads(path.read_text())
    settings["text_config"].update(fields)
    path.write_text(json.dumps(settings))


@pytest.mark.parametrize("maker", [clip_folder, siglip_folder])
def test_a_folder_of_transformers_opens(maker: Callable[[Path], Path], tmp_path: Path) -> None:
    folder = maker(tmp_path / "model")
    model = open_model(str(folder))
    assert model.name == str(folder)
    assert isinstance(model, nn.Module)
    assert not model.training
    assert not any(weight.requires_grad for weight in model.parameters())
    assert model.encode_text(model.tokenize(TEXTS)).shape == (len(TEXTS), model.dim)


def test_a_checkpoint_of_our_own_opens(tmp_path: Path) -> None:
    model = Config.tiny().build()
    model.save_pretrained(tmp_path)
    again = open_model(str(tmp_path), "cpu", "bf16")
    assert again.fingerprint == model.fingerprint


def test_unknown_names_are_told_what_there_is() -> None:
    with pytest.raises(CheckpointError, match=r"no model 'litte': .*\bclip\b.*hub id such as"):
        open_model("litte")
    with pytest.raises(CheckpointError, match="clip is an architecture without weights"):
        clip.load(None)


@pytest.mark.parametrize("name", ["lite.v2", "../there", "a/b/c", "model.bin"])
def test_names_of_nothing_are_refused(name: str) -> None:
    with pytest.raises(CheckpointError, match=r"no model .*: it is neither a folder nor one of"):
        load(name)


def test_a_folder_that_is_gone_is_said_to_be_gone() -> None:
    with pytest.raises(CheckpointError, match=r"'/no/such/folder': there is no such folder; if it"):
        open_model("/no/such/folder")


def test_a_siglip_without_a_pooling_head_is_refused(tmp_path: Path) -> None:
    settings = SiglipConfig(
        vision_config={**TOWER, "image_size": SIZE, "patch_size": 16, "vision_use_head": False},
        text_config={**TOWER, "vocab_size": 200, "max_position_embeddings": 20},
    )
    folder = siglip_folder(tmp_path / "siglip")
    text = json.loads((folder / "config.json").read_text())["text_config"]
    settings.text_config = type(settings.text_config)(**text)
    model = SiglipModel(settings)
    model.save_pretrained(folder)
    with pytest.raises(
        CheckpointError, match=r"siglip has no pooling head \(vision_use_head is fal"
    ):
        open_model(str(folder))


@pytest.mark.parametrize(
    ("key", "what"),
    [("visual_projection.weight", "a grey frame"), ("text_projection.weight", "a word")],
)
def test_weights_that_give_no_numbers_are_refused(folder: Path, key: str, what: str) -> None:
    weights = load_file(folder / "model.safetensors")
    weights[key] = torch.full_like(weights[key], float("nan"))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=rf"numbers that are not finite of {what}, and wante"):
        open_model(str(folder))


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("model.dim = 23", r"a vector of shape \(24,\) of a word, and wanted is a vector of 23"),
        (
            "model.encode_video = lambda frames, mask: None",
            "no vector but NoneType of a grey frame",
        ),
        ("model.encode_text = lambda tokens: tokens.no", "AttributeError .*'no'.* of a word"),
    ],
)
def test_a_model_whose_vectors_are_none_is_refused(
    body: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"odd{abs(hash(body))}"
    (tmp_path / f"{name}_lab").mkdir()
    (tmp_path / f"{name}_lab" / "mine.py").write_text(
        "from reeltune.models.clip import Config\n"
        "def load(folder, device=None, dtype=None):\n"
        f"    model = Config.tiny().build()\n    {body}\n    return model\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CheckpointError, match=fault):
        load(f"{name}_lab.mine")


def test_a_relative_folder_is_stored_by_its_absolute_path(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    assert placed_name("clip") == presets()["clip"].model, "a short name goes before a folder"
    shutil.copytree(folder, folder.parent / "lite")
    assert placed_name("lite") == "lite", "and so does a component that has weights"
    shutil.copytree(folder, folder.parent / "models" / "mine")
    assert placed_name("models/mine") == str(folder.parent / "models" / "mine")
    assert placed_name("./clip") == str(folder)
    assert placed_name("openai/clip-vit-base-patch32") == "openai/clip-vit-base-patch32"
    config = vop.Config(base="models/mine", prompts=(vop.Text(length=1),))
    assert config.base == str(folder.parent / "models" / "mine")
    model = config.start(Material(device="cpu")).model
    assert placed_name("tuned") == "tuned"
    model.save_pretrained(folder.parent / "tuned")
    assert placed_name("tuned") == str(folder.parent / "tuned"), "what has none goes behind it"
    monkeypatch.chdir("/")
    assert open_model(str(folder.parent / "tuned")).fingerprint == model.eval().fingerprint
    (folder.parent / "models" / "mine").rename(folder.parent / "moved")
    message = r"lost its base: no model '.*models/mine': there is no such folder.*set base in .*tun"
    with pytest.raises(CheckpointError, match=message):
        open_model(str(folder.parent / "tuned"))


def test_a_recipe_keeps_folders_of_models_by_their_absolute_paths(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    recipe = read_recipe("toybox/vop-fp", {"config.base": "./clip"})
    assert recipe.config["base"] == str(folder)


def test_a_module_outside_reeltune_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "laboratory").mkdir()
    (tmp_path / "laboratory" / "mine.py").write_text(
        "from reeltune.models.clip import Config\n"
        "def load(folder, device=None, dtype=None):\n    return Config.tiny().build()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert load("laboratory.mine").dim == 24


def test_a_folder_of_open_clip_is_told_the_form_that_is_read(tmp_path: Path) -> None:
    (tmp_path / "open_clip_config.json").write_text("{}")
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"")
    with pytest.raises(
        CheckpointError,
        match=r"form of open_clip .*turn it by reeltune convert open-clip .* NEW, or",
    ):
        open_model(str(tmp_path))


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds neither config\.yaml nor config\.json"):
        open_model(str(tmp_path))
    (tmp_path / "config.yaml").write_text("model: abacus")
    with pytest.raises(CheckpointError, match=r"config\.yaml: no model named 'abacus'; there are"):
        open_model(str(tmp_path))


def test_another_architecture_is_refused(folder: Path) -> None:
    change(folder / "config.json", model_type="bert")
    known = "clip, metaclip_2, siglip, siglip2, embedding_gemma2, qwen3_vl"
    with pytest.raises(
        CheckpointError, match=f"model_type 'bert', and known here are {known}; give"
    ):
        open_model(str(folder))


def test_patches_of_no_size_are_refused(tmp_path: Path) -> None:
    folder = siglip2_folder(tmp_path / "siglip2")
    change(folder / "preprocessor_config.json", max_num_patches=-4)
    with pytest.raises(CheckpointError, match="has patch_size and max_num_patches 16 and -4, and"):
        open_model(str(folder))
    change(folder / "preprocessor_config.json", max_num_patches=16)
    with pytest.raises(CheckpointError, match="cuts images of 64 pixels and the image tower reads"):
        open_model(str(folder))


def test_a_folder_that_is_cut_off_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json is not JSON .*copy it again"):
        open_model(str(folder))


def test_missing_preprocessing_is_not_guessed(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match=r"has no preprocessor_config\.json.*copy that file"):
        open_model(str(folder))


def test_preprocessing_inside_processor_config_is_read(folder: Path) -> None:
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").unlink()
    (folder / "processor_config.json").write_text(json.dumps({"image_processor": settings}))
    assert open_model(str(folder)).pixels.size == 48


def test_the_shortest_edge_may_be_longer_than_the_crop(folder: Path) -> None:
    change(folder / "preprocessor_config.json", size={"shortest_edge": 56}, resample=2)
    pixels = open_model(str(folder)).pixels
    assert (pixels.size, pixels.shortest, pixels.resample) == (48, 56, "bilinear")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": {"shortest_edge": 40}}, "size and crop_size .*a square centre crop inside it"),
        ({"do_center_crop": False}, "size and crop_size .*or one exact square"),
        ({"resample": 1}, r"resample 1, and Reeltune can do 2 \(bilinear\) or 3 \(bicubic\)"),
        ({"do_normalize": False}, "do_normalize false, and Reeltune can do true"),
        ({"rescale_factor": 1.0}, "rescale_factor 1.0, and Reeltune can do 1/255"),
        (
            {"image_processor_type": "ViTImageProcessor"},
            "asks for ViTImageProcessor, and a model of this type has CLIPF",
        ),
        (
            {"size": {"shortest_edge": 64}, "crop_size": {"height": 64, "width": 64}},
            "cuts images of 64 pixels and the image tower reads 48",
        ),
    ],
)
def test_preprocessing_out_of_the_ordinary_is_refused(
    folder: Path, fields: dict[str, object], message: str
) -> None:
    change(folder / "preprocessor_config.json", **fields)
    with pytest.raises(CheckpointError, match=message):
        open_model(str(folder))


def test_a_tokenizer_of_another_model_is_refused(folder: Path) -> None:
    change_text(folder / "config.json", eos_token_id=7)
    with pytest.raises(CheckpointError, match=r"vector at token 7 .*ends a text with \d+; set"):
        open_model(str(folder))
    change_text(folder / "config.json", eos_token_id=2, vocab_size=100)
    with pytest.raises(CheckpointError, match=r"ids up to \d+ and the text tower knows 100;"):
        open_model(str(folder))


def test_a_missing_tokenizer_and_one_that_brings_code_are_refused(folder: Path) -> None:
    change(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["code.Mine", None]})
    with pytest.raises(CheckpointError, match=r"run Python code of its own \(auto_map\)"):
        open_model(str(folder))
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(CheckpointError, match=r"no tokenizer that transformers can read.*copy"):
        open_model(str(folder))


@pytest.mark.skipif(find_spec("sentencepiece") is not None, reason="sentencepiece is here")
def test_a_missing_sentencepiece_is_named(tmp_path: Path) -> None:
    folder = siglip_folder(tmp_path / "siglip")
    change(folder / "tokenizer_config.json", tokenizer_class="SiglipTokenizer")
    with pytest.raises(CheckpointError, match=r"with: pip install sentencepiece protobuf$"):
        open_model(str(folder))


def into_cache(folder: Path, cache: Path, commit: str, ref: str | None) -> None:
    """Lay a model into a hub cache, as `huggingface_hub` does."""
    home = cache / "models--owner--model"
    (home / "snapshots").mkdir(parents=True, exist_ok=True)
    folder.rename(home / "snapshots" / commit)
    if ref:
        (home / "refs" / ref).parent.mkdir(parents=True, exist_ok=True)
        (home / "refs" / ref).write_text(commit)


def test_the_cache_is_asked_first(tmp_path: Path) -> None:
    into_cache(clip_folder(tmp_path / "a"), tmp_path, "c0ffee", "main")
    into_cache(clip_folder(tmp_path / "b"), tmp_path, "beef", "refs/pr/15")
    refused = "http://127.0.0.1:9"  # asking it would fail
    assert fetch("owner/model", cache=tmp_path, endpoint=refused).name == "c0ffee"
    assert fetch("owner/model@refs/pr/15", cache=tmp_path, endpoint=refused).name == "beef"
    assert fetch("owner/model@c0ffee", cache=tmp_path, endpoint=refused).name == "c0ffee"


def test_a_partial_copy_in_the_cache_is_passed_over(tmp_path: Path) -> None:
    into_cache(clip_folder(tmp_path / "a"), tmp_path, "main0", "main")
    (tmp_path / "models--owner--model/snapshots/main0/model.safetensors").unlink()
    assert cached("owner/model", None, tmp_path) is None
    assert cached_models(tmp_path) == []
    into_cache(clip_folder(tmp_path / "b"), tmp_path, "beef", "refs/pr/15")
    found = cached("owner/model", None, tmp_path)
    assert found is not None
    assert found.name == "beef"
    assert cached_models(tmp_path) == ["owner/model"]


def test_without_a_network_it_fails_fast_in_one_sentence(tmp_path: Path) -> None:
    start = time.perf_counter()
    with pytest.raises(
        CheckpointError,
        match=r"owner/model is not in the local cache \(.*\) and the hub cannot be reached "
        r"\(.*\); give the path of a local folder that holds the model$",
    ):
        fetch("owner/model", cache=tmp_path, endpoint="http://127.0.0.1:9")
    assert time.perf_counter() - start < 5


def test_a_hub_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with create_server(("127.0.0.1", 0)) as silent:
        start = time.perf_counter()
        with pytest.raises(CheckpointError, match="the hub cannot be reached"):
            fetch(
                "owner/model",
                cache=tmp_path,
                endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}",
                reach=0.5,
            )
        assert time.perf_counter() - start < 5


def test_a_hub_id_opens_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    into_cache(clip_folder(tmp_path / "a"), tmp_path, "c0ffee", "main")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    model = open_model("owner/model")
    assert model.name == "owner/model"
    assert model.encode_text(model.tokenize(["rain"])).dtype == torch.float32


def test_offline_mode_is_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match=r"cannot be reached \(HF_HUB_OFFLINE is set\)"):
        fetch("owner/model", cache=tmp_path)
