"""Violet: its losses against their definitions, its scores pair by pair, and its settings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_violet import LENGTHS, TEXTS, batch_for, clips, small
from torch import Tensor

from oracles.slow_violet import (
    embedded,
    slow_mtm,
    slow_mvm,
    slow_score,
    slow_vtm,
    watched,
)
from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.models._violet.masking import (
    choose_by_attention,
    choose_words,
    cover,
    hide,
    mask_blocks,
)
from reeltune.models.opening.material import Material
from reeltune.models.opening.open import open_encoder, open_model
from reeltune.models.violet import Config, Violet, load
from reeltune.types import Batch, Pair, Split

pytestmark = pytest.mark.usefixtures("one_thread")


def real(model: Violet) -> list[Tensor]:
    """Each clip without its padding."""
    frames, _ = clips(model)
    return [clip[:length] for clip, length in zip(frames, LENGTHS, strict=True)]


def words(model: Violet) -> list[list[int]]:
    tokens = model.tokenize(TEXTS)
    return [ids[mask].tolist() for ids, mask in zip(tokens.ids, tokens.mask, strict=True)]


def plain_pairs(model: Violet) -> list[tuple[Tensor, Tensor]]:
    network = model.network
    return [
        (watched(network, clip), embedded(network, ids))
        for clip, ids in zip(real(model), words(model), strict=True)
    ]


@torch.no_grad()
@pytest.mark.parametrize("video", [(0, 1, 2, 3), (0, 1, 0, 1), (5, 5, 5, 2)])
def test_matching_is_each_videos_own_text_among_those_of_other_videos(
    video: tuple[int, ...],
) -> None:
    model = small()
    found = model.losses(batch_for(model, video))["vtm"]
    wanted = slow_vtm(model.network, plain_pairs(model), video, 0.05)
    assert float(found) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("attended", [0.0, 0.5])
@torch.no_grad()
def test_masked_losses_are_guesses_of_hidden_words_and_of_tokens_of_covered_places(
    attended: float,
) -> None:
    """In the order in which a batch draws: words, places, then what is looked at."""
    model = small(attended=attended)
    torch.manual_seed(3)
    found = model.losses(batch_for(model))
    torch.manual_seed(3)
    tokens, (frames, mask) = model.tokenize(TEXTS), clips(model)
    chosen, covered = choose_words(tokens, 0.15), mask_blocks(mask, model.config.side)
    if attended:
        rows = torch.rand(len(TEXTS)) < attended
        assert rows.any()
        assert not rows.all()
        words, places = model.network.looked_at(
            model.read_text(tokens), model.read_video(frames, mask)
        )
        looked = places.unflatten(1, (mask.shape[1], -1))
        by_words, by_places = choose_by_attention(words, looked, tokens, mask, 0.15)
        chosen[rows], covered[rows] = by_words[rows], by_places.view(covered.shape)[rows]
    masked = hide(tokens, chosen, model.words.mask)
    black = cover(frames, covered)
    pairs, labels, hidden, truth = [], [], [], []
    for row, length in enumerate(LENGTHS):
        there = tokens.mask[row]
        clip = watched(model.network, black[row, :length])
        pairs.append((clip, embedded(model.network, masked.ids[row][there].tolist())))
        labels.append(masked.labels[row][there].tolist())
        hidden.append(covered[row, :length].flatten(1))
        assert model.network.codebook is not None
        truth.append(model.network.codebook.tokens(frames[row, :length], model.config.side))
    wanted = slow_mtm(model.network, pairs, labels)
    assert float(found["mtm"]) == pytest.approx(wanted, rel=1e-9)
    wanted = slow_mvm(model.network, pairs, hidden, truth)
    assert float(found["mvm"]) == pytest.approx(wanted, rel=1e-9)


@torch.no_grad()
def test_the_same_draw_hides_the_same_at_other_weights_and_another_draw_does_not() -> None:
    """As MELTR wants it, which takes slopes by differences."""
    model, read = small(attended=1.0), []
    model.network.enc_txt.register_forward_pre_hook(lambda _, ids: read.append(ids[0]))
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        model.losses(batch_for(model))
        for weight in model.network.trsfr.parameters():
            weight += torch.randn_like(weight)
    first, again, other = (ids for ids in read if (ids == model.words.mask).any())
    assert again.equal(first)
    assert not other.equal(first)


@torch.no_grad()
def test_scores_of_all_pairs_are_those_of_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reeltune.models._violet.network.STATES_AT_ONCE", 3 * 32)
    model = small()
    frames, mask = clips(model)
    tokens = model.tokenize(TEXTS)
    found = model.align(model.read_text(tokens), model.read_video(frames, mask))
    pairs = plain_pairs(model)
    for i, j in np.ndindex(4, 4):
        wanted = slow_score(model.network, pairs[j][0], pairs[i][1])
        assert float(found[i, j]) == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    torch.testing.assert_close(model.score(tokens, frames, mask), found.diagonal())


@torch.no_grad()
def test_the_swin_reads_a_clip_once_however_many_texts_there_are() -> None:
    model, read = small(), []
    model.network.enc_img.swin.register_forward_hook(lambda *given: read.append(len(given[1][0])))
    video = model.read_video(*clips(model))
    for _ in range(3):
        model.align(model.read_text(model.tokenize(TEXTS)), video)
    assert read == [len(LENGTHS)]


@torch.no_grad()
@pytest.mark.parametrize(
    ("tasks", "task", "wanted"),
    [
        (("vtm", "mtm", "mvm"), None, ["vtm", "mtm", "mvm"]),
        ((), None, ["vtm"]),
        (("mvm", "mtm"), None, ["vtm", "mtm", "mvm"]),
        (("vtm", "mtm", "mvm"), "open-ended", ["qa", "vtm", "mtm", "mvm"]),
        ((), "open-ended", ["qa"]),
        (("mvm",), "action-recognition", ["action", "mvm"]),
    ],
)
def test_the_loss_it_is_judged_by_comes_first_and_is_never_left_out(
    tasks: tuple[str, ...], task: str | None, wanted: list[str]
) -> None:
    model = small(tasks=tasks, task=task, answers=("up", "down") if task else ())
    assert [*model.losses(batch_for(model, label=torch.tensor([0, 1, -1, 0])))] == wanted
    assert model.tasks == tuple(wanted)
    assert model.primary == wanted[0]


@torch.no_grad()
def test_answers_come_of_the_state_of_the_first_word() -> None:
    asked = {
        "multiple-choice": ("fc_mc", lambda m, v, r, q: m.choose(v, r, q, [("up", "left")] * 4)),
        "open-ended": ("fc_oe", lambda m, v, r, q: m.answer(v, r, q)),
        "action-recognition": ("fc_oe", lambda m, v, r, q: m.classify(v)[r]),
    }
    for task, (head, ask) in asked.items():
        model = small(task=task, answers=() if "choice" in task else ("up", "down", "left"))
        rows = torch.tensor([2, 0, 1, 3])
        found = ask(model, model.read_video(*clips(model)), rows, TEXTS)
        for row, clip in enumerate(rows.tolist()):
            texts = [TEXTS[row]]
            if "choice" in task:
                texts = [f"{TEXTS[row]} up", f"{TEXTS[row]} left"]
            if "action" in task:
                texts = [""]
            ids = [i[m].tolist() for i, m in zip(*_parts(model, texts), strict=True)]
            video = watched(model.network, real(model)[clip])
            states = [_first(model, video, one) for one in ids]
            wanted = torch.cat([getattr(model.network, head)(state) for state in states])
            torch.testing.assert_close(found[row], wanted)


def _parts(model: Violet, texts: list[str]) -> tuple[Tensor, Tensor]:
    tokens = model.tokenize(texts)
    return tokens.ids, tokens.mask


def _first(model: Violet, video: Tensor, ids: list[int]) -> Tensor:
    states = torch.cat([embedded(model.network, ids), video])[None]
    return model.network.trsfr(states, torch.zeros(1, 1, 1, states.shape[1]).double())[0, 0]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"size": 30}, r"size is 30, .* a multiple of 8; give --set config.size=24"),
        ({"places": 16}, r"a frame has 17 places, .* 16 rows; give --set config.places=17"),
        ({"heads": 3}, r"last stage is 32 wide, which 3 heads cannot share evenly; change"),
        ({"swin_heads": (3, 2)}, r"a stage of the Swin is 16 wide, which 3 heads cannot share"),
        ({"swin_heads": (2,)}, r"swin_depths has 2 stages and swin_heads has 1; give one number"),
        ({"words": 65}, r"words is 65, but there are 64 positions; give --set config.positions=65"),
        ({"dvae": Path("x.pkl")}, r"codes is 32, and the dVAE has 8,192 tokens; give --set"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_sizes_that_do_not_fit_together_are_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Config.tiny().model_copy(update=change).build()


def test_it_says_which_settings_nothing_reads() -> None:
    plain = Config.tiny().unread()
    assert "config.task=null" in plain["answers"]
    assert not {"mask_chance", "attended", "temperature", "dvae"} & plain.keys()
    asked = Config.tiny().model_copy(update={"task": "multiple-choice", "tasks": ()}).unread()
    assert {"mask_chance", "attended", "temperature", "dvae"} <= asked.keys()
    assert asked["temperature"] == "where losses are qa, but by vtm"
    assert asked["attended"] == "where losses are qa, but by mtm and mvm"


def test_clips_of_another_kind_are_refused() -> None:
    model = small()
    frames, mask = clips(model)
    with pytest.raises(DataError, match=r"a clip has 12 frames, and the model reads 8; read fewer"):
        model.read_video(frames.repeat(1, 3, 1, 1, 1), mask.repeat(1, 3))
    with pytest.raises(DataError, match=r"violet reads uint8 frames \(B, T, 3, 32, 32\)"):
        model.read_video(frames[..., :16, :16], mask)
    with pytest.raises(DataError, match=r"violet reads uint8 frames"):
        model.read_video(torch.rand(4, 4, 96), mask)


def test_it_opens_where_pairs_are_scored_and_is_refused_where_vectors_are_wanted(
    tmp_path: Path,
) -> None:
    small().float().save_pretrained(tmp_path)
    assert open_model(str(tmp_path), "cpu").judged_as == "pair-retrieval"
    with pytest.raises(
        ConfigError, match=r"scores pairs .* and makes no vectors, .*; give a model"
    ):
        open_encoder(str(tmp_path), "cpu")
    with pytest.raises(CheckpointError, match=r"violet has no weights of its own; give a folder"):
        load(None)


def test_weights_that_score_nothing_are_refused(tmp_path: Path) -> None:
    model = small().float()
    torch.nn.init.constant_(model.network.fc[3].weight, torch.finfo(torch.float32).max)
    model.save_pretrained(tmp_path)
    told = r"makes numbers that are not finite of a word with a grey frame, and wanted is a score"
    with pytest.raises(CheckpointError, match=told):
        open_model(str(tmp_path), "cpu")


def test_training_begins_with_a_codebook_of_the_training_clips(toybox: Path) -> None:
    paths = sorted(toybox.rglob("*.mp4"))[:6]
    pairs = tuple(Pair(video=p.stem, path=p, caption="a disc") for p in paths)
    gone = Pair(video="gone", path=toybox / "gone.mp4", caption="a box")
    material = Material(device="cpu", splits=(Split(pairs=(*pairs, gone), captions="single"),))
    torch.manual_seed(0)
    begun = Config.tiny().start(material)
    assert begun.said == (
        "visual tokens are those of a codebook of 32 patches, fitted on 384 patches of 6 training "
        "clips",
    )
    torch.manual_seed(0)
    drawn = Config.tiny().build().network.codebook
    book = begun.model.network.codebook
    assert book is not None
    assert drawn is not None
    assert not book.centres.equal(drawn.centres)
    torch.manual_seed(0)
    plain = Config.tiny().model_copy(update={"tasks": ()}).start(material)
    assert plain.said == (), "nothing is fitted that nothing guesses"


def test_without_a_clip_to_read_tokens_are_of_a_random_codebook() -> None:
    begun = Config.tiny().start(Material(device="cpu"))
    assert begun.said == (
        "no training clip can be read, so visual tokens are those of a codebook of random patches",
    )


def test_tokens_of_the_dvae_are_read_for_the_first_guess(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reeltune.models._violet.dvae import Encoder

    monkeypatch.setattr("reeltune.models._violet.settings.CODES", 32)
    torch.manual_seed(0)
    encoder = Encoder(8, 32)
    for weight in encoder.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    torch.save(encoder.state_dict(), tmp_path / "encoder.pkl")
    model = small(dvae=tmp_path / "encoder.pkl").float()
    assert model.network.codebook is None
    assert not [name for name in model.state_dict() if "blocks.input" in name]
    batch: Batch = batch_for(model)
    assert model.losses(batch)["mvm"].isfinite()
    seen = [given.clone() for given in encoder.tokens(batch.frames.flatten(0, 1), 4)]
    made = model._tokenizer().tokens(batch.frames.flatten(0, 1), 4)
    assert made.equal(torch.stack(seen))
    (tmp_path / "encoder.pkl").unlink()
    assert model.losses(batch)["mvm"].isfinite(), "it is opened once"
