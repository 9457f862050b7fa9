"""Dual Encoding: its published sizes, its formulas, and that a vector is its item's alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_dual_encoding import batch, clips, rows, small, stacked, tokens
from torch.nn import functional as F

from oracles import slow_dual_encoding as slow
from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.models._dual_encoding._levels import real_first
from reeltune.models._dual_encoding._start import start_with
from reeltune.models._dual_encoding._vocabulary import Vocabulary
from reeltune.models.dual_encoding import Config, load
from reeltune.models.opening.count import count_parameters
from reeltune.models.opening.open import open_model
from reeltune.types import FrameEncoder

pytestmark = pytest.mark.usefixtures("one_thread")
CLOSE = {"atol": 2e-5, "rtol": 0.0}


@pytest.mark.parametrize(
    ("settings", "total", "video_width"),
    [
        ({}, 69_168_604, 7168),
        ({"video_bidirectional": False}, 57_369_052, 6656),
        ({"concepts": 0}, 60_187_612, 7168),
        ({"concepts": 0, "video_bidirectional": False}, 48_650_204, 6656),
        ({"video_bidirectional": False, "text_bidirectional": False}, 52_403_676, 6656),
        ({"words": 10_500, "features": 1024}, None, 4096),
    ],
)
def test_the_sizes_are_the_published_ones(
    settings: dict[str, int], total: int | None, video_width: int
) -> None:
    with torch.device("meta"):
        model = Config(**settings).build()
    if total is not None:
        assert count_parameters(model)["total"] == total
        assert count_parameters(model)["trainable"] == total
    assert model.video.space.latent.in_features == video_width
    if settings.get("text_bidirectional", True) and "words" not in settings:
        assert model.text.space.latent.in_features == 10_367


def test_the_parts_have_the_published_sizes() -> None:
    """Block by block, as counted in the released model."""
    with torch.device("meta"):
        model = Config().build()
    census = {
        model.video.levels.gru: 14_161_920,
        model.video.levels.convs: 7_342_080,
        model.text.embedding: 3_905_500,
        model.text.levels.gru: 3_115_008,
        model.text.levels.convs: 4_720_128,
    }
    for part, wanted in census.items():
        assert sum(weight.numel() for weight in part.parameters()) == wanted
    for space, latent, concept in (
        (model.video.space, 11_014_656, 3_671_552),
        (model.text.space, 15_928_320, 5_309_440),
    ):
        pairs = ((space.latent, space.latent_norm), (space.concept, space.concept_norm))
        found = [sum(w.numel() for part in pair for w in part.parameters()) for pair in pairs]
        assert found == [latent, concept]


VARIANTS = [
    {},
    {"hs_compat": True},
    {"video_bidirectional": False},
    {"video_bidirectional": False, "text_bidirectional": False, "hs_compat": True},
    {"concepts": 0, "frames_at_most": 4},
    {"hs_compat": True, "frames_at_most": 4},
    {"video_kernels": (1,), "text_kernels": (3, 9)},
]


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
@torch.inference_mode()
def test_vectors_are_those_of_the_formulas(settings: dict[str, int]) -> None:
    model = small(**settings)
    weights, compat = slow.doubles(model.state_dict()), model.config.hs_compat
    frames, ids = clips(), rows()
    video = model.encode_video(*stacked(frames)).numpy()
    text = model.encode_text(tokens(ids)).numpy()
    longest, most = max(map(len, frames)), model.config.frames_at_most
    for got, clip in zip(video, frames, strict=True):
        seen = "all" if compat else "nothing"
        wanted = slow.slow_video(weights, clip.double().numpy(), most, longest, seen)
        np.testing.assert_allclose(got, wanted, atol=1e-5)
    for got, row in zip(text, ids, strict=True):
        seen = "maximum" if compat else "nothing"
        wanted = slow.slow_text(weights, row, max(map(len, ids)), seen)
        np.testing.assert_allclose(got, wanted, atol=1e-5)


@torch.inference_mode()
def test_a_vector_depends_on_its_batch_in_released_numerics_alone() -> None:
    frames, mask = stacked(clips())
    for compat in (False, True):
        model = small(hs_compat=compat)
        together = model.encode_video(frames, mask)
        alone = model.encode_video(frames[1:2, :1], mask[1:2, :1])
        texts = model.encode_text(tokens(rows()))
        text = model.encode_text(tokens(rows()[2:3]))
        apart = (together[1] - alone[0]).abs().max(), (texts[2] - text[0]).abs().max()
        assert all(distance > 2e-4 for distance in apart) == compat, apart
        assert all(distance < 2e-5 for distance in apart) != compat, apart


@torch.inference_mode()
def test_padding_beyond_the_longest_changes_nothing_and_may_hold_anything() -> None:
    for compat in (False, True):
        model = small(hs_compat=compat)
        frames, mask = stacked(clips())
        wide, wide_mask = stacked(clips(), length=13)
        wide[~wide_mask] = torch.nan
        assert model.encode_video(wide, wide_mask).equal(model.encode_video(frames, mask))
        ids = rows()
        assert model.encode_text(tokens(ids, 20)).equal(model.encode_text(tokens(ids)))


@torch.inference_mode()
def test_real_frames_may_stand_anywhere_under_the_mask() -> None:
    model, (frames, mask) = small(), stacked(clips(), length=12)
    order = torch.tensor([8, 0, 9, 1, 2, 10, 3, 4, 5, 6, 11, 7])
    torch.testing.assert_close(
        model.encode_video(frames[:, order], mask[:, order]),
        model.encode_video(frames, mask),
        **CLOSE,
    )


def test_real_items_are_brought_to_the_front_in_their_order() -> None:
    mask = torch.tensor([[False, True, True, False], [True, False, False, True]])
    items, lengths = real_first(torch.arange(8).view(2, 4), mask)
    assert items.tolist() == [[1, 2], [4, 7]]
    assert lengths.tolist() == [2, 2]
    items, lengths = real_first(torch.arange(8).view(2, 4), mask, at_most=1)
    assert items.tolist() == [[1], [4]]
    assert lengths.tolist() == [1, 1]


@torch.inference_mode()
def test_only_the_first_frames_are_seen_in_order_but_the_mean_sees_all() -> None:
    model = small(frames_at_most=3)
    clip = clips([6])[0]
    seen = model.encode_video(*stacked([clip]))
    later = clip.clone()
    later[[3, 4, 5]] = clip[[5, 3, 4]]  # the same mean
    torch.testing.assert_close(model.encode_video(*stacked([later])), seen, **CLOSE)
    later[3] += 1
    assert (model.encode_video(*stacked([later])) - seen).abs().max() > 1e-3
    earlier = clip[[2, 0, 1, 3, 4, 5]]
    assert (model.encode_video(*stacked([earlier])) - seen).abs().max() > 1e-3


@pytest.mark.parametrize("compat", [False, True])
def test_the_row_of_the_padding_is_never_read(compat: bool) -> None:
    """So a frozen zero row, a strategy of Dual Encoding++, changes nothing but 500 numbers."""
    model, some = small(hs_compat=compat), tokens(rows())
    before = model.encode_text(some)
    before.sum().backward()
    row = model.text.embedding.weight
    assert row.grad is not None
    assert row.grad[0].abs().max() == 0
    with torch.no_grad():
        row[0] = 1000
    assert (model.encode_text(some) - before).abs().max() == 0


def test_a_zero_row_stays_zero_in_training_and_a_random_one_need_not() -> None:
    frozen, free = small(pad="zero"), small()
    assert frozen.text.embedding.weight[0].abs().max() == 0
    assert free.text.embedding.weight[0].abs().max() > 0
    vectors = torch.ones(15, 8)
    for model in (frozen, free):
        model.set_embedding(vectors)
    assert frozen.text.embedding.weight[0].abs().max() == 0
    assert free.text.embedding.weight[0].equal(vectors[0])
    loss = frozen.text.embedding(torch.tensor([0, 1])).sum()
    loss.backward()
    assert frozen.text.embedding.weight.grad is not None
    assert frozen.text.embedding.weight.grad[:2, 0].tolist() == [0, 1]


def test_the_four_losses_are_those_of_the_paper() -> None:
    model, some = small(), batch()
    video = model.encode_video(some.frames, some.mask).detach()
    text = model.encode_text(some.tokens).detach()
    latent = (text[:, :10] @ video[:, :10].T).tolist()
    concept = slow.slow_jaccard(text[:, 10:].numpy(), video[:, 10:].numpy())
    wanted = {
        "triplet_latent": slow.slow_triplet(latent, 0.2, True, "both", None),
        "triplet_concept": slow.slow_triplet(concept.tolist(), 0.2, True, "both", None),
    }
    for side, vectors in (("video", video), ("text", text)):
        loss = F.binary_cross_entropy(vectors[:, 10:], some.targets["concepts"])
        wanted[f"concepts_{side}"] = 4 * float(loss)
    found = model.losses(some)
    assert {name: loss.item() for name, loss in found.items()} == pytest.approx(wanted, abs=1e-5)
    assert model.primary in found


def test_summed_losses_are_the_batch_times_the_mean_ones() -> None:
    summed, mean = (small(reduction=kind).losses(batch()) for kind in ("sum", "mean"))
    assert len(summed) == 4
    for name in summed:
        torch.testing.assert_close(summed[name], 4 * mean[name])


def test_losses_are_those_that_there_is_something_for() -> None:
    assert list(small().losses(batch(with_targets=False))) == ["triplet_latent", "triplet_concept"]
    assert list(small(concepts=0).losses(batch())) == ["triplet_latent"]


def test_two_rows_of_one_video_may_be_spared() -> None:
    """Rows 2 and 3 of the batch show one video."""
    losses = [
        small(same_video_is_negative=kind, margin=2.0).losses(batch()) for kind in (True, False)
    ]
    assert losses[0]["triplet_latent"] > losses[1]["triplet_latent"]


@pytest.mark.parametrize("settings", [{}, {"concepts": 0}, {"hs_compat": True, "pad": "zero"}])
def test_every_weight_learns_from_the_losses(settings: dict[str, Any]) -> None:
    model = small(margin=2.0, **settings).train()  # so large that every row has a loss
    sum(model.losses(batch()).values()).backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.abs().max() > 0 or name.endswith(("latent.bias", "concept.bias")), name


def test_training_lowers_the_losses() -> None:
    model, some = small(dropout=0.0).train(), batch()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    totals = []
    for _ in range(30):
        total = sum(model.losses(some).values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(float(total.detach()))
    assert totals[-1] < 0.7 * totals[0]


def test_dropout_is_where_the_released_model_has_it() -> None:
    """On the GRU's mean and the maxima, not on frame means or bags; after the latent norm."""
    model = small(dropout=0.999).train()
    frames, mask = stacked(clips())
    levels = model.video.levels(frames[:, :8].masked_fill(~mask[..., None], 0), mask.sum(1))
    assert (levels == 0).float().mean() > 0.9
    read = []
    model.video.space.register_forward_pre_hook(lambda _, given: read.append(given[0]))
    encoded = model.video(frames, mask)
    torch.testing.assert_close(read[0][0, -9:], clips()[0].mean(0))
    assert (encoded.latent == 0).float().mean() > 0.9
    assert (encoded.logits != 0).all()


def test_a_folder_holds_all_of_it(tmp_path: Path) -> None:
    model = small(pad="zero", alpha=0.2)
    text, video = model.encode_text(tokens(rows())), model.encode_video(*stacked(clips()))
    before = model.fingerprint
    model.set_ranges(text, video)
    assert model.fingerprint != before, "scores depend on the ranges"
    model.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "config.yaml",
        "model.safetensors",
        "vocabulary.json",
    }
    again = open_model(str(tmp_path), "cpu")
    assert again.fingerprint == model.fingerprint
    assert again.config == model.config
    assert again.vocabulary == model.vocabulary
    assert again.similarity(text, video).equal(model.similarity(text, video))
    other = Vocabulary(("other", *model.vocabulary.words[1:]))
    other.write(tmp_path / "vocabulary.json")
    assert load(tmp_path, "cpu").fingerprint != model.fingerprint


def test_with_an_encoder_it_reads_pictures_and_without_one_says_so() -> None:
    with_one = Config.tiny().build()
    with torch.inference_mode():
        assert isinstance(with_one, FrameEncoder)
        assert with_one.pixels.size == 48
        frames = torch.randint(0, 256, (2, 3, 3, 48, 48), dtype=torch.uint8)
        mask = torch.ones(2, 3, dtype=torch.bool)
        features = with_one.encode_frames(frames.flatten(0, 1)).unflatten(0, (2, 3))
        torch.testing.assert_close(
            with_one.encode_video(frames, mask), with_one.encode_video(features, mask), **CLOSE
        )
    with pytest.raises(
        ConfigError, match=r"stored frame features alone.*give --set config\.encoder=MODEL"
    ):
        small().encode_frames(frames[0])
    assert not [name for name in with_one.state_dict() if "encoder" in name or "towers" in name]


def test_a_sentence_feature_stands_beside_the_words() -> None:
    config = Config.tiny().model_copy(update={"sentence_encoder": "tiny-clip", "sentence": 96})
    torch.manual_seed(0)
    model = config.build()
    assert model.text.space.latent.in_features == 12 + 12 + 16 + 96
    with torch.inference_mode():
        some = model.tokenize(["a red square", "two", "a quark square"])
        vectors = model.encode_text(some)
        alone = model.encode_text(model.tokenize(["two"]))
        torch.testing.assert_close(vectors[1:2], alone, **CLOSE)
        unknown = model.encode_text(model.tokenize(["a zzz square", "a qqq square"]))
    assert (unknown[0] - unknown[1]).abs().max() > 1e-4, (
        "only the sentence encoder tells them apart"
    )
    plain = Config.tiny().build()
    words = [row[seen].tolist() for row, seen in zip(some.ids, some.mask, strict=True)]
    for text, row in zip(["a red square", "two", "a quark square"], words, strict=True):
        assert row[: len(plain.vocabulary.ids(text))] == plain.vocabulary.ids(text)


def test_the_words_are_read_as_without_the_sentence_feature() -> None:
    """Ids of the sentence encoder stand behind them and are no words."""
    plain = Config.tiny().build()
    config = Config.tiny().model_copy(update={"sentence_encoder": "tiny-clip", "sentence": 96})
    beside = config.build()
    beside.text.embedding, beside.text.levels = plain.text.embedding, plain.text.levels
    read = []
    for model in (plain, beside):
        model.text.space.register_forward_pre_hook(lambda _, given: read.append(given[0]))
        model.encode_text(model.tokenize(["a man on a red square", "two dogs"]))
    torch.testing.assert_close(read[1][:, :-96], read[0])
    torch.testing.assert_close(read[1][:, -96:].norm(dim=1), torch.ones(2))


def test_a_saved_model_runs_beside_no_other_encoder(tmp_path: Path) -> None:
    Config.tiny().build().save_pretrained(tmp_path)
    card = tmp_path / "config.yaml"
    text = card.read_text()
    assert "encoder_fingerprint: " in text
    pin = text.split("encoder_fingerprint: ")[1].splitlines()[0]
    card.write_text(text.replace(pin, "f" * 32))
    model = load(tmp_path, "cpu")
    with pytest.raises(
        CheckpointError,
        match=r"tiny-clip has fingerprint.*or set encoder in the config\.yaml beside",
    ):
        _ = model.pixels


def test_settings_that_do_not_fit_are_told() -> None:
    with pytest.raises(ConfigError, match=r"words is 16.*has 2; give --set config\.words=2"):
        Config.tiny().build(Vocabulary(("a", "b")))
    with pytest.raises(
        ConfigError, match=r"sentence is 7.*give both or neither, by --set config\.sentence=WIDTH"
    ):
        Config(sentence=7, words=3).build()
    with pytest.raises(ConfigError, match=r"word vectors are \(3, 8\).*embedding is \(15, 8\)"):
        small().set_embedding(torch.zeros(3, 8))
    model = Config.tiny().model_copy(update={"features": 7}).build()
    frames = torch.zeros(1, 1, 3, 48, 48, dtype=torch.uint8)
    with pytest.raises(
        ConfigError,
        match=r"width 96.*reads 7.*--set config\.encoder=MODEL in training, or set encoder",
    ):
        model.encode_video(frames, torch.ones(1, 1, dtype=torch.bool))
    with pytest.raises(DataError, match=r"8 wide.*reads 9"):
        small().encode_video(torch.zeros(1, 2, 8), torch.ones(1, 2, dtype=torch.bool))


def test_folders_that_are_not_whole_are_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no weights of its own"):
        load(None)
    with pytest.raises(ConfigError, match=r"float32 alone, got dtype 'bf16'"):
        load(tmp_path, dtype="bf16")
    model = small()
    model.save_pretrained(tmp_path)
    card = (tmp_path / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(card.replace("alpha: 0.6", "alpha: 6"))
    with pytest.raises(CheckpointError, match=r"alpha wrong"):
        load(tmp_path)
    (tmp_path / "config.yaml").write_text(card)
    (tmp_path / "vocabulary.json").write_text('{"letters": "ascii", "words": ["a"]}')
    with pytest.raises(CheckpointError, match=r"has 1 word,.*says 11"):
        load(tmp_path)
    (tmp_path / "vocabulary.json").write_text('{"a": 1}')
    with pytest.raises(
        CheckpointError, match=r"cannot be read as a vocabulary \(letters: Field required"
    ):
        load(tmp_path)
    (tmp_path / "vocabulary.json").unlink()
    with pytest.raises(CheckpointError, match=r"cannot be read as a vocabulary"):
        load(tmp_path)


def test_training_starts_with_the_words_of_the_captions() -> None:
    words = Vocabulary.of(["a dog runs", "a dog", "a cat"], at_least=2)
    vectors = torch.full((6, 8), 0.5)
    model = start_with(Config(features=9, **SMALLEST), words, vectors, device="cpu")
    assert model.config.words == 2
    assert model.text.embedding.weight.equal(vectors)


SMALLEST = {"embedding": 8, "hidden": 2, "filters": 2, "latent": 3, "concepts": 2}
