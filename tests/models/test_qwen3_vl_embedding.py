"""Qwen3-VL-Embedding against transformers itself, on a small random model in a real folder."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from embedder_folders import qwen_folder
from tokenizers.processors import TemplateProcessing
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoTokenizer, Qwen2VLImageProcessorPil, Qwen3VLModel

from reeltune.errors import CheckpointError
from reeltune.models.opening.open import open_model
from reeltune.models.qwen3_vl_embedding import OF_FRAMES, OF_TEXTS, Config, load
from reeltune.types import FrameEncoder, Matryoshka

TEXTS = ["a dog catches a frisbee", "rain", "Über <|image_pad|> 12 Leute"]
TALK = "<|im_start|>system\n{}<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return qwen_folder(tmp_path_factory.mktemp("models") / "qwen")


def frames(count: int = 3) -> Tensor:
    source = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=source)


@torch.inference_mode()
def official(folder: Path, texts: list[str], dtype: torch.dtype, **seen: Tensor) -> Tensor:
    """What transformers makes of the last real token."""
    model = Qwen3VLModel.from_pretrained(folder, dtype=dtype).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    read = tokenizer(texts, padding=True, padding_side="right", return_tensors="pt")
    if seen:
        ids = read["input_ids"]
        seen["mm_token_type_ids"] = (ids == tokenizer.convert_tokens_to_ids("<|image_pad|>")).int()
    hidden = model(**read, **seen).last_hidden_state
    ends = read["attention_mask"].sum(1) - 1
    return torch.stack([row[end] for row, end in zip(hidden, ends, strict=True)]).float()


def official_texts(folder: Path, texts: list[str], dtype: torch.dtype = torch.float32) -> Tensor:
    query = "Retrieve images or text relevant to the user's query."
    return official(folder, [TALK.format(query, text) for text in texts], dtype)


def official_frames(folder: Path, pixels: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    seen = Qwen2VLImageProcessorPil.from_pretrained(folder)(list(pixels), return_tensors="pt")
    each = "<|image_pad|>" * int(seen["image_grid_thw"][0].prod() // 4)
    picture = f"<|vision_start|>{each}<|vision_end|>"
    talk = TALK.format("Represent the user's input.", picture)
    return official(folder, [talk] * len(pixels), dtype, **seen)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_texts_and_frames_equal_transformers(folder: Path, dtype: str) -> None:
    model, precision = load(folder, "cpu", dtype), getattr(torch, dtype)
    with torch.inference_mode():
        texts, seen = model.encode_text(model.tokenize(TEXTS[:2])), model.encode_frames(frames(2))
    assert torch.equal(texts, F.normalize(official_texts(folder, TEXTS[:2], precision), dim=-1))
    assert torch.equal(seen, F.normalize(official_frames(folder, frames(2), precision), dim=-1))
    assert model.fingerprint == load(folder, "cpu").fingerprint


def test_an_end_mark_of_the_tokenizer_is_where_the_vector_is(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    tokenizer = AutoTokenizer.from_pretrained(copy)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A <|endoftext|>", special_tokens=[("<|endoftext|>", 0)]
    )
    tokenizer.save_pretrained(copy)
    model = load(copy)
    assert model.tokenize(["rain"]).ids[0, -1] == model.picture_ids()[-1] == 0
    with torch.inference_mode():
        texts, seen = model.encode_text(model.tokenize(TEXTS[:2])), model.encode_frames(frames(2))
    assert torch.equal(texts, F.normalize(official_texts(copy, TEXTS[:2]), dim=-1))
    assert torch.equal(seen, F.normalize(official_frames(copy, frames(2)), dim=-1))


def test_every_colour_and_every_patch_equal_the_processor(folder: Path) -> None:
    model = load(folder)
    ramp = torch.arange(32 * 32).remainder(256).byte().view(1, 32, 32).repeat(3, 1, 1)
    ramp[1], ramp[2] = ramp[0].T, 255 - ramp[0]
    pixels = torch.stack([ramp, 255 - ramp])
    seen = Qwen2VLImageProcessorPil.from_pretrained(folder)(list(pixels), return_tensors="pt")
    ours = model.pictures(pixels)
    assert torch.equal(ours["pixel_values"], seen["pixel_values"])
    assert torch.equal(ours["image_grid_thw"], seen["image_grid_thw"])


@pytest.mark.parametrize(
    ("least", "most", "side"), [(256, 1024, 32), (600, 1024, 32), (4, 900, 24), (4, 10**7, 512)]
)
def test_frames_are_squares_that_the_processor_leaves_as_they_are(
    least: int, most: int, side: int
) -> None:
    from reeltune.models.qwen3_vl_embedding import _preprocessor

    size = {"shortest_edge": least, "longest_edge": most}
    stated = Qwen2VLImageProcessorPil(patch_size=4, size=size)
    assert _preprocessor(stated).pixels.size == side
    seen = stated(torch.zeros(3, side, side, dtype=torch.uint8), return_tensors="pt")
    assert seen["image_grid_thw"].tolist() == [[1, side // 4, side // 4]]


def test_a_mark_that_is_typed_is_read_as_letters(folder: Path) -> None:
    model = load(folder)
    ids = model.tokenize([TEXTS[2]]).ids[0].tolist()
    assert model.image not in ids
    assert model.tokenizer.decode(model.words(TEXTS[2])) == TEXTS[2]
    assert model.encode_text(model.tokenize(TEXTS)).isfinite().all()


@pytest.mark.parametrize("width", [80, 64])
def test_a_width_is_the_first_numbers_at_unit_length(folder: Path, width: int) -> None:
    whole, model = load(folder), load(folder)
    assert isinstance(model, Matryoshka)
    assert isinstance(model, FrameEncoder)
    assert model.widths == (80, 64)
    model.cut(width)
    with torch.inference_mode():
        wanted = F.normalize(official_texts(folder, TEXTS[:2])[:, :width], dim=-1)
        assert torch.equal(model.encode_text(model.tokenize(TEXTS[:2])), wanted)
        each = F.normalize(official_frames(folder, frames(2))[:, :width], dim=-1)
        assert torch.equal(model.encode_frames(frames(2)), each)
    assert model.dim == width
    assert (model.fingerprint == whole.fingerprint) == (width == 80)


def test_a_long_text_keeps_the_end_of_the_talk(folder: Path) -> None:
    model = load(folder)
    ids = model.tokenize(["a dog " * 80]).ids[0].tolist()
    assert len(ids) == model.context
    assert model.tokenizer.decode(ids).endswith("<|im_end|>\n<|im_start|>assistant\n")
    assert model.tokenizer.decode(ids).startswith(f"<|im_start|>system\n{OF_TEXTS}<|im_end|>")
    seen = model.tokenizer.decode(model.picture_ids())
    assert seen.startswith(f"<|im_start|>system\n{OF_FRAMES}<|im_end|>\n<|im_start|>user\n<|vision")


def test_a_saved_model_is_the_same_for_us_and_for_transformers(
    folder: Path, tmp_path: Path
) -> None:
    model = load(folder)
    model.save_pretrained(tmp_path)
    again = open_model(str(tmp_path))
    assert again.fingerprint == model.fingerprint
    with torch.inference_mode():
        vectors = again.encode_text(again.tokenize(TEXTS[:2]))
    assert torch.equal(vectors, F.normalize(official_texts(tmp_path, TEXTS[:2]), dim=-1))


def test_files_that_do_not_fit_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    file = copy / "preprocessor_config.json"
    stated = json.loads(file.read_text())
    file.write_text(json.dumps({**stated, "merge_size": 1}))
    with pytest.raises(CheckpointError, match=r"merge_size and temporal_patch_size \(4, 1, 2\), a"):
        open_model(str(copy))
    file.write_text(json.dumps({**stated, "size": {"shortest_edge": 1, "longest_edge": 9}}))
    with pytest.raises(CheckpointError, match="a longest_edge that holds a square token"):
        open_model(str(copy))
    file.write_text(json.dumps(stated))
    Config.tiny().build().tokenizer.save_pretrained(copy)
    settings = json.loads((copy / "config.json").read_text())
    settings["vision_start_token_id"] = 262
    (copy / "config.json").write_text(json.dumps({**settings, "image_token_id": 264}))
    with pytest.raises(CheckpointError, match="image_token_id 264, which the tokenizer does not"):
        open_model(str(copy))


def test_without_a_folder_it_says_where_weights_are() -> None:
    with pytest.raises(CheckpointError, match=r"qwen3-vl-embedding has no weights .*qwen3-vl, wh"):
        open_model("qwen3-vl-embedding")
