"""EmbeddingGemma 2 against transformers itself, on a small random model in a real folder."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from embedder_folders import gemma_folder
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoTokenizer, EmbeddingGemma2Model, Gemma4ImageProcessorPil

from reeltune.errors import CheckpointError, ConfigError
from reeltune.media.squares import fitted
from reeltune.models.embedding_gemma2 import PROMPT, load
from reeltune.models.opening.open import open_model
from reeltune.models.opening.towers import read_settings
from reeltune.types import FrameEncoder, Matryoshka

TEXTS = ["a dog catches a frisbee", "rain", "Über <img> 12 Leute, die singen!"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gemma_folder(tmp_path_factory.mktemp("models") / "gemma")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A folder that a test may change; the weights are shared."""
    for file in folder.iterdir():
        (tmp_path / file.name).hardlink_to(file)
    return tmp_path


def change(path: Path, **fields: object) -> None:
    """Set fields of a JSON file, which others may share."""
    content = {**json.loads(path.read_text()), **fields}
    path.unlink()
    path.write_text(json.dumps(content))


def frames(count: int = 3) -> Tensor:
    source = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, 48, 48), dtype=torch.uint8, generator=source)


@torch.inference_mode()
def official(folder: Path, dtype: torch.dtype = torch.float32, **inputs: Tensor) -> Tensor:
    """Means of what transformers makes, over the tokens that are there."""
    model = EmbeddingGemma2Model.from_pretrained(folder, dtype=dtype).eval()
    hidden = model(**inputs).last_hidden_state.float()
    there = inputs["attention_mask"][..., None].float()
    return (hidden * there).sum(1) / there.sum(1)


def official_texts(folder: Path, texts: list[str], dtype: torch.dtype = torch.float32) -> Tensor:
    read = AutoTokenizer.from_pretrained(folder)(
        [f"task: search result | query: {text}" for text in texts],
        padding=True,
        split_special_tokens=True,
        return_tensors="pt",
    )
    return official(folder, dtype, **read)


def official_frames(folder: Path, pixels: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    seen = Gemma4ImageProcessorPil.from_pretrained(folder)(list(pixels), return_tensors="pt")
    each = tokenizer.image_token * int(seen.pop("num_soft_tokens_per_image")[0])
    text = f"{tokenizer.boi_token}{each}{tokenizer.eoi_token}"
    read = tokenizer([text] * len(pixels), return_tensors="pt")
    return official(folder, dtype, **read, **seen)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_texts_and_frames_equal_transformers(folder: Path, dtype: str) -> None:
    model, precision = load(folder, "cpu", dtype), getattr(torch, dtype)
    with torch.inference_mode():
        texts, seen = model.encode_text(model.tokenize(TEXTS)), model.encode_frames(frames(2))
    assert torch.equal(texts, F.normalize(official_texts(folder, TEXTS, precision), dim=-1))
    assert torch.equal(seen, F.normalize(official_frames(folder, frames(2), precision), dim=-1))
    assert model.fingerprint == load(folder, "cpu").fingerprint


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_stands_where_the_tokenizer_puts_it(copy: Path, side: str) -> None:
    change(copy / "tokenizer_config.json", padding_side=side)
    model = load(copy)
    tokens = model.tokenize(TEXTS)
    assert bool(tokens.mask[1, 0]) == (side == "right")
    ours = model.encode_text(tokens)
    assert torch.equal(ours, F.normalize(official_texts(copy, TEXTS), dim=-1))


def test_every_colour_and_every_patch_equal_the_processor(folder: Path) -> None:
    model = load(folder)
    ramp = torch.arange(48 * 48).remainder(256).byte().view(1, 48, 48).repeat(3, 1, 1)
    ramp[1], ramp[2] = ramp[0].T, 255 - ramp[0]
    seen = Gemma4ImageProcessorPil.from_pretrained(folder)(ramp, return_tensors="pt")
    ours = model.pictures(ramp[None])
    assert torch.equal(ours["pixel_values"], seen["pixel_values"])
    assert torch.equal(ours["image_position_ids"], seen["image_position_ids"])
    assert len(ours["pixel_values"][0]) == 630, "padded to as many as a picture may have"


def test_a_square_picture_is_cut_as_the_processor_cuts_it(folder: Path) -> None:
    model = load(folder)
    noise = np.random.default_rng(0).integers(0, 256, (91, 91, 3), dtype=np.uint8)
    picture, pixels = Image.fromarray(noise), model.pixels
    cut = fitted(picture, pixels)
    seen = Gemma4ImageProcessorPil.from_pretrained(folder)(picture, return_tensors="pt")
    assert torch.equal(
        model.pictures(torch.from_numpy(cut)[None])["pixel_values"], seen["pixel_values"]
    )


@pytest.mark.parametrize("width", [200, 128])
def test_a_width_is_the_first_numbers_at_unit_length(folder: Path, width: int) -> None:
    whole, model = load(folder), load(folder)
    assert isinstance(model, Matryoshka)
    assert isinstance(model, FrameEncoder)
    assert model.widths == (200, 128)
    model.cut(width)
    tokens, video = model.tokenize(TEXTS), (frames(4).unflatten(0, (2, 2)), torch.ones(2, 2).bool())
    with torch.inference_mode():
        wanted = F.normalize(official_texts(folder, TEXTS)[:, :width], dim=-1)
        assert torch.equal(model.encode_text(tokens), wanted)
        each = F.normalize(official_frames(folder, frames(2))[:, :width], dim=-1)
        assert torch.equal(model.encode_frames(frames(2)), each)
        assert model.encode_video(*video).shape == (2, model.dim) == (2, width)
    assert (model.fingerprint == whole.fingerprint) == (width == 200)


def test_other_widths_are_refused_with_those_that_there_are(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"--width is 256, .* to be cut to 200, 128; give one of"):
        load(folder).cut(256)


def test_a_long_text_is_cut_and_keeps_its_end_mark(folder: Path) -> None:
    model = load(folder)
    tokens = model.tokenize(["a dog " * 80])
    assert tokens.ids.shape == (1, model.context)
    assert tokens.ids[0, -1] == model.tokenizer.eos_token_id
    assert PROMPT.startswith("task: search result")


def test_what_hears_is_left_out_and_its_weights_are_not_missed(tmp_path: Path) -> None:
    folder = gemma_folder(tmp_path / "sound", sound=True)
    assert "audio_tower" in "".join(EmbeddingGemma2Model.from_pretrained(folder).state_dict())
    model = open_model(str(folder))
    assert model.towers.audio_tower is None
    assert torch.equal(
        model.encode_text(model.tokenize(TEXTS)),
        F.normalize(official_texts(folder, TEXTS), dim=-1),
    )
    assert read_settings(folder).audio_config is None


def test_half_precision_is_refused(folder: Path) -> None:
    """Sums in it run over, and vectors are NaN."""
    with pytest.raises(ConfigError, match=r"dtype 'float16' is not one of float32, .*bfloat16"):
        load(folder, "cpu", "float16")


def test_files_that_do_not_fit_are_refused(copy: Path) -> None:
    settings = json.loads((copy / "config.json").read_text())
    change(copy / "config.json", boi_token_id=9000)
    with pytest.raises(CheckpointError, match="has boi_token_id 9000, which the tokenizer does"):
        open_model(str(copy))
    change(copy / "config.json", boi_token_id=settings["boi_token_id"], vision_config=None)
    with pytest.raises(CheckpointError, match="has no vision_config, so the model reads texts"):
        open_model(str(copy))
    change(copy / "config.json", vision_config=settings["vision_config"])
    change(copy / "preprocessor_config.json", patch_size=4)
    with pytest.raises(CheckpointError, match="has patch_size 4, and Reeltune can do 2, which con"):
        open_model(str(copy))
    change(copy / "preprocessor_config.json", patch_size=2, do_normalize=True, image_mean=[0.5] * 3)
    with pytest.raises(CheckpointError, match="has do_normalize true, and Reeltune can do false"):
        open_model(str(copy))
    change(copy / "preprocessor_config.json", max_soft_tokens=71)
    with pytest.raises(CheckpointError, match=r"preprocessor_config\.json cannot be read \(.*71"):
        open_model(str(copy))


def test_without_a_folder_it_says_where_weights_are() -> None:
    with pytest.raises(CheckpointError, match=r"embedding-gemma2 has no weights .*gemma2, which"):
        open_model("embedding-gemma2")
