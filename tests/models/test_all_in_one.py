"""All-in-one: its losses by hand, views, determinism, and what it refuses."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from oracles.slow_all_in_one import slow_fused, slow_text, slow_video
from oracles.slow_info_nce import slow_info_nce
from reeltune.errors import ConfigError, DataError
from reeltune.models._all_in_one.views import drawn_view, in_views
from reeltune.models._bert.words import inner
from reeltune.models.all_in_one import AllInOne, Config
from reeltune.models.opening.material import Material
from reeltune.objectives.masked_language import IGNORED, mask_words
from reeltune.objectives.wrong_pairs import draw_wrong
from reeltune.types import Batch

TEXTS = ["a red square", "a golden box moves left", "the disc", "a green circle"]
LENGTHS = [3, 1, 2, 3]
VIDEO = torch.tensor([0, 1, 2, 1])  # the second and the fourth show the same one
CLOSE = {"atol": 1e-9, "rtol": 1e-8}
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def model(**changes: Any) -> AllInOne:
    """In double precision and without dropout, with biases that are not 0."""
    settings = {**Config.tiny().model_dump(), "width": 8, "image": 16, "patch": 4, **changes}
    built, source = Config(**settings).build().double(), torch.Generator().manual_seed(0)
    for weight in built.parameters():
        weight.data = 0.3 * torch.randn(weight.shape, generator=source, dtype=torch.float64)
    return built


def clips(lengths: list[int], size: int = 16) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(1)
    shape = (len(lengths), max(lengths), 3, size, size)
    frames = torch.randint(0, 256, shape, generator=source).byte()
    return frames, torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def batch(built: AllInOne) -> Batch:
    return Batch(*clips(LENGTHS), built.tokenize(TEXTS), VIDEO)


def logit(built: AllInOne, state: Tensor) -> Tensor:
    """The logits of matching (2,) of the first fused state."""
    dense, head = built.network.pooler.dense, built.network.itm_score.fc
    return head.weight @ (dense.weight @ state + dense.bias).tanh() + head.bias


def test_vtc_is_infonce_of_vectors_of_slow_passes_in_both_directions() -> None:
    built = model(tasks=[])
    frames, mask = clips(LENGTHS)
    ids = [built.tokenize([text]).ids[0] for text in TEXTS]
    text = torch.stack([slow_text(built.network, some) for some in ids])
    video = torch.stack(
        [slow_video(built.network, f[m]) for f, m in zip(frames, mask, strict=True)]
    )
    wanted = 2 * slow_info_nce((text @ video.T / 0.05).tolist(), VIDEO.tolist())
    losses = built.losses(batch(built))
    assert list(losses) == ["vtc"]
    assert float(losses["vtc"]) == pytest.approx(wanted, rel=1e-9)


def test_itm_is_the_cross_entropy_of_right_pairs_and_of_the_drawn_wrong_ones() -> None:
    built = model(judged_by="itm", tasks=[], negatives=2)
    frames, mask = clips(LENGTHS)
    torch.manual_seed(7)
    losses = built.losses(batch(built))
    torch.manual_seed(7)
    texts, drawn = draw_wrong(VIDEO, 2)  # no words are hidden for this loss

    def cost(row: int, clip: int, label: int) -> float:
        ids = built.tokenize([TEXTS[row]]).ids[0]
        logits = logit(built, slow_fused(built.network, ids, frames[clip][mask[clip]])[0])
        return -float(logits.log_softmax(dim=0)[label])

    right = sum(cost(row, row, 1) for row in range(4)) / 4
    wrong = [cost(t, c, 0) for t, c in zip(texts.tolist(), drawn.tolist(), strict=True)]
    assert len(wrong) == 8
    assert list(losses) == ["itm"]
    assert float(losses["itm"]) == pytest.approx((right + sum(wrong) / 8) / 2, rel=1e-8)


def test_a_batch_of_one_video_has_right_pairs_alone() -> None:
    built = model(judged_by="itm", tasks=[])
    one = Batch(*clips([2]), built.tokenize(TEXTS[:1]), torch.tensor([3]))
    score = float(built.score(one.tokens, one.frames, one.mask))
    assert float(built.losses(one)["itm"]) == pytest.approx(math.log1p(math.exp(-score)), rel=1e-9)


def test_mlm_guesses_hidden_words_from_the_rest_and_the_clip() -> None:
    built = model(tasks=["mlm"], mask_chance=0.4)
    torch.manual_seed(3)
    losses = built.losses(batch(built))
    torch.manual_seed(3)
    tokens, (frames, mask) = built.tokenize(TEXTS), clips(LENGTHS)
    hidden = mask_words(tokens.ids, inner(tokens), built.words.mask, len(built.words), 0.4)
    costs = []
    for row, real in enumerate(tokens.mask):
        seen = frames[row][mask[row]]
        states = slow_fused(built.network, hidden.ids[row][real], seen)
        for state, label in zip(states, hidden.labels[row][real], strict=True):
            if label != IGNORED:
                logits = built.network.mlm_score(state[None, None])[0, 0]
                costs.append(float(F.cross_entropy(logits, label)))
    assert float(losses["mlm"]) == pytest.approx(sum(costs) / len(costs), rel=1e-9)


def test_the_primary_loss_is_the_one_that_it_retrieves_by_and_never_guesses_words() -> None:
    assert Config().primary == "vtc"
    assert Config().losses == ("vtc", "itm", "mlm")
    assert Config(tasks=("mlm",)).losses == ("vtc", "mlm")
    pairs = Config(judged_by="itm", tasks=("mlm",))
    assert (pairs.primary, pairs.judged_as, pairs.losses) == (
        "itm",
        "pair-retrieval",
        ("itm", "mlm"),
    )
    assert Config().judged_as == "retrieval"
    asked = Config(task="open-ended", answers=("up",), tasks=("mlm",))
    assert (asked.primary, asked.judged_as, asked.losses) == ("qa", "open-ended", ("qa", "mlm"))


def test_each_view_takes_every_so_many_th_frame_that_is_real() -> None:
    numbers = torch.arange(8).byte().view(1, 8, 1, 1, 1).expand(2, 8, 3, 1, 1)
    mask = torch.tensor([[1, 1, 1, 1, 1, 1, 1, 0], [0, 1, 0, 0, 1, 0, 0, 0]]).bool()
    views = in_views(numbers, mask, 3)
    shown = [
        [frames[real][:, 0, 0, 0].tolist() for frames, real in zip(clip, seen, strict=True)]
        for clip, seen in zip(views.frames, views.mask, strict=True)
    ]
    assert shown == [[[0, 3, 6], [1, 4], [2, 5]], [[1], [4], []]]
    mean = views.mean(torch.tensor([1.0, 2.0, 6.0, 10.0, 20.0]))
    assert mean.tolist() == [3.0, 15.0]


def test_scores_vectors_and_answers_are_means_over_views() -> None:
    asked: dict[str, Any] = {"task": "open-ended", "answers": ("up", "down")}
    one, three = model(**asked), model(**asked, views=3)
    frames, mask = clips([7, 2])
    tokens = one.tokenize(TEXTS[:2])
    with torch.no_grad():
        of_views = [
            (frames[:, place::3], mask[:, place::3]) for place in range(2)
        ]  # the third view of the second clip is empty
        found = three.score(tokens, frames, mask)
        parts = [one.score(tokens, *view) for view in of_views]
        last = one.score(one.tokenize(TEXTS[:1]), frames[:1, 2::3], mask[:1, 2::3])
        torch.testing.assert_close(found[0], (parts[0][0] + parts[1][0] + last[0]) / 3, **CLOSE)
        torch.testing.assert_close(found[1], (parts[0][1] + parts[1][1]) / 2, **CLOSE)
        vectors = [one.encode_video(*view) for view in of_views]
        wanted = F.normalize(vectors[0][1] + vectors[1][1], dim=0)
        torch.testing.assert_close(three.encode_video(frames, mask)[1], wanted, **CLOSE)
        rows = torch.tensor([1])
        answers = [one.answer(one.read_video(*view), rows, ["where?"]) for view in of_views]
        mean = three.answer(three.read_video(frames, mask), rows, ["where?"])
        torch.testing.assert_close(mean, (answers[0] + answers[1]) / 2, **CLOSE)


def test_training_sees_one_view_of_each_clip_drawn_evenly_among_those_with_a_frame() -> None:
    numbers = torch.arange(4).byte().view(1, 4, 1, 1, 1).expand(600, 4, 3, 1, 1)
    mask = torch.ones(600, 4).bool()
    mask[300:, 2:] = False
    drawn = drawn_view(in_views(numbers, mask, 3))
    assert drawn.mask.shape == (600, 1, 2)
    first = drawn.frames[:, 0, 0, 0, 0, 0]
    many, few = first[:300].bincount(minlength=3), first[300:].bincount(minlength=3)
    assert int(many.min()) > 70
    assert int(few[2]) == 0
    assert int(few[:2].min()) > 110


def test_nothing_is_drawn_in_evaluation_and_patches_have_places() -> None:
    """The release draws another order of the patches for each frame, in evaluation too."""
    built = model(views=2)
    frames, mask = clips([4, 3])
    tokens = built.tokenize(TEXTS[:2])
    with torch.no_grad():
        state = torch.get_rng_state()
        found, vectors = built.score(tokens, frames, mask), built.encode_video(frames, mask)
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.equal(built.score(tokens, frames, mask), found)
        turned = frames.flip(-1)
        assert (built.encode_video(turned, mask) - vectors).abs().max() > 1e-4
        assert (built.score(tokens, turned, mask) - found).abs().max() > 1e-4


def test_scores_of_all_pairs_are_those_of_each_pair_in_parts_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built = model(views=2)
    frames, mask = clips([4, 1, 3])
    with torch.no_grad():
        text, video = built.read_text(built.tokenize(TEXTS)), built.read_video(frames, mask)
        whole = built.align(text, video)
        monkeypatch.setattr("reeltune.models.all_in_one.NUMBERS_AT_ONCE", 1)
        torch.testing.assert_close(built.align(text, video), whole, **CLOSE)
        for column in range(3):
            again = [
                part[column : column + 1].expand(4, *part.shape[1:]) for part in (frames, mask)
            ]
            alone = built.score(built.tokenize(TEXTS), *again)
            torch.testing.assert_close(whole[:, column], alone, **CLOSE)


def test_settings_that_do_not_fit_and_frames_of_another_size_are_refused() -> None:
    for changes, said in (
        ({"heads": 3}, r"width is 8, which 3 heads cannot share evenly"),
        ({"patch": 5}, r"image is 16, which patches of 5 pixels do not fill"),
        ({"patch": 8}, r"a frame of 16 pixels has 4 patches, and none is left to be rolled"),
        ({"shortest": 9}, r"shortest is 9, and a square of 16 .* give --set config.shortest=16"),
    ):
        with pytest.raises(ConfigError, match=said):
            model(**changes)
    with pytest.raises(DataError, match=r"all-in-one reads uint8 frames \(B, T, 3, 16, 16\)"):
        model().read_video(*clips([2], size=24))
    with pytest.raises(ConfigError, match=r"all-in-one reads frames; leave features out"):
        Config.tiny().start(Material(width=96))
    with pytest.raises(ConfigError, match=r"the model has no head that answers"):
        model().answer(model().read_video(*clips([2])), torch.tensor([0]), ["where?"])
    assert Config(tasks=()).unread().keys() >= {"negatives", "mask_chance", "answers"}
    assert Config(judged_by="itm", tasks=()).unread().keys() >= {"temperature", "mask_chance"}
    assert "judged_by" in Config(task="multiple-choice").unread()
