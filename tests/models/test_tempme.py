"""TempMe against a slow version, and what must leave it as it is."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from small_prompts import SMALL, TEXTS, ragged, shake
from torch import Tensor
from torch.nn import functional as F

from oracles.slow_tempme import text_vector, video_vector
from reeltune.errors import CheckpointError, ConfigError
from reeltune.models import clip
from reeltune.models.tempme import Config, Join, TempMe, load
from reeltune.records import Precision
from reeltune.types import Batch

pytestmark = pytest.mark.usefixtures("one_thread")
UPDATES, POSITIONS = 491_520, 16_128  # weights on CLIP B/32
VARIANTS: dict[str, dict[str, Any]] = {  # the small tower has four layers and 17 tokens
    "as released, in small": {"joins": (Join(layer=1), Join(layer=2), Join(layer=3, clips=3))},
    "without positions": {"joins": (Join(layer=1), Join(layer=2)), "positions": False},
    "inside frames alone": {"joins": (), "within": 3},
    "across frames alone": {"joins": (Join(layer=0, clips=3),), "within": 0, "inside": 0.0},
    "as much as can be": {"joins": (Join(layer=2),), "within": 9, "across": 0.5, "inside": 0.5},
    "joined and not merged": {"joins": (Join(layer=2),), "within": 0, "across": 0, "inside": 0},
}
PLAIN: dict[str, Any] = {"within": 0, "joins": ()}  # nothing is merged


def close(found: Tensor, wanted: Tensor) -> None:
    """Rounding of float32 alone, for vectors of unit length."""
    torch.testing.assert_close(found, wanted, atol=2e-6, rtol=0)


def small(frames: int = 4, seed: int = 1, **settings: Any) -> TempMe:
    """A shaken TempMe on a shaken small CLIP."""
    base = SMALL.build()
    shake(base)
    config = Config(base=None, architecture=SMALL, rank=2, frames=frames, **settings)
    model = TempMe(config, base).eval()
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.trained().values():
            weight.copy_(0.3 * torch.randn(weight.shape, generator=source))
    return model


@pytest.mark.parametrize("lengths", [(4, 4), (5, 1, 3), (13, 12)])
@pytest.mark.parametrize("variant", VARIANTS)
def test_videos_equal_the_slow_version(variant: str, lengths: tuple[int, ...]) -> None:
    model = small(**VARIANTS[variant]).double()
    frames, mask = ragged(*lengths)
    pairs = zip(frames, lengths, strict=True)
    slow = torch.stack([video_vector(model, some[:length]) for some, length in pairs])
    torch.testing.assert_close(model.encode_video(frames, mask).double(), slow, atol=1e-6, rtol=0)


@pytest.mark.parametrize("variant", [one for one in VARIANTS if one != "joined and not merged"])
def test_the_slow_version_tells_merged_from_plain(variant: str) -> None:
    """Otherwise the test above would say little."""
    model, plain = small(**VARIANTS[variant]).double(), small(**PLAIN).double()
    frames, _ = ragged(4)
    assert (video_vector(model, frames[0]) @ video_vector(plain, frames[0])) < 0.9999


def test_texts_equal_the_slow_version() -> None:
    model = small(**PLAIN).double()
    tokens = model.tokenize(TEXTS)
    slow = torch.stack([text_vector(model, ids) for ids in tokens.ids.tolist()])
    torch.testing.assert_close(model.encode_text(tokens).double(), slow, atol=2e-7, rtol=0)


def test_at_the_start_without_merging_it_is_plain_clip_bit_for_bit() -> None:
    base, own = SMALL.build(), SMALL.build()
    shake(base)
    own.load_state_dict(base.state_dict())
    model = TempMe(Config(base=None, architecture=SMALL, **PLAIN), own).eval()
    tokens = base.tokenize(TEXTS)
    assert torch.equal(model.encode_text(tokens), base.encode_text(tokens))
    for lengths in [(3, 3), (4, 1, 3), (20, 2)]:
        frames, mask = ragged(*lengths)
        assert torch.equal(model.encode_video(frames, mask), base.encode_video(frames, mask))


def test_frames_that_are_not_joined_do_not_depend_on_each_other() -> None:
    model = small(joins=(), within=3)
    frames, mask = ragged(4, 2)
    each = model.encode_video(frames[mask][:, None], torch.ones(6, 1, dtype=torch.bool))
    mean = torch.stack([F.normalize(some.mean(dim=0), dim=0) for some in (each[:4], each[4:])])
    close(model.encode_video(frames, mask), mean)


@pytest.mark.parametrize("lengths", [(4, 4, 4), (5, 1, 3)])
def test_other_videos_of_the_batch_change_nothing(lengths: tuple[int, ...]) -> None:
    model = small(**VARIANTS["as released, in small"])
    frames, mask = ragged(*lengths)
    vectors = model.encode_video(frames, mask)
    assert torch.equal(model.encode_video(frames, mask), vectors), "two runs differ"
    for own, length in enumerate(lengths):
        alone = model.encode_video(frames[own : own + 1, :length], mask[own : own + 1, :length])
        close(alone[0], vectors[own])
    late = torch.cat([255 - frames[:, :1], frames], dim=1)  # the real frames stand later
    hidden = torch.cat([torch.zeros(3, 1, dtype=torch.bool), mask], dim=1)
    close(model.encode_video(late, hidden), vectors)


def test_the_order_of_frames_is_seen_once_positions_are_learned() -> None:
    frames, mask = ragged(4)
    model = small(**VARIANTS["as released, in small"])
    away = model.encode_video(frames.flip(1), mask) - model.encode_video(frames, mask)
    assert away.norm() > 1e-3


def test_it_has_as_many_weights_as_the_paper_counts() -> None:
    with torch.device("meta"):
        model = Config(base=None).build()
    counts = {name: weight.numel() for name, weight in model.trained().items()}
    positions = sum(count for name, count in counts.items() if name.startswith("video."))
    assert (sum(counts.values()) - positions, positions) == (UPDATES, POSITIONS)
    assert UPDATES == 12 * 8 * 4 * (768 + 512)
    assert POSITIONS == (12 + 6 + 3) * 768
    learned = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    assert learned == UPDATES + POSITIONS


def test_every_update_and_position_learns_and_no_weight_of_the_towers() -> None:
    model = small(**VARIANTS["as released, in small"])
    frames, mask = ragged(4)
    scores = model.similarity(
        model.encode_text(model.tokenize(TEXTS)), model.encode_video(frames, mask)
    )
    scores[0].sum().backward()
    for name, weight in model.trained().items():
        assert weight.grad is not None, name
        assert (weight.grad.flatten(0, -2).norm(dim=1) > 0).all(), name
    learned = {id(weight) for weight in model.trained().values()}
    for name, weight in model.named_parameters():
        assert (weight.grad is not None) == (id(weight) in learned), name


def test_gradients_are_those_of_finite_differences() -> None:
    model = small(**VARIANTS["as released, in small"]).double()
    frames, mask = ragged(4, 3)
    pixels = model.clip.normalize(frames[mask]).double()
    tokens = model.tokenize(TEXTS)
    towers = model.clip.towers

    def score() -> Tensor:
        text = towers.get_text_features(input_ids=tokens.ids).pooler_output
        video = model.video(towers.vision_model, pixels, [4, 3])
        return text.tanh().sum() + video.tanh().sum()

    score().backward()
    for name, weight in model.trained().items():
        entries = weight.detach().view(-1)
        assert weight.grad is not None, name
        for place in {0, entries.numel() // 2, entries.numel() - 1}:
            value, sides = entries[place].item(), []
            for step in (1e-5, -1e-5):
                entries[place] = value + step
                sides.append(score().item())
            entries[place] = value
            found = (sides[0] - sides[1]) / 2e-5
            assert weight.grad.view(-1)[place].item() == pytest.approx(found, abs=1e-6), name


def test_a_stored_model_holds_what_was_trained_and_knows_its_clip(tmp_path: Path) -> None:
    base = SMALL.build()
    base.save_pretrained(tmp_path / "clip")
    config = Config(base=str(tmp_path / "clip"), rank=2, joins=(Join(layer=1),), frames=4)
    model = config.start().model
    with torch.no_grad():
        model.trained()["image.0.up"].normal_()
    model.save_pretrained(tmp_path / "run")
    again = load(tmp_path / "run")
    assert again.fingerprint == model.fingerprint != base.fingerprint
    frames, mask = ragged(4, 2)
    assert torch.equal(again.encode_video(frames, mask), model.encode_video(frames, mask))
    assert {file.name for file in (tmp_path / "run").iterdir()} == {
        "config.yaml",
        "adapter.safetensors",
    }
    other = SMALL.build()
    shake(other)
    other.save_pretrained(tmp_path / "clip")
    with pytest.raises(CheckpointError, match="has lost its base"):
        load(tmp_path / "run")


def test_settings_of_merging_are_in_the_fingerprint() -> None:
    found = {small(**settings).fingerprint for settings in [*VARIANTS.values(), PLAIN]}
    assert len(found) == len(VARIANTS) + 1


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_the_rounded_model_is_near_and_shares_its_fingerprint(precision: Precision) -> None:
    model = small(**VARIANTS["as released, in small"])
    rounded = model.rounded(precision)
    assert rounded.fingerprint == model.fingerprint
    tokens, (frames, mask) = model.tokenize(TEXTS), ragged(4, 3)
    assert torch.equal(rounded.encode_text(tokens), model.encode_text(tokens))
    both = rounded.encode_video(frames, mask), model.encode_video(frames, mask)
    assert F.cosine_similarity(*both).min() > 0.9


@pytest.mark.parametrize("layers", [(4,), (2, 1), (1, 1)])
def test_joins_that_do_not_fit_the_tower_are_refused(layers: tuple[int, ...]) -> None:
    joins = tuple(Join(layer=layer) for layer in layers)
    with pytest.raises(ConfigError, match=r"image tower has 4, counted from 0; give --set"):
        TempMe(Config(base=None, architecture=SMALL, joins=joins), SMALL.build())


def test_a_siglip_is_refused() -> None:
    tower = clip.Tower(width=16, layers=2, heads=2)
    siglip = clip.Config(
        family="siglip", vision=tower, text=tower, dim=16, image=32, patch=8, vocabulary=514
    )
    with pytest.raises(ConfigError, match="is a siglip, and tokens are merged around the class"):
        TempMe(Config(base=None, architecture=siglip), siglip.build())


def loss_of_twins(model: TempMe, steps: int) -> float:
    """The contrastive loss of a clip, its twin backwards and a text for each, after training."""
    frames, mask = ragged(4)
    twins = torch.cat([frames, frames.flip(1)])
    batch = Batch(twins, mask.expand(2, -1), model.tokenize(TEXTS[:2]), torch.arange(2))
    optimizer = torch.optim.AdamW(model.trained().values(), lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        model.losses(batch)["contrastive"].backward()
        optimizer.step()
    return float(model.losses(batch)["contrastive"].detach())


def test_it_learns_to_tell_twins_apart_as_no_mean_of_frames_can() -> None:
    """To a mean twins are one, and each text's choice between them costs log 2; the loss has half
    of that, for it is the mean of both directions."""
    order = small(**VARIANTS["as released, in small"])
    assert loss_of_twins(order, 40) < 0.1
    blind = small(joins=(), within=2)
    assert loss_of_twins(blind, 40) > math.log(2) / 2
