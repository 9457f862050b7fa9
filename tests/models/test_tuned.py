"""The ways of tuning that VoP is compared with: how much they train, and where they start."""

import copy
import sys
from pathlib import Path

import pytest
import torch
from small_prompts import SMALL, TEXTS, ragged, shake
from torch import nn

from reeltune.errors import CheckpointError, ConfigError
from reeltune.models import clip
from reeltune.models.opening.count import count_parameters
from reeltune.models.opening.open import open_model
from reeltune.models.tuned import METHODS, Adapter, Config, Method, Tuned
from reeltune.types import Batch

pytestmark = pytest.mark.usefixtures("one_thread")
ADAPTERS = 24 * 64 + 12 * (768 + 512) * (2 * 64 + 1)  # biases of `down`; weights, biases of `up`
LORA = 12 * 2 * 8 * 2 * (768 + 512)  # layers, q and v, rank, down and up, of both towers
PUBLISHED: dict[Method, int] = {
    "none": 0,
    "full": 151_277_313,
    "bias": 171_008,
    "proj": 655_360,
    "partial": 10_240_256,
    "adapter-attn": 1_982_976,
    "adapter-ffn": 1_982_976,
    "lora": LORA,
}


@pytest.fixture
def base() -> clip.Clip:
    model = SMALL.build()
    shake(model)
    return model


def tuned(method: Method, base: clip.Clip) -> Tuned:
    config = Config(base=None, architecture=SMALL, method=method, hidden=4, rank=2)
    return Tuned(config, copy.deepcopy(base)).eval()


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> Method:
    if request.param == "lora":
        pytest.importorskip("peft")
    return request.param


def test_it_trains_as_many_weights_as_published(method: Method) -> None:
    with torch.device("meta"):
        model = Config(method=method).build()
    counted = count_parameters(model)
    assert counted["trainable"] == PUBLISHED[method]
    assert sum(weight.numel() for weight in model.trained().values()) == PUBLISHED[method]
    added = PUBLISHED[method] if method.startswith(("adapter", "lora")) else 0
    assert counted["total"] == 151_277_313 + added


def test_the_counts_of_adapters_follow_from_their_sizes() -> None:
    assert PUBLISHED["adapter-attn"] == ADAPTERS
    assert LORA == 491_520


def test_at_the_start_it_is_plain_clip_bit_for_bit(method: Method, base: clip.Clip) -> None:
    model = tuned(method, base)
    tokens = model.tokenize([*TEXTS, "a man " * 50])
    assert torch.equal(model.encode_text(tokens), base.encode_text(tokens))
    for lengths in [(3, 3), (4, 1, 3)]:
        frames, mask = ragged(*lengths)
        assert torch.equal(model.encode_video(frames, mask), base.encode_video(frames, mask))
        one = frames[:, 0]
        assert torch.equal(model.encode_frames(one), base.encode_frames(one))


def test_what_is_trained_learns_and_the_rest_stays(method: Method, base: clip.Clip) -> None:
    if method == "none":
        pytest.skip("nothing is trained")
    model = tuned(method, base)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    mark, trained = model.fingerprint, model.trained().keys()
    optimizer = torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=0.01)
    frames, mask = ragged(3, 4, 2)
    batch = Batch(frames, mask, model.tokenize(TEXTS[:3]), torch.arange(3))
    seen = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = model.losses(batch)[model.primary]
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    assert seen[-1] < seen[0]
    assert model.fingerprint != mark
    for name, weight in model.named_parameters():
        assert torch.equal(weight, before[name]) == (name not in trained), name


def test_none_is_zero_shot_clip_and_asks_for_no_gradient(base: clip.Clip) -> None:
    model = tuned("none", base)
    assert model.trained() == {}
    frames, mask = ragged(2, 2)
    batch = Batch(frames, mask, model.tokenize(TEXTS[:2]), torch.arange(2))
    assert not model.losses(batch)["contrastive"].requires_grad


def named(method: Method, base: clip.Clip) -> list[str]:
    return [name.removeprefix("clip.towers.") for name in tuned(method, base).trained()]


def test_the_parts_that_are_trained_are_those_of_the_paper(base: clip.Clip) -> None:
    assert named("proj", base) == ["visual_projection.weight", "text_projection.weight"]
    assert all(name.endswith(".bias") for name in named("bias", base))
    assert {name.rsplit(".", 3)[0] for name in named("adapter-ffn", base)} == {
        f"{tower}_model.encoder.layers.{layer}.mlp"
        for tower, depth in (("vision", 4), ("text", 3))
        for layer in range(depth)
    }
    last = ("vision_model.encoder.layers.3.", "text_model.encoder.layers.2.")
    assert all(name.startswith(last) for name in named("partial", base))
    assert len(named("partial", base)) == 2 * 16
    assert "logit_scale" in named("full", base)


def test_an_adapter_adds_what_its_bottleneck_makes() -> None:
    torch.manual_seed(0)
    adapter = Adapter(6, 3)
    hidden = torch.randn(2, 5, 6)
    assert torch.equal(adapter(hidden), hidden)
    shake(adapter)
    inner = hidden @ adapter.down.weight.T + adapter.down.bias
    made = inner * (1 + torch.erf(inner / 2**0.5)) / 2  # GELU
    slow = hidden + made @ adapter.up.weight.T + adapter.up.bias
    torch.testing.assert_close(adapter(hidden), slow, atol=1e-6, rtol=0)


@pytest.mark.parametrize("method", ["adapter-attn", "adapter-ffn"])
def test_adapters_follow_attention_or_mlp(method: Method, base: clip.Clip) -> None:
    """Before the residual connection: what the block adds passes through the adapter."""
    model = tuned(method, base)
    layer, plain = model.clip.towers.vision_model.encoder.layers[0], base.towers.vision_model
    plain = plain.encoder.layers[0]
    follows = layer.self_attn.out_proj if method == "adapter-attn" else layer.mlp
    shake(follows[1])
    tokens = torch.randn(1, 5, 16)
    attended = plain.self_attn(plain.layer_norm1(tokens))[0]
    if method == "adapter-attn":
        attended = follows[1](attended)
    slow = tokens + attended
    made = plain.mlp(plain.layer_norm2(slow))
    slow = slow + (follows[1](made) if method == "adapter-ffn" else made)
    torch.testing.assert_close(layer(tokens, None), slow, atol=1e-5, rtol=0)


def test_lora_updates_query_and_value_at_twice_their_product(base: clip.Clip) -> None:
    pytest.importorskip("peft")
    model = tuned("lora", base)
    parts = {name.split(".lora_")[0].rsplit(".", 1)[1] for name in model.trained()}
    assert parts == {"q_proj", "v_proj"}
    change(model)
    layer = model.clip.towers.text_model.encoder.layers[1].self_attn
    plain = base.towers.text_model.encoder.layers[1].self_attn
    tokens = torch.randn(2, 5, 12)
    for name in ("q_proj", "v_proj"):
        part = getattr(layer, name)
        down, up = part.lora_A["default"].weight, part.lora_B["default"].weight
        assert (down.shape, up.shape) == ((2, 12), (12, 2))
        slow = getattr(plain, name)(tokens) + 2 * tokens @ down.T @ up.T
        torch.testing.assert_close(part(tokens), slow, atol=1e-6, rtol=0)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_saved_model_opens_again_on_its_base(
    method: Method, base: clip.Clip, tmp_path: Path, precision: str
) -> None:
    base.save_pretrained(tmp_path / "clip")
    config = Config(base=str(tmp_path / "clip"), method=method, hidden=4, rank=2)
    model = Tuned(config, clip.load(tmp_path / "clip")).eval()
    change(model)
    model.save_pretrained(tmp_path / "tuned")
    again = open_model(str(tmp_path / "tuned"), device="cpu", dtype=precision)
    assert again.fingerprint == model.fingerprint
    frames, mask = ragged(3, 2)
    tokens = model.tokenize(TEXTS)
    texts, videos = again.encode_text(tokens), again.encode_video(frames, mask)
    if precision == "float32":
        assert torch.equal(texts, model.encode_text(tokens))
        assert torch.equal(videos, model.encode_video(frames, mask))
    else:
        assert (texts * model.encode_text(tokens)).sum(dim=1).min() > 0.99
        assert (videos * model.encode_video(frames, mask)).sum(dim=1).min() > 0.99


@torch.no_grad()
def change(model: nn.Module) -> None:
    """What training would do, at random."""
    source = torch.Generator().manual_seed(3)
    for weight in model.trained().values():
        weight.add_(0.05 * torch.randn(weight.shape, generator=source))


def test_the_fingerprint_is_that_of_base_method_and_weights(
    base: clip.Clip, tmp_path: Path
) -> None:
    base.save_pretrained(tmp_path)
    seen = set()
    for method in ("none", "bias", "proj", "partial", "full"):
        config = Config(base=str(tmp_path), method=method)
        model = Tuned(config, clip.load(tmp_path))
        assert model.fingerprint == Tuned(config, clip.load(tmp_path)).fingerprint
        seen.add(model.fingerprint)
        if method != "none":
            change(model)
            seen.add(model.fingerprint)
    assert len(seen) == 9


def test_what_cannot_be_tuned_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    siglip = SMALL.model_copy(update={"family": "siglip", "dim": 16})
    config = Config(base=None, architecture=siglip, method="proj")
    with pytest.raises(ConfigError, match=r"proj tunes.*a siglip has none; use another method"):
        config.build()
    with pytest.raises(CheckpointError, match=r"no weights of its own; give the folder that train"):
        open_model("tuned")
    monkeypatch.setitem(sys.modules, "peft", None)  # as if it were not installed
    with pytest.raises(ConfigError, match=r"lora needs peft.*pip install 'reeltune\[lora\]'"):
        Config(base=None, architecture=SMALL, method="lora").build()


@pytest.mark.parametrize("method", ["full", "bias", "partial", "adapter-attn", "adapter-ffn"])
def test_a_siglip_is_tuned_as_well(method: Method) -> None:
    siglip = SMALL.model_copy(update={"family": "siglip", "dim": 16})
    model = Config(base=None, architecture=siglip, method=method, hidden=4).build()
    frames, mask = ragged(2, 1)
    batch = Batch(frames, mask, model.tokenize(TEXTS[:2]), torch.arange(2))
    model.losses(batch)[model.primary].backward()
    idle = [name for name, weight in model.trained().items() if weight.grad is None]
    assert idle in ([], ["clip.towers.logit_bias"])  # a term of SigLIP's own loss
