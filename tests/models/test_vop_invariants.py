"""VoP against a slow version from its equations, and what must leave it as it is."""

import copy
from collections.abc import Callable

import pytest
import torch
from small_prompts import FRAMES, SMALL, TEXTS, VARIANTS, prompted, ragged, shake
from torch import Tensor

from oracles.slow_prompted_clip import text_vector, video_vector
from reeltune.models import clip
from reeltune.models._prompts import Rows
from reeltune.models.clip import Tower
from reeltune.models.vop import Config, Context, Generic, Joint, Position, Prompt, Text, Vop

pytestmark = pytest.mark.usefixtures("one_thread")
ROUNDING = {"atol": 2e-6, "rtol": 0.0}  # of float32, for vectors of unit length
LONG = "a man " * 50  # more than the context holds
NOTHING: dict[str, tuple[Prompt, ...]] = {
    "no prompts": (),
    "length 0": (Text(length=0), Generic(length=0), Position(length=0), Context(length=0)),
    "joint after the last layer": (Text(length=0), Joint(length=3, after=4)),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_texts_equal_the_slow_version(variant: str) -> None:
    model = prompted(VARIANTS[variant]).double()
    tokens = model.tokenize([*TEXTS, LONG])
    slow = torch.stack([text_vector(model, ids) for ids in tokens.ids.tolist()])
    torch.testing.assert_close(model.encode_text(tokens).double(), slow, atol=2e-7, rtol=0)


@pytest.mark.parametrize("lengths", [(4, 4), (4, 1, 3), (2,), (7, 4, 2, 5)])
@pytest.mark.parametrize("variant", VARIANTS)
def test_videos_equal_the_slow_version(variant: str, lengths: tuple[int, ...]) -> None:
    model = prompted(VARIANTS[variant]).double()
    frames, mask = ragged(*lengths)
    pairs = zip(frames, lengths, strict=True)
    slow = torch.stack([video_vector(model, some[:length]) for some, length in pairs])
    torch.testing.assert_close(model.encode_video(frames, mask).double(), slow, atol=1e-6, rtol=0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_slow_version_tells_prompts_from_no_prompts(variant: str) -> None:
    """Otherwise the two tests above would say little."""
    model, plain = prompted(VARIANTS[variant]).double(), prompted(()).double()
    frames, _ = ragged(4)
    assert (video_vector(model, frames[0]) @ video_vector(plain, frames[0])) < 0.999
    if model.text.length:
        ids = model.tokenize(["rain"]).ids[0].tolist()
        assert (text_vector(model, ids) @ text_vector(plain, ids)) < 0.999


@pytest.mark.parametrize("depth", [1, 4])
@pytest.mark.parametrize("prompts", NOTHING)
def test_without_prompts_it_is_plain_clip_bit_for_bit(prompts: str, depth: int) -> None:
    tower = Tower(width=16, layers=depth, heads=2)
    architecture = SMALL.model_copy(update={"vision": tower, "text": tower})
    base = architecture.build()
    shake(base)
    parts = [part for part in NOTHING[prompts] if not isinstance(part, Joint)]
    parts += [Joint(after=depth)] if len(parts) < len(NOTHING[prompts]) else []
    model = Vop(Config(base=None, architecture=architecture, prompts=tuple(parts)), base)
    tokens, same = model.tokenize([*TEXTS, LONG]), base.tokenize([*TEXTS, LONG])
    assert torch.equal(tokens.ids, same.ids)
    assert torch.equal(model.encode_text(tokens), base.encode_text(same))
    for lengths in [(3, 3), (4, 1, 3), (1,), (20, 2)]:
        frames, mask = ragged(*lengths)
        assert torch.equal(model.encode_video(frames, mask), base.encode_video(frames, mask))


@pytest.mark.parametrize("variant", ["VoP", "F+P"])
def test_every_implementation_of_attention_hides_the_same(variant: str) -> None:
    model = prompted(VARIANTS[variant])
    tokens, (frames, mask) = model.tokenize(TEXTS), ragged(4, 1, 3)
    before = model.encode_text(tokens), model.encode_video(frames, mask)
    model.clip.towers.set_attn_implementation("eager")
    torch.testing.assert_close(model.encode_text(tokens), before[0], **ROUNDING)
    torch.testing.assert_close(model.encode_video(frames, mask), before[1], **ROUNDING)


def copied(prompts: tuple[Prompt, ...], given: Vop, **tables: Tensor) -> Vop:
    """Another variant on the same CLIP, with the prompts of `given` where names agree."""
    model = prompted(prompts, copy.deepcopy(given.clip))
    trained, known = model.trained(), {**given.trained(), **tables}
    with torch.no_grad():
        for name, weight in trained.items():
            weight.copy_(known[name])
    return model


def require_same(one: Vop, other: Vop) -> None:
    tokens = one.tokenize(TEXTS)
    assert torch.equal(one.encode_text(tokens), other.encode_text(tokens))
    for lengths in [(4, 4), (4, 1, 3)]:
        frames, mask = ragged(*lengths)
        assert torch.equal(one.encode_video(frames, mask), other.encode_video(frames, mask))


def test_joint_layers_after_the_last_are_plain_vop_bit_for_bit() -> None:
    plain = prompted(VARIANTS["VoP"])
    joint = copied((*VARIANTS["VoP"], Joint(length=8, after=4)), plain)
    assert plain.trained().keys() == joint.trained().keys()
    require_same(plain, joint)


def test_tied_positions_are_plain_vop_bit_for_bit() -> None:
    plain = prompted((Text(length=3), Generic(length=8)))
    table = plain.video.alone_prompts["generic"].table.detach()  # (K, 8, W)
    tied = table[:, None].expand(-1, FRAMES, -1, -1)
    whole = {"video.alone_prompts.position.table": tied}
    require_same(plain, copied((Text(length=3), Position(length=8)), plain, **whole))
    half = {
        "video.alone_prompts.generic.table": table[:, :4],
        "video.alone_prompts.position.table": tied[:, :, 4:],
    }
    parts = (Text(length=3), Generic(length=4), Position(length=4))
    require_same(plain, copied(parts, plain, **half))


def test_the_order_in_which_prompts_are_named_says_nothing() -> None:
    one = prompted(VARIANTS["F+C"])
    require_same(one, copied(tuple(reversed(VARIANTS["F+C"])), one))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("lengths", [(4, 4, 4), (4, 1, 3), (6, 4, 2)])
def test_other_videos_of_the_batch_change_nothing(variant: str, lengths: tuple[int, ...]) -> None:
    model = prompted(VARIANTS[variant])
    frames, mask = ragged(*lengths)
    vectors = model.encode_video(frames, mask)
    for own in range(3):
        others = 255 - frames
        others[own] = frames[own]
        assert torch.equal(model.encode_video(others, mask)[own], vectors[own])
    order = [2, 0, 1]
    moved = model.encode_video(frames[order], mask[order])
    torch.testing.assert_close(moved, vectors[order], **ROUNDING)
    for own, length in enumerate(lengths):
        alone = model.encode_video(frames[own : own + 1, :length], mask[own : own + 1, :length])
        torch.testing.assert_close(alone[0], vectors[own], **ROUNDING)


@pytest.mark.parametrize("variant", VARIANTS)
def test_where_the_real_frames_stand_in_the_batch_says_nothing(variant: str) -> None:
    model = prompted(VARIANTS[variant])
    frames, mask = ragged(3, 4)
    shifted = frames.clone()
    shifted[0] = frames[0].roll(1, dims=0)  # its padding now comes first
    late = torch.tensor([[False, True, True, True], [True] * 4])
    assert torch.equal(model.encode_video(shifted, late), model.encode_video(frames, mask))


@pytest.mark.parametrize("variant", ["P", "C", "F", "F+P", "F+C"])
def test_the_order_of_frames_is_seen_by_all_but_plain_vop(variant: str) -> None:
    frames, mask = ragged(4)
    model, plain = prompted(VARIANTS[variant]), prompted(VARIANTS["VoP"])
    back = frames.flip(1)
    away = (model.encode_video(back, mask) - model.encode_video(frames, mask)).norm()
    assert away > 1e-3
    torch.testing.assert_close(
        plain.encode_video(back, mask), plain.encode_video(frames, mask), **ROUNDING
    )


@pytest.mark.parametrize("text", ["rain", LONG])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_prompt_learns_and_no_weight_of_the_towers(variant: str, text: str) -> None:
    model = prompted(VARIANTS[variant])
    frames, mask = ragged(FRAMES)
    cosine = model.similarity(
        model.encode_text(model.tokenize([text])), model.encode_video(frames, mask)
    )
    cosine.sum().backward()
    for name, weight in model.trained().items():
        each = weight.grad.flatten(0, -2) if weight.dim() > 1 else weight.grad[:, None]
        assert (each.norm(dim=1) > 0).all(), name  # every token, of every layer and position
    assert [name for name, weight in model.clip.named_parameters() if weight.grad is not None] == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_are_those_of_finite_differences(variant: str) -> None:
    model = prompted(VARIANTS[variant]).double()
    towers, tokens = model.clip.towers, model.tokenize(TEXTS)
    frames, mask = ragged(4, 2)
    pixels = model.clip.normalize(frames[mask]).double()
    rows = Rows.of(mask.sum(dim=1), FRAMES)

    def score() -> Tensor:
        text = model.text(towers.text_model, tokens.ids)
        video = model.video(towers.vision_model, pixels, rows)
        return text.tanh().sum() + video.tanh().sum()

    score().backward()
    for name, weight in model.trained().items():
        entries = weight.detach().view(-1)
        for place in {0, entries.numel() // 3, entries.numel() - 1}:
            found = central_difference(score, entries, place)
            got = weight.grad.view(-1)[place].item()
            assert got == pytest.approx(found, rel=1e-5, abs=1e-8), (name, place)


@torch.no_grad()
def central_difference(
    score: Callable[[], Tensor], entries: Tensor, place: int, step: float = 1e-5
) -> float:
    before, sides = entries[place].item(), []
    for side in (step, -step):
        entries[place] = before + side
        sides.append(score().item())
    entries[place] = before
    return (sides[0] - sides[1]) / (2 * step)


def test_prompts_reach_a_text_of_any_length_that_fits() -> None:
    """The authors' release reads a position beyond the end token of short texts."""
    model = prompted((Text(length=4),))
    for letters in range(0, 40, 3):
        tokens = model.tokenize(["x" * letters])
        assert tokens.ids.shape[1] <= SMALL.context - 4
        (gradient,) = torch.autograd.grad(model.encode_text(tokens)[0, 0], model.text.table)
        assert (gradient.norm(dim=2) > 0).all(), letters


def test_an_old_config_of_the_text_tower_ends_texts_where_the_largest_id_stands() -> None:
    model = prompted(VARIANTS["VoP"])
    tokens = model.tokenize(TEXTS)
    before = model.encode_text(tokens)
    model.clip.towers.text_model.eos_token_id = 2
    assert torch.equal(model.encode_text(tokens), before)


def test_padding_of_texts_changes_nothing() -> None:
    model = prompted(VARIANTS["VoP"])
    together = model.encode_text(model.tokenize(TEXTS))
    for row, text in enumerate(TEXTS):
        alone = model.encode_text(model.tokenize([text]))[0]
        torch.testing.assert_close(together[row], alone, **ROUNDING)


def test_the_base_itself_is_left_as_it_was() -> None:
    base: clip.Clip = SMALL.build()
    shake(base)
    frames, mask = ragged(4, 2)
    tokens = base.tokenize(TEXTS)
    before = (base.encode_text(tokens), base.encode_video(frames, mask), base.fingerprint)
    prompted(VARIANTS["F+P"], base).encode_video(frames, mask)
    assert torch.equal(base.encode_text(tokens), before[0])
    assert torch.equal(base.encode_video(frames, mask), before[1])
    assert base.fingerprint == before[2]
