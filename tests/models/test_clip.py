"""The clip encoder against transformers itself, on small random models in real folders."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hf_folders import (
    END,
    SIZE,
    TEXTS,
    clip_folder,
    learned_bpe,
    metaclip2_folder,
    siglip2_folder,
    siglip_folder,
)
from torch.nn import functional as F
from transformers import (
    AutoTokenizer,
    CLIPImageProcessorPil,
    CLIPModel,
    MetaClip2Model,
    Siglip2ImageProcessorPil,
    Siglip2Model,
    SiglipImageProcessorPil,
    SiglipModel,
)

from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.models import clip
from reeltune.models._by_frames import GPU_TIMES
from reeltune.models.clip import FRAMES_AT_ONCE, TEXTS_AT_ONCE, Clip, Config, Tower, load
from reeltune.types import FrameEncoder, Tokens

MAKERS: dict[str, Callable[[Path], Path]] = {
    "clip": clip_folder,
    "metaclip_2": metaclip2_folder,
    "siglip": siglip_folder,
    "siglip2": siglip2_folder,
}
OFFICIAL = {
    "clip": (CLIPModel, CLIPImageProcessorPil),
    "metaclip_2": (MetaClip2Model, CLIPImageProcessorPil),
    "siglip": (SiglipModel, SiglipImageProcessorPil),
    "siglip2": (Siglip2Model, Siglip2ImageProcessorPil),
}


@pytest.fixture(scope="module", params=sorted(MAKERS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return MAKERS[request.param](tmp_path_factory.mktemp("models") / request.param)


def frames(*shape: int, size: int = SIZE) -> torch.Tensor:
    source = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (*shape, 3, size, size), dtype=torch.uint8, generator=source)


@torch.inference_mode()
def official_frames(folder: Path, pixels: torch.Tensor) -> torch.Tensor:
    model, processor = OFFICIAL[folder.name]
    inputs = processor.from_pretrained(folder)(images=list(pixels), return_tensors="pt")
    read = model.from_pretrained(folder).eval().get_image_features(**inputs)
    return F.normalize(read.pooler_output, dim=-1)


@torch.inference_mode()
def official_texts(folder: Path, texts: list[str]) -> torch.Tensor:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if folder.name in ("clip", "metaclip_2"):
        inputs = tokenizer(texts, padding=True, truncation=True, max_length=24, return_tensors="pt")
    else:  # as its documentation says: always to full length, and the padding is not masked
        lower = [text.lower() for text in texts]
        inputs = tokenizer(
            lower, padding="max_length", truncation=True, max_length=20, return_tensors="pt"
        )
        inputs = {"input_ids": inputs["input_ids"]}
    model = OFFICIAL[folder.name][0].from_pretrained(folder).eval()
    return F.normalize(model.get_text_features(**inputs).pooler_output, dim=-1)


def test_frames_equal_transformers_image_features(folder: Path) -> None:
    pixels = frames(5)
    ours = load(folder).encode_frames(pixels)
    assert torch.equal(ours, official_frames(folder, pixels))


def test_texts_equal_transformers_text_features(folder: Path) -> None:
    model = load(folder)
    assert torch.equal(model.encode_text(model.tokenize(TEXTS)), official_texts(folder, TEXTS))


@pytest.mark.parametrize("old_end", [False, True])
def test_the_end_of_a_text_is_found_by_new_and_old_configs(tmp_path: Path, old_end: bool) -> None:
    folder = clip_folder(tmp_path / "clip", old_end=old_end)
    model = load(folder)
    tokens = model.tokenize(TEXTS)
    ours = model.encode_text(tokens)
    assert torch.equal(ours, official_texts(folder, TEXTS))
    lasting = model.towers.text_model(tokens.ids).last_hidden_state  # the slow, obvious version
    ends = [row.index(learned_bpe()[0][END]) for row in tokens.ids.tolist()]
    at_end = torch.stack([states[end] for states, end in zip(lasting, ends, strict=True)])
    expected = F.normalize(model.towers.text_projection(at_end), dim=-1)
    torch.testing.assert_close(ours, expected, atol=2e-6, rtol=0)


def test_padding_a_clip_text_to_full_length_changes_nothing(tmp_path: Path) -> None:
    model = load(clip_folder(tmp_path / "clip"))
    short = model.tokenize(TEXTS[:1])
    spare = model.context - short.ids.shape[1]
    assert spare > 0
    ids = F.pad(short.ids, (0, spare), value=model.tokenizer.pad_token_id)
    full = Tokens(ids, F.pad(short.mask, (0, spare), value=False))
    torch.testing.assert_close(model.encode_text(short), model.encode_text(full), atol=2e-6, rtol=0)


def test_siglip_texts_always_have_full_length_and_ignore_case(tmp_path: Path) -> None:
    model = load(siglip_folder(tmp_path / "siglip"))
    tokens = model.tokenize(["rain", "RAIN"])
    assert tokens.ids.shape == (2, 20)
    assert tokens.ids[0].equal(tokens.ids[1])
    assert tokens.mask.sum(dim=1).tolist() == [tokens.mask[0].sum().item()] * 2


def test_a_long_text_is_cut_and_keeps_its_end_mark(tmp_path: Path) -> None:
    model = load(clip_folder(tmp_path / "clip"))
    tokens = model.tokenize(["dog " * 500])
    assert tokens.ids.shape == (1, 24)
    assert tokens.ids[0, -1] == model.tokenizer.eos_token_id


def test_large_inputs_are_read_in_chunks(folder: Path) -> None:
    model = load(folder).requires_grad_(False)
    many = frames(FRAMES_AT_ONCE + 3)
    alone = model.encode_frames(many[-1:])
    torch.testing.assert_close(model.encode_frames(many)[-1:], alone, atol=2e-6, rtol=0)
    texts = [f"dog {number}" for number in range(TEXTS_AT_ONCE + 2)]
    vectors = model.encode_text(model.tokenize(texts))
    assert vectors.shape == (len(texts), model.dim)
    last = model.encode_text(model.tokenize(texts[-1:]))
    torch.testing.assert_close(vectors[-1:], last, atol=2e-6, rtol=0)


def test_a_video_is_the_mean_of_unit_frames_at_unit_length(folder: Path) -> None:
    model = load(folder)
    clip_frames, mask = frames(2, 4), torch.tensor([[True] * 4, [True, True, False, False]])
    got = model.encode_video(clip_frames, mask)
    for row, length in enumerate([4, 2]):
        each = [official_frames(folder, frame[None])[0] for frame in clip_frames[row, :length]]
        expected = F.normalize(torch.stack(each).mean(dim=0), dim=0)
        torch.testing.assert_close(got[row], expected, atol=2e-6, rtol=0)


def test_it_is_a_frame_encoder(folder: Path) -> None:
    model = load(folder)
    assert isinstance(model, FrameEncoder)
    assert (model.pixels.size, model.pixels.fit) == (
        SIZE,
        "crop" if folder.name in ("clip", "metaclip_2") else "squash",
    )


def test_bfloat16_stays_close_and_keeps_the_fingerprint(folder: Path) -> None:
    full, half = load(folder), load(folder, dtype="bf16")
    assert half.towers.dtype == torch.bfloat16
    assert half.mean.dtype == torch.float32
    assert half.fingerprint == full.fingerprint
    vectors = half.encode_frames(frames(4))
    assert vectors.dtype == torch.float32
    cosines = (vectors * full.encode_frames(frames(4))).sum(dim=1)
    assert cosines.min() > 0.999


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("dtype", "least"), [("fp32", 0.9999), ("bf16", 0.999)])
def test_cuda_agrees_with_the_cpu(folder: Path, dtype: str, least: float) -> None:
    cpu, gpu = load(folder, "cpu"), load(folder, "cuda", dtype)
    assert gpu.fingerprint == cpu.fingerprint
    vectors = gpu.encode_frames(frames(FRAMES_AT_ONCE * GPU_TIMES + 1)).cpu()
    assert (vectors * cpu.encode_frames(frames(FRAMES_AT_ONCE * GPU_TIMES + 1))).sum(
        dim=1
    ).min() > least
    texts = gpu.encode_text(gpu.tokenize(TEXTS)).cpu()
    assert (texts * cpu.encode_text(cpu.tokenize(TEXTS))).sum(dim=1).min() > least
    mask = torch.tensor([[True, True], [True, False]])
    videos = gpu.encode_video(frames(2, 2), mask).cpu()
    assert (videos * cpu.encode_video(frames(2, 2), mask)).sum(dim=1).min() > least


def test_a_saved_model_is_the_same_for_us_and_for_transformers(
    folder: Path, tmp_path: Path
) -> None:
    model = load(folder)
    copy = tmp_path / folder.name
    model.save_pretrained(copy)
    again = load(copy)
    assert again.fingerprint == model.fingerprint
    assert again.preprocessor == model.preprocessor
    pixels = frames(3)
    assert torch.equal(official_frames(copy, pixels), official_frames(folder, pixels))
    assert torch.equal(official_texts(copy, TEXTS), official_texts(folder, TEXTS))


def test_the_fingerprint_follows_weights_and_preprocessing(folder: Path) -> None:
    model = load(folder)
    before = model.fingerprint
    with torch.no_grad():
        next(model.towers.parameters()).add_(1)
    assert model.fingerprint != before
    settings = folder / "preprocessor_config.json"
    text = settings.read_text()
    try:
        now, then = (2, 3) if '"resample": 2' in text else (3, 2)
        settings.write_text(text.replace(f'"resample": {now}', f'"resample": {then}'))
        other = load(folder)
    finally:
        settings.write_text(text)
    assert other.pixels.resample == {2: "bilinear", 3: "bicubic"}[then]
    assert other.fingerprint != before


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_a_config_builds_its_architecture(family: str) -> None:
    config = Config.tiny().model_copy(update={"family": family, "dim": 16})
    model = config.build()
    assert (model.family, model.dim, model.context) == (family, 16, 32)
    assert model.encode_text(model.tokenize(["any text"])).shape == (1, 16)


def test_vit_b_32_at_true_size_equals_transformers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    with torch.device("cpu"):
        model = Config().build().requires_grad_(False)
    assert sum(weight.numel() for weight in model.parameters()) == 151_277_313
    pixels = frames(2, size=224)
    processor = CLIPImageProcessorPil()
    inputs = processor(images=list(pixels), return_tensors="pt")
    read = model.towers.get_image_features(**inputs).pooler_output
    assert torch.equal(model.encode_frames(pixels), F.normalize(read, dim=-1))


def test_frames_of_another_size_or_type_are_refused(folder: Path) -> None:
    model = load(folder)
    with pytest.raises(DataError, match=r"uint8 \(2, 3, 40, 40\).*reads.*\(B, 3, 48, 48\).*pixels"):
        model.encode_frames(frames(2, size=40))


def test_a_video_without_frames_and_no_text_are_refused(folder: Path) -> None:
    model = load(folder)
    with pytest.raises(DataError, match=r"no frame at all.*leave it out"):
        model.encode_video(frames(1, 2), torch.zeros(1, 2, dtype=torch.bool))
    with pytest.raises(DataError, match="no text to tokenize; give at least one"):
        model.tokenize([])


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"width is 10, which 3 heads.*multiple of heads"):
        Config(vision=Tower(width=10, layers=1, heads=3)).build()
    with pytest.raises(
        ConfigError, match=r"dim is 512.*width 768.*give --set config\.architecture\.dim=768"
    ):
        Config(family="siglip").build()
    with pytest.raises(ConfigError, match="dtype 'int8' is not one of float32, fp32, bfloat16"):
        load("anywhere", dtype="int8")
    with pytest.raises(ConfigError, match="no device is called 'abacus'; use cpu, cuda"):
        load("anywhere", device="abacus")
    with pytest.raises(CheckpointError, match=r"clip is an architecture without weights.*hub id"):
        load(None)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_an_absent_gpu_is_said_to_be_absent() -> None:
    with pytest.raises(ConfigError, match=r"device cuda.*sees 0 CUDA devices; use cpu"):
        load("anywhere", device="cuda")


def test_gradients_reach_every_weight_that_a_score_depends_on() -> None:
    model: Clip = clip.Config.tiny().build()
    text = model.encode_text(model.tokenize(TEXTS[:2]))
    video = model.encode_video(frames(2, 2, size=32), torch.ones(2, 2, dtype=torch.bool))
    (model.similarity(text, video) * torch.randn(2, 2)).sum().backward()
    idle = [name for name, weight in model.named_parameters() if weight.grad is None]
    assert idle == ["towers.logit_scale"]  # the temperature of a loss, not part of a cosine
