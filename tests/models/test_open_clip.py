"""A CLIP in the form of open_clip, turned and held against the same weights in transformers."""

import json
from pathlib import Path

import pytest
import torch
from hf_folders import END, SIZE, START, TEXTS, TOWER, learned_bpe
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.errors import CheckpointError
from reeltune.models.opening.open import open_model
from reeltune.models.released.open_clip import convert


def official(vocabulary: dict[str, int]) -> CLIPModel:
    """A random CLIP as transformers has it, with the activation that open_clip has by default."""
    text = {**TOWER, "hidden_act": "gelu", "vocab_size": len(vocabulary)}
    text |= {"max_position_embeddings": 24, "bos_token_id": vocabulary[START]}
    text |= {"eos_token_id": vocabulary[END], "pad_token_id": vocabulary[END]}
    vision = {**TOWER, "hidden_act": "gelu", "image_size": SIZE, "patch_size": 16}
    torch.manual_seed(0)
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=20)).eval()


def as_open_clip(model: CLIPModel) -> dict[str, Tensor]:
    """Its weights by open_clip's names, written out tower by tower."""
    made = {
        "logit_scale": model.logit_scale,
        "token_embedding.weight": model.text_model.embeddings.token_embedding.weight,
        "positional_embedding": model.text_model.embeddings.position_embedding.weight,
        "text_projection": model.text_projection.weight.T,
        "visual.proj": model.visual_projection.weight.T,
        "visual.class_embedding": model.vision_model.embeddings.class_embedding,
        "visual.conv1.weight": model.vision_model.embeddings.patch_embedding.weight,
        "visual.positional_embedding": model.vision_model.embeddings.position_embedding.weight,
    }
    norms = {
        "ln_final": model.text_model.final_layer_norm,
        "visual.ln_pre": model.vision_model.pre_layrnorm,
        "visual.ln_post": model.vision_model.post_layernorm,
    }
    towers = {"": model.text_model, "visual.": model.vision_model}
    for place, tower in towers.items():
        for number, layer in enumerate(tower.encoder.layers):
            block, own = f"{place}transformer.resblocks.{number}", layer.self_attn
            parts = [own.q_proj, own.k_proj, own.v_proj]
            made[f"{block}.attn.in_proj_weight"] = torch.cat([part.weight for part in parts])
            made[f"{block}.attn.in_proj_bias"] = torch.cat([part.bias for part in parts])
            norms |= {f"{block}.ln_1": layer.layer_norm1, f"{block}.ln_2": layer.layer_norm2}
            norms |= {f"{block}.attn.out_proj": own.out_proj}
            norms |= {f"{block}.mlp.c_fc": layer.mlp.fc1, f"{block}.mlp.c_proj": layer.mlp.fc2}
    for name, norm in norms.items():
        made |= {f"{name}.weight": norm.weight, f"{name}.bias": norm.bias}
    return {name: weight.detach().clone().contiguous() for name, weight in made.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    vocabulary, merges = learned_bpe()
    place = tmp_path / "open"
    CLIPTokenizer(vocab=vocabulary, merges=merges).save_pretrained(place)
    save_file(as_open_clip(official(vocabulary)), place / "open_clip_model.safetensors")
    sizes = {"width": 32, "layers": 2}
    vision = {**sizes, "image_size": SIZE, "patch_size": 16, "head_width": 16, "mlp_ratio": 2.0}
    text = {"width": 32, "layers": 2, "heads": 2, "mlp_ratio": 2.0}
    text |= {"context_length": 24, "vocab_size": len(vocabulary)}
    stated = {
        "model_cfg": {"embed_dim": 20, "vision_cfg": vision, "text_cfg": text},
        "preprocess_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]},
    }
    (place / "open_clip_config.json").write_text(json.dumps(stated))
    return place


def change(folder: Path, part: str, **fields: object) -> None:
    path = folder / "open_clip_config.json"
    stated = json.loads(path.read_text())
    stated["model_cfg"][part] = {**stated["model_cfg"][part], **fields}
    path.write_text(json.dumps(stated))


def test_what_is_turned_equals_the_same_weights_in_transformers(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "turned"
    done = CliRunner().invoke(app, ["convert", "open-clip", str(folder), str(out), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["dim"] == 20
    model, wanted = open_model(str(out)), official(learned_bpe()[0])
    frames = torch.randint(0, 256, (3, 3, SIZE, SIZE), dtype=torch.uint8)
    mean, std = (torch.tensor(c).view(3, 1, 1) for c in ([0.5, 0.4, 0.3], [0.2, 0.3, 0.4]))
    with torch.inference_mode():
        pixels = (frames.float() / 255 - mean) / std
        seen = wanted.get_image_features(pixel_values=pixels).pooler_output
        assert torch.equal(model.encode_frames(frames), F.normalize(seen, dim=-1))
        read = model.tokenizer(TEXTS, padding=True, return_tensors="pt")
        said = wanted.get_text_features(**read).pooler_output
        assert torch.equal(model.encode_text(model.tokenize(TEXTS)), F.normalize(said, dim=-1))


def test_networks_of_another_build_are_refused(folder: Path, tmp_path: Path) -> None:
    change(folder, "vision_cfg", timm_model_name="vit_so400m")
    message = r"has model_cfg\.vision_cfg\.timm_model_name .*built as OpenAI's can be turned; take"
    with pytest.raises(CheckpointError, match=message):
        convert(folder, tmp_path / "out")


def test_files_that_do_not_fit_are_refused(folder: Path, tmp_path: Path) -> None:
    change(folder, "text_cfg", layers=3)
    with pytest.raises(CheckpointError, match=r"16 missing \(text_model\.encoder\.layers\.2"):
        convert(folder, tmp_path / "out")
    change(folder, "text_cfg", layers=2)
    weights = load_file(folder / "open_clip_model.safetensors")
    weights["visual.proj"] = weights["visual.proj"] * float("inf")
    save_file(weights, folder / "open_clip_model.safetensors")
    with pytest.raises(CheckpointError, match=r"visual_projection\.weight has .* not finite; down"):
        convert(folder, tmp_path / "out")
    (folder / "open_clip_model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"no open_clip_config\.json with open_clip_model\.s"):
        convert(folder, tmp_path / "out")
