"""What masked losses hide, and what guessing costs."""

import math

import pytest
import torch

from reeltune.objectives.captioning import captioning
from reeltune.objectives.masked_frame import mask_frames, masked_frame
from reeltune.objectives.masked_language import IGNORED, mask_words, masked_language

MASK, WORDS = 4, 50


def drawn(rows: int = 4000, length: int = 12) -> tuple[torch.Tensor, ...]:
    source = torch.Generator().manual_seed(0)
    ids = torch.randint(10, WORDS, (rows, length), generator=source)
    maskable = torch.ones_like(ids, dtype=torch.bool)
    maskable[:, 0] = False
    found = mask_words(ids, maskable, MASK, WORDS, 0.15, source)
    return ids, maskable, found.ids, found.labels


def test_words_are_hidden_as_bert_hides_them() -> None:
    ids, maskable, masked, labels = drawn()
    chosen = labels != IGNORED
    assert not chosen[~maskable].any()
    assert chosen.any(dim=1).all(), "every text has a word to guess"
    assert torch.equal(labels[chosen], ids[chosen])
    assert torch.equal(masked[~chosen], ids[~chosen])
    # 11 words at 15 %, given that there is at least one: .15 / (1 - .85^11) of them
    assert chosen[:, 1:].float().mean().item() == pytest.approx(0.15 / (1 - 0.85**11), abs=0.01)
    assert (masked[chosen] == MASK).float().mean().item() == pytest.approx(0.802, abs=0.015)
    kept = (masked[chosen] == ids[chosen]).float().mean().item()
    assert kept == pytest.approx(0.1 + 0.1 / WORDS, abs=0.015)


def test_texts_without_words_stay_as_they_are_and_cost_nothing() -> None:
    ids = torch.tensor([[2, 3]])
    found = mask_words(ids, torch.zeros_like(ids, dtype=torch.bool), MASK, WORDS)
    assert torch.equal(found.ids, ids)
    logits = torch.randn(1, 2, WORDS, requires_grad=True)
    loss = masked_language(logits, found.labels)
    loss.backward()
    assert loss == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_hidden_words_cost_their_cross_entropy() -> None:
    logits = torch.zeros(2, 3, WORDS)
    labels = torch.tensor([[IGNORED, 7, IGNORED], [IGNORED, IGNORED, 9]])
    assert masked_language(logits, labels).item() == pytest.approx(math.log(WORDS))
    logits[0, 1, 7] = 100
    assert masked_language(logits, labels).item() == pytest.approx(math.log(WORDS) / 2)


def test_frames_are_hidden_among_real_ones() -> None:
    mask = torch.arange(6) < torch.tensor([[1], [6], [0]])
    source = torch.Generator().manual_seed(1)
    hidden = mask_frames(mask.repeat(500, 1), 0.15, source)
    assert not hidden[~mask.repeat(500, 1)].any()
    assert hidden[0::3, 0].all(), "the only frame of a video is always hidden"
    expected = 0.15 / (1 - 0.85**6)
    assert hidden[1::3].float().mean().item() == pytest.approx(expected, abs=0.03)


def test_a_hidden_frame_is_picked_among_all_real_frames() -> None:
    mask = torch.tensor([[True, True], [True, False]])
    hidden = torch.tensor([[False, True], [False, False]])
    truth = torch.eye(4).view(2, 2, 4)
    assert masked_frame(torch.zeros(2, 2, 4), truth, mask, hidden).item() == pytest.approx(
        math.log(3)
    ), "three frames are real"
    assert masked_frame(50 * truth, truth, mask, hidden).item() == pytest.approx(0, abs=1e-6)
    guess = torch.randn(2, 2, 4, requires_grad=True)
    assert masked_frame(guess, truth, mask, torch.zeros_like(hidden)) == 0


def test_captions_cost_the_words_that_are_real() -> None:
    logits = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    following = torch.tensor([[1, 2, 0], [4, 0, 0]])
    real = following > 0
    chances = logits.detach().log_softmax(dim=2)
    expected = -(chances[0, 0, 1] + chances[0, 1, 2] + chances[1, 0, 4]) / 3
    assert captioning(logits, following, real).item() == pytest.approx(expected.item())
    assert torch.autograd.gradcheck(lambda given: captioning(given, following, real), logits)
