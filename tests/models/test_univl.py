"""UniVL: counts, names, losses against slow versions, and what must not matter."""

import itertools
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from small_univl import TEXTS, F, batch_for, hidden_in, small, videos
from torch import Tensor

from oracles import slow_univl as slow
from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.models._bert.words import WordPieces, read_vocabulary
from reeltune.models._univl.network import Network, rows_of
from reeltune.models._univl.tasks import TASKS
from reeltune.models._univl.towers import Sizes
from reeltune.models.univl import Config, Univl, load
from reeltune.types import Batch, Tokens

CLOSE = {"atol": 1e-10, "rtol": 1e-9}
pytestmark = pytest.mark.usefixtures("one_thread")


def real_rows(model: Univl, given: Tensor) -> list[list[int]]:
    mask = model.tokenize(TEXTS).mask
    return [row[real].tolist() for row, real in zip(given, mask, strict=True)]


def test_the_released_sizes_have_the_released_counts() -> None:
    with torch.device("meta"):
        network = Network(Sizes())
    assert sum(weight.numel() for weight in network.parameters()) == 199_535_989
    assert len(network.state_dict()) == 444
    parts = {
        "bert": 109_482_240,
        "visual": 44_299_776,
        "cross": 15_555_840,
        "decoder": 52_813_626,
        "cls": 24_063_546,
        "cls_visual": 1_379_584,
        "similarity_dense": 769,
        "normalize_video": 2_048,
    }
    for name, count in parts.items():
        assert sum(w.numel() for w in getattr(network, name).parameters()) == count, name


def test_every_loss_equals_its_slow_version() -> None:
    model = small()
    given = hidden_in(model)
    batch = batch_for(model, **given)
    with torch.no_grad():
        found = model.losses(batch)
        assert tuple(found) == TASKS
        features, mask = videos()
        clean = [video[real] for video, real in zip(features, mask, strict=True)]
        hidden = [row.nonzero().flatten().tolist() for row in given["hidden_frames"]]
        words = real_rows(model, batch.tokens.ids)
        dark = [video.clone() for video in clean]
        for video, places in zip(dark, hidden, strict=True):
            video[places] = 0
        network = model.network
        plain = [slow.read(network, *pair) for pair in zip(words, clean, strict=True)]
        masked_words = real_rows(model, given["masked_words"])
        masked = [slow.read(network, *pair) for pair in zip(masked_words, dark, strict=True)]
        labels = real_rows(model, given["masked_labels"])
        expected = {
            "joint": slow.slow_joint(plain, 0.1),
            "align": slow.slow_align(network, plain),
            "cmlm": slow.slow_cmlm(network, masked, labels),
            "cmfm": slow.slow_cmfm(network, masked, clean, hidden),
            "m_joint": slow.slow_joint(masked, 0.1),
            "m_align": slow.slow_align(network, masked),
            "decoder": slow.slow_decoder(network, plain, words),
            "m_decoder": slow.slow_decoder(network, masked, words),
        }
    assert {name: float(loss) for name, loss in found.items()} == pytest.approx(expected, rel=1e-9)
    assert len({round(value, 6) for value in expected.values()}) == 8, "a weak test if any agree"


def test_padding_of_texts_and_videos_changes_no_loss() -> None:
    model = small()
    given = hidden_in(model)
    plain = model.losses(batch_for(model, **given))
    features, mask = videos()
    pad = {"masked_words": 0, "masked_labels": -1, "hidden_frames": False}
    wider = {
        name: torch.cat([t, torch.full_like(t[:, :2], pad[name])], dim=1)
        for name, t in given.items()
    }
    tokens = model.tokenize(TEXTS)
    tokens = Tokens(
        torch.nn.functional.pad(tokens.ids, (0, 2)), torch.nn.functional.pad(tokens.mask, (0, 2))
    )
    noise = torch.cat([features, torch.full_like(features[:, :2], 7)], dim=1)
    behind = torch.nn.functional.pad(mask, (0, 2))
    again = model.losses(Batch(noise, behind, tokens, torch.arange(4), wider))
    for name, loss in plain.items():
        torch.testing.assert_close(again[name], loss, **CLOSE)


def test_the_order_of_a_batch_does_not_matter() -> None:
    model, order = small(), [2, 0, 3, 1]
    given = hidden_in(model)
    batch = batch_for(model, **given)
    moved = Batch(
        batch.frames[order],
        batch.mask[order],
        Tokens(batch.tokens.ids[order], batch.tokens.mask[order]),
        batch.video[order],
        {name: t[order] for name, t in given.items()},
    )
    for (name, loss), other in zip(
        model.losses(batch).items(), model.losses(moved).values(), strict=True
    ):
        torch.testing.assert_close(other, loss, msg=name, **CLOSE)


def test_rows_of_the_same_video_are_no_negatives() -> None:
    model = small()
    given = hidden_in(model)
    batch = batch_for(model, **given)
    one = Batch(batch.frames, batch.mask, batch.tokens, torch.zeros(4, dtype=torch.long), given)
    losses = model.losses(one)
    assert losses["align"] == losses["m_align"] == 0
    assert losses["joint"].item() == pytest.approx(2 * 0.1 / 4)


def test_each_draw_hides_something_else_and_a_seed_repeats_it() -> None:
    model = small()
    batch = batch_for(model)

    def drawn(seed: int) -> dict[str, float]:
        torch.manual_seed(seed)
        return {name: loss.item() for name, loss in model.losses(batch).items()}

    assert drawn(1) == drawn(1)
    one, two = drawn(1), drawn(2)
    changed = {name for name in TASKS if one[name] != two[name]}
    assert changed == {"cmlm", "cmfm", "m_joint", "m_align", "m_decoder"}


def test_captioning_reads_transcripts_and_never_the_caption() -> None:
    model = small(reads="transcript")
    assert model.primary == "decoder"
    with pytest.raises(DataError, match=r"reads transcripts, and the batch brings none.*nothing"):
        model.losses(batch_for(model))
    said = model.tokenize(["now it moves left", "I like this one", "oh no", "now it hops"])
    given = {"transcript": said.ids, "transcript_mask": said.mask}
    hidden = {"hidden_frames": hidden_in(model)["hidden_frames"]}
    quiet = {
        "masked_words": said.ids,
        "masked_labels": torch.full_like(said.ids, -1),
    }
    batch = batch_for(model, **given, **hidden, **quiet)
    other = Batch(batch.frames, batch.mask, model.tokenize(TEXTS[::-1]), batch.video, batch.targets)
    found, swapped = model.losses(batch), model.losses(other)
    same = {name for name in TASKS if torch.equal(found[name], swapped[name])}
    assert same == {"joint", "align", "cmlm", "cmfm", "m_joint", "m_align"}
    assert found["cmlm"] == 0, "no word is hidden, so there is nothing to guess"


def test_video_alone_is_read_with_an_empty_text() -> None:
    model = small(reads="nothing")
    losses = model.losses(batch_for(model))
    assert losses["cmlm"] == 0
    assert all(loss.isfinite() for loss in losses.values())


def test_padding_is_trained_only_when_asked_for() -> None:
    model, parity = small(tasks=("align", "decoder")), small(trains_padding=True)
    batch = batch_for(model, **hidden_in(model))
    features, mask = videos()
    clean = [video[real] for video, real in zip(features, mask, strict=True)]
    with torch.no_grad():
        network = parity.network
        words = real_rows(parity, batch.tokens.ids)
        total = 0.0
        for row, video in zip(words, clean, strict=True):
            seen = slow.fuse(network, *slow.read(network, row, video))[None]
            memory = slow.Read(seen, torch.ones(seen.shape[:2], dtype=torch.bool))
            ids = torch.tensor([row[:-1] + [0] * (12 - len(row) + 1)])
            there = torch.arange(12)[None] < len(row) - 1
            following = row[1:] + [0] * (12 - len(row) + 1)
            chances = network.decoder(ids, there, memory)[0].log_softmax(dim=1)
            total -= sum(float(chances[place, word]) for place, word in enumerate(following))
    assert parity.losses(batch)["decoder"].item() == pytest.approx(total / (12 * 4), rel=1e-9)
    assert tuple(model.losses(batch)) == ("align", "decoder")
    assert model.losses(batch)["decoder"] != parity.losses(batch)["decoder"]


def test_tied_weights_are_one_and_learn_once() -> None:
    network = small().network
    words = network.bert.embeddings.word_embeddings.weight
    assert network.decoder.embeddings.word_embeddings.weight is words
    assert network.cls.predictions.decoder.weight is words
    assert network.decoder.classifier.cls.predictions.decoder.weight is words
    assert network.cls_visual.predictions.weight is network.visual.embeddings.word_embeddings.weight


@pytest.mark.parametrize("layers", [1, 2])
def test_align_scores_all_pairs_and_score_their_own(layers: int) -> None:
    model = small(cross_layers=layers)
    features, mask = videos()
    with torch.no_grad():
        text, video = model.read_text(model.tokenize(TEXTS)), model.read_video(features, mask)
        scores = model.align(text, video)
        own = model.score(model.tokenize(TEXTS), features, mask)
    torch.testing.assert_close(scores.diagonal(), own)
    assert scores.shape == (4, 4)


@pytest.mark.parametrize("layers", [1, 2])
def test_scores_are_of_the_first_state_of_the_whole_cross_encoder(layers: int) -> None:
    """Shortcuts that leave out the other states, or share what pairs have in common, are exact."""
    network = small(cross_layers=layers).network
    features, mask = videos()
    tokens = small().tokenize(TEXTS)
    with torch.no_grad():
        text = network.read_text(tokens.ids, tokens.mask)
        video = network.read_video(features, mask)
        scores = network.align(text, video)
        for i, j in itertools.product(range(4), range(4)):
            fused = network.cross(
                rows_of(text, torch.tensor([i])), rows_of(video, torch.tensor([j]))
            )
            whole = network.similarity_dense(network.cross.pooler(fused.states))
            torch.testing.assert_close(scores[i, j], whole[0, 0])
        torch.testing.assert_close(network.align_pairs(text, video), scores.diagonal())
    assert scores.std() > 1e-3


def test_narrow_networks_start_with_larger_weights() -> None:
    """BERT's spread is for its width; at a quarter of it, scores would start as if they were 0."""
    torch.manual_seed(0)
    wide, narrow = (
        Config.tiny().model_copy(update={"width": width, "encoder": None}).build()
        for width in (768, 48)
    )
    spreads = [float(m.network.cross.pooler.dense.weight.detach().std()) for m in (wide, narrow)]
    assert spreads == pytest.approx([0.02, 0.08], rel=0.05)


def test_frames_behind_the_last_position_are_left_out() -> None:
    model = small(frames=3)
    features, mask = videos()
    torch.testing.assert_close(
        model.encode_video(features, mask), model.encode_video(features[:, :3], mask[:, :3])
    )
    given = hidden_in(model)
    given["hidden_frames"][:, 0] = True
    short = {**given, "hidden_frames": given["hidden_frames"][:, :3]}
    batch = batch_for(model, **given)
    cut = Batch(features[:, :3], mask[:, :3], batch.tokens, batch.video, short)
    for name, loss in model.losses(batch).items():
        torch.testing.assert_close(model.losses(cut)[name], loss, msg=name, **CLOSE)


def test_what_cannot_be_read_is_refused() -> None:
    model = small()
    features, mask = videos()
    with pytest.raises(
        DataError, match=r"features have width 9.*reads 10; give .* by --set config\.features=9"
    ):
        model.encode_video(features[..., :9], mask)
    pictures = torch.zeros(4, 6, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(DataError, match=r"frames are pictures.*width 10.*config.encoder=MODEL"):
        model.encode_video(pictures, mask)
    narrow = Config.tiny().model_copy(update={"features": F}).build()
    with pytest.raises(
        ConfigError, match=r"features of width 96.*reads 10;.* --set config\.features=96"
    ):
        narrow.encode_video(torch.zeros(1, 1, 3, 48, 48, dtype=torch.uint8), mask[:1, :1])
    other = Config.tiny().model_copy(update={"encoder_fingerprint": "0" * 32}).build()
    with pytest.raises(CheckpointError, match=r"encoder tiny-clip has fingerprint .* beside"):
        _ = other.pixels


def test_settings_that_do_not_fit_are_refused() -> None:
    tiny = Config.tiny()
    with pytest.raises(ConfigError, match=r"width is 32, which 5 heads"):
        tiny.model_copy(update={"heads": 5}).build()
    with pytest.raises(
        ConfigError, match=r"words is 99 .* 64 positions; give --set config\.positions=99"
    ):
        tiny.model_copy(update={"words": 99}).build()
    assert tiny.model_copy(update={"tasks": ("joint",)}).build().tasks == ("joint", "align")
    captions = {"judged_by": "joint", "reads": "nothing"}
    with pytest.raises(ConfigError, match=r"judged_by is joint.*decoder is judged by; leave conf"):
        tiny.model_copy(update=captions).build()
    with pytest.raises(CheckpointError, match=r"no weights of its own.*convert"):
        load(None)


def test_words_round_trip_and_unknown_vocabularies_are_refused(tmp_path: Path) -> None:
    words = WordPieces(read_vocabulary("small"))
    tokens = words.encode(["A golden box moves left!", "xylophone"], 32)
    assert words.decode(tokens.ids[0]) == "a golden box moves left !"
    assert words.decode(tokens.ids[1]) == "xylophone"
    cut = words.encode(["a b c d e f g"], 4)
    assert cut.ids[0].tolist()[0] == words.start
    assert cut.ids[0].tolist()[-1] == words.end
    assert cut.ids.shape == (1, 4)
    with pytest.raises(CheckpointError, match=r"vocab.txt is not there.*'bert', 'small'"):
        read_vocabulary(str(tmp_path))
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\na\n", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"lacks \[CLS\], \[SEP\], \[MASK\]"):
        read_vocabulary(str(tmp_path))


def test_the_vocabulary_of_bert_is_the_released_one() -> None:
    words = WordPieces(read_vocabulary("bert"))
    assert len(words) == 30522
    assert (words.pad, words.start, words.end, words.mask) == (0, 101, 102, 103)
    ids = words.encode(["Stir-fry the naïve onions"], 48).ids[0]
    assert words.decode(ids) == "stir - fry the naive onions"


def test_the_text_encoder_is_bert() -> None:
    from transformers import BertConfig, BertModel

    model = small()
    sizes = model.config.sizes(len(model.words))
    settings = BertConfig(**asdict(sizes.bert(sizes.text_layers)))
    theirs = BertModel(settings).double().eval()
    theirs.load_state_dict(model.network.bert.state_dict())
    tokens = model.tokenize(TEXTS)
    with torch.no_grad():
        expected = theirs(input_ids=tokens.ids, attention_mask=tokens.mask.long())
        found = model.read_text(tokens)
    real = tokens.mask
    torch.testing.assert_close(found.states[real], expected.last_hidden_state[real], **CLOSE)
