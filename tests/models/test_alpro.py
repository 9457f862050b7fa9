"""ALPRO: losses against slow versions, the prompter, scores of pairs, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_alpro import LENGTHS, TEXTS, batch_for, clips, small
from torch import Tensor

from oracles import slow_alpro as slow
from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.models._alpro.crops import draw_crops, in_pixels, on_black
from reeltune.models._alpro.entities import frequent_words
from reeltune.models._alpro.prompter import Prompter, prompts_of, resized, temperature_of
from reeltune.models._alpro.scene import Crops, Scene, scene_losses
from reeltune.models._alpro.settings import TASKS
from reeltune.models._bert.sequence import Sequence
from reeltune.models._bert.words import inner
from reeltune.models.alpro import Alpro, Config, load
from reeltune.models.opening.material import Material
from reeltune.models.opening.open import open_model
from reeltune.objectives.hard_negatives import draw_hard_negatives
from reeltune.objectives.masked_language import mask_words
from reeltune.types import Pair, Split

CLOSE = {"atol": 1e-10, "rtol": 1e-9}
pytestmark = pytest.mark.usefixtures("one_thread")


def scene_of(model: Alpro, chances: Tensor, video: list[int] | None = None) -> Scene:
    """A batch with drawn words and crops, and the chances that a prompter would give."""
    batch, source = batch_for(model, video), torch.Generator().manual_seed(5)
    tokens = batch.tokens
    torch.manual_seed(6)
    masked = mask_words(tokens.ids, inner(tokens), model.words.mask, len(model.words), 0.4, source)
    crops = Crops(draw_crops(len(TEXTS), 2).flatten(1), chances)
    return Scene(
        network=model.network,
        tokens=tokens,
        clip=model.read_video(batch.frames, batch.mask),
        hide=lambda: masked,
        crop=lambda: crops,
        video=batch.video,
        confident=0.4,
    )


CHANCES = torch.tensor([[0.5, 0.3, 0.2], [0.3, 0.4, 0.3], [0.34, 0.33, 0.33], [1.0, 0.0, 0.0]])


def test_every_loss_equals_its_slow_version() -> None:
    model = small()
    with torch.no_grad():
        scene = scene_of(model, CHANCES.double())
        torch.manual_seed(8)
        found = scene_losses(scene, TASKS)
        torch.manual_seed(8)
        wrong_clips, wrong_texts = (
            draw_hard_negatives(logits, scene.video).tolist()
            for logits in (scene.logits, scene.logits.T)
        )
        real = scene.text.mask
        ids = model.tokenize(TEXTS).ids
        words, masked, labels = (
            [row[mine].tolist() for row, mine in zip(part, real, strict=True)]
            for part in (ids, scene.hide().ids, scene.hide().labels)
        )
        texts = [slow.read_words(model.network, row) for row in words]
        hidden = [slow.read_words(model.network, row) for row in masked]
        shown = list(scene.clip.states)
        inside = scene.crop().inside.tolist()
        expected = {
            "vtc": slow.slow_vtc(model.network, texts, shown),
            "vtm": slow.slow_vtm(model.network, texts, shown, wrong_clips, wrong_texts),
            "mlm": slow.slow_mlm(model.network, hidden, shown, labels),
            "pem": slow.slow_pem(model.network, texts, shown, inside, CHANCES.tolist(), 0.4),
        }
    assert tuple(found) == TASKS
    assert {name: loss.item() for name, loss in found.items()} == pytest.approx(expected, rel=1e-6)
    assert any(wrong != i for i, wrong in enumerate(wrong_clips))
    assert len({round(value, 6) for value in expected.values()}) == 4


def test_rows_of_the_same_video_are_no_wrong_answers() -> None:
    model = small()
    with torch.no_grad():
        scene = scene_of(model, CHANCES, [7, 7, 7, 7])
        assert float(scene.vtc()) == 0
        scores = model.network.matching(scene.fused[:, 0])
        own = -scores.log_softmax(dim=1)[:, 1].mean()
        torch.testing.assert_close(scene.vtm(), own, **CLOSE)


def test_an_unsure_prompter_teaches_nothing() -> None:
    scene = scene_of(small(), torch.full((4, 3), 1 / 3))
    loss = scene.pem()
    assert loss.item() == 0
    assert loss.requires_grad


def test_each_draw_differs_and_a_seed_repeats_it() -> None:
    model = small(entities=("square", "disc"), confident=0.0)
    batch = batch_for(model)

    def drawn(seed: int) -> dict[str, float]:
        torch.manual_seed(seed)
        return {name: loss.item() for name, loss in model.losses(batch).items()}

    one, two = drawn(1), drawn(2)
    assert drawn(1) == one
    assert {name for name in TASKS if one[name] != two[name]} == {"vtm", "mlm", "pem"}


def test_the_prompter_sees_the_crop_alone_and_scores_what_it_is_told() -> None:
    guide, (frames, mask) = open_model("tiny-clip", "cpu"), clips()
    entities = ("square", "circle")
    inside = in_pixels(draw_crops(len(LENGTHS), 2), 16)
    shown = on_black(frames, inside)
    chances = Prompter("tiny-clip", None, entities)(shown, mask, torch.device("cpu"))
    outside = torch.where(inside[:, None, None], frames, 255 - frames)
    again = Prompter("tiny-clip", None, entities)(
        on_black(outside, inside), mask, torch.device("cpu")
    )
    assert torch.equal(chances, again)
    with torch.no_grad():
        size = guide.pixels.size
        clip = guide.encode_video(resized(shown, size), mask)
        texts = torch.stack(
            [guide.encode_text(guide.tokenize(prompts_of(name))).mean(dim=0) for name in entities]
        )
        expected = (clip @ texts.T / temperature_of(guide)).softmax(dim=1)
    torch.testing.assert_close(chances, expected)
    torch.testing.assert_close(chances.sum(dim=1), torch.ones(len(LENGTHS)))


def test_prompts_are_the_twelve_of_the_release() -> None:
    prompts = prompts_of("dog")
    assert len(set(prompts)) == 12
    assert {"A footage of a dog.", "A video of the dog."} <= set(prompts)


def test_an_alpro_may_prompt_another_by_its_own_temperature(tmp_path: Path) -> None:
    guide = Config.tiny().build()
    guide.save_pretrained(tmp_path)
    assert temperature_of(guide) == pytest.approx(0.07)
    assert temperature_of(open_model("lite-zero", "cpu")) == pytest.approx(0.07)
    model = small(prompter=str(tmp_path), confident=0.0)
    assert all(loss.isfinite() for loss in model.losses(batch_for(model)).values())
    other = small(prompter=str(tmp_path), prompter_fingerprint="0" * 32)
    with pytest.raises(CheckpointError, match=r"prompter .* has fingerprint .* beside 0000"):
        other.losses(batch_for(other))
    lost = small(prompter=str(tmp_path / "none"))
    with pytest.raises(CheckpointError, match=r"prompter is lost: .*--set config\.prompter=MODEL"):
        lost.losses(batch_for(lost))


def test_scores_of_pairs_are_those_of_the_whole_model_on_each_pair() -> None:
    """Halves that are computed once give what a loop over pairs gives, to 1e-5 in float32."""
    model = small().float()
    frames, mask = clips()
    tokens = model.tokenize(TEXTS)
    with torch.no_grad():
        found = model.align(model.read_text(tokens), model.read_video(frames, mask))
        for i, text in enumerate(TEXTS):
            for j, length in enumerate(LENGTHS):
                one = slice(j, j + 1)
                alone = model.score(
                    model.tokenize([text]), frames[one, :length], mask[one, :length]
                )
                torch.testing.assert_close(found[i, one], alone, atol=1e-5, rtol=0)
    assert found.std() > 1e-4


def test_small_chunks_of_pairs_give_the_same_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small()
    with torch.no_grad():
        text, video = model.read_text(model.tokenize(TEXTS)), model.read_video(*clips())
        whole = model.align(text, video)
        monkeypatch.setattr("reeltune.models.alpro.NUMBERS_AT_ONCE", 1)
        torch.testing.assert_close(model.align(text, video), whole, **CLOSE)


def test_entities_are_the_frequent_words_of_captions() -> None:
    said = ("The dog runs, the dog!", "a dog and a cat", "Cats: 2 cats of x", "a cat")
    pairs = [Pair(video="v", path=Path("v.mp4"), caption=caption) for caption in said]
    assert frequent_words(pairs, 3) == ("cat", "dog", "cats")
    split = Split(pairs=tuple(pairs), captions="multiple")
    config = Config.tiny().model_copy(update={"entities": (), "most_entities": 2})
    model = config.start(Material(device="cpu", splits=(split,))).model
    assert model.config.entities == ("cat", "dog")
    assert model.network.get_submodule("mpm_head.2").get_parameter("bias").shape == (2,)
    nothing = replace(split, pairs=(replace(pairs[0], caption="1 2 3"),))
    with pytest.raises(DataError, match=r"no caption has an English word .*--set config\.entities"):
        config.start(Material(device="cpu", splits=(nothing,)))


def test_a_loss_by_a_prompter_needs_one() -> None:
    bare = Config.tiny().model_copy(update={"prompter": None})
    with pytest.raises(ConfigError, match=r"has pem, and there is no model .*--set config\.promp"):
        bare.start(Material(device="cpu"))
    model = bare.build()
    with pytest.raises(ConfigError, match=r"has pem, and there is no prompter or nothing"):
        model.losses(batch_for(model))
    plain = bare.model_copy(update={"tasks": ("vtc", "mlm")}).build()
    assert tuple(plain.losses(batch_for(plain))) == plain.tasks == ("vtc", "vtm", "mlm")


def test_training_begins_with_given_weights_and_heads_that_mean_the_same(tmp_path: Path) -> None:
    torch.manual_seed(1)
    first = Config.tiny().build()
    first.save_pretrained(tmp_path / "a")
    again = Config.tiny().model_copy(update={"pretrained": tmp_path / "a"})
    begun = again.start(Material(device="cpu"))
    assert begun.model.fingerprint == first.fingerprint
    assert begun.said == ()
    own = again.model_copy(update={"entities": ("dog", "cat", "bird"), "frames": 7})
    other = own.start(Material(device="cpu"))
    assert other.said == (
        "mpm_head begins with random weights",
        "visual_encoder.model.time_embed is interpolated",
    )
    frames = other.model.network.visual_encoder.model.time_embed
    assert frames.shape == (1, 7, 32)
    name = "text_encoder.bert.encoder.layer.0.output.dense.weight"
    both = (one.network.get_parameter(name) for one in (first, other.model))
    assert torch.equal(*both)
    asked = again.model_copy(update={"task": "open-ended", "answers": ("a", "b"), "entities": ()})
    begun = asked.start(Material(device="cpu"))
    assert begun.said == ("classifier begins with random weights",)
    assert begun.model.config.entities == first.config.entities
    self_taught = again.model_copy(update={"prompter": None}).start(Material(device="cpu")).model
    assert self_taught.config.prompter == str(tmp_path / "a")
    (tmp_path / "b").mkdir()
    with pytest.raises(CheckpointError, match=r"convert alpro alpro_pretrained_ckpt\.pt .*/b, or"):
        Config.tiny().model_copy(update={"pretrained": tmp_path / "b"}).start(
            Material(device="cpu")
        )


def test_precisions_keep_the_fingerprint_and_vectors_stay_float32(tmp_path: Path) -> None:
    model = Config.tiny().build()
    model.save_pretrained(tmp_path)
    half = load(tmp_path, "cpu", "bf16")
    assert half.fingerprint == model.fingerprint
    vectors = half.encode_video(*clips())
    assert vectors.dtype == torch.float32
    assert (vectors * model.encode_video(*clips())).sum(dim=1).min() > 0.99


def test_settings_that_do_not_fit_are_refused() -> None:
    tiny = Config.tiny()
    for changes, message in (
        ({"heads": 5}, r"width is 32, which 5 heads"),
        ({"image": 40}, r"image is 40, which patches of 16 pixels do not fill"),
        ({"fusion": 2}, r"fusion is 2 of 2 layers.*--set config\.fusion=1"),
        ({"words": 99}, r"words is 99, but there are 64 positions; give --set config\.positions"),
    ):
        with pytest.raises(ConfigError, match=message):
            tiny.model_copy(update=changes).build()
    with pytest.raises(CheckpointError, match=r"alpro has no weights of its own"):
        load(None)


def test_frames_of_another_size_are_refused() -> None:
    with pytest.raises(DataError, match=r"frames have 16 pixels a side, and the model reads 32"):
        small().read_video(*clips(size=16))


def test_settings_that_nothing_reads_are_known() -> None:
    config = Config.tiny().model_copy(update={"tasks": (), "judged_by": "vtc"})
    told = config.unread()
    assert {"mask_chance", "prompter", "entities", "most_entities", "confident"} <= told.keys()
    assert "by pem" in told["prompter"]
    assert config.losses == ("vtc",)
    assert config.judged_as == "retrieval"
    asked = Config.tiny().model_copy(update={"task": "multiple-choice", "tasks": ("mlm",)})
    assert asked.losses == ("qa", "mlm")
    assert {"judged_by", "answers", "confident"} <= asked.unread().keys()
    assert "mask_chance" not in asked.unread()


def test_what_was_read_can_be_put_together() -> None:
    states = torch.arange(12.0).view(2, 3, 2)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    both = Sequence(states, mask).then(Sequence(states[:, :1], mask[:, :1]))
    assert both.states.shape == (2, 4, 2)
    assert both.mask.tolist() == [[True, True, False, True], [True] * 4]
    assert both.rows(torch.tensor([1, 1])).states.shape == (2, 4, 2)
