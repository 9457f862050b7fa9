"""What the head of lite is taught: phrases of captions, losses over them, and changed photos."""

import random

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from lite_head_losses import Lessons, loss, own, phrases_of, shared, towards
from reeltune.models._lite.frame_network import CLASSES
from reeltune.models._lite.head import Head
from short_phrases import key, phrases, true_phrases
from varied_photos import varied


def test_phrases_are_words_in_a_row_without_grammar_or_around_a_preposition() -> None:
    assert set(phrases("A brown dog runs, and a man on skis is near it")) == {
        *("brown", "dog", "runs", "man", "skis"),
        *("brown dog", "dog runs", "brown dog runs", "man on skis"),
    }


def test_a_phrase_is_true_of_a_photo_that_has_its_words_in_one_caption() -> None:
    photos = [["a red ball", "a dog"], ["a ball that is red"], ["a red dog", "dogs play"]]
    found, true = true_phrases(photos, 1, 2)
    by_key = {key(phrase): row.tolist() for phrase, row in zip(found, true, strict=True)}
    assert by_key[key("red ball")] == [True, True, False]
    assert by_key[key("red dog")] == [False, False, True]
    assert by_key[key("dogs")] == [True, False, True]
    assert key("red") not in by_key  # it is true of all three


def test_a_phrase_of_one_photo_each_is_plain_infonce() -> None:
    logits = torch.randn(5, 5, generator=torch.manual_seed(0))
    target = torch.arange(5)
    plain = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    torch.testing.assert_close(shared(logits, torch.eye(5)), plain)
    smoothed = [F.cross_entropy(x, target, label_smoothing=0.05) for x in (logits, logits.T)]
    torch.testing.assert_close(own(logits), sum(smoothed) / 2)


def test_a_target_is_spread_over_the_photos_of_a_phrase() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0]])
    expected = -(logits.log_softmax(1)[0, 0] * 0.25 + logits.log_softmax(1)[0, 2] * 0.75)
    torch.testing.assert_close(towards(logits, torch.tensor([[1.0, 0.0, 3.0]])), expected)


def test_only_phrases_of_the_photos_of_a_batch_are_drawn_and_all_parts_learn() -> None:
    source = torch.manual_seed(0)
    true = torch.tensor([[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]]).bool()
    taught = Lessons(
        views=torch.randn(2, 4, CLASSES + 6, generator=source).half(),
        captions=F.normalize(torch.randn(4, 5, 384, generator=source), dim=2),
        phrases=F.normalize(torch.randn(2, 3, 384, generator=source), dim=2),
        words=torch.ones(3),
        true=true,
        classes=F.normalize(torch.randn(CLASSES, 384, generator=source), dim=1),
    )
    taught.views[..., -CLASSES] = 20  # all are of the first class
    assert phrases_of(taught, torch.tensor([1, 3]), source).tolist() == [1, 2]
    head = Head(CLASSES + 6, dim=384, hidden=8, dropout=0.0)
    value = loss(head, taught, torch.arange(4), source)
    value.backward()
    assert value.item() > 0
    assert all(torch.isfinite(one.grad).all() for one in head.parameters() if one.grad is not None)


def test_a_photo_is_changed_as_the_draw_says_and_the_photo_stays_as_it_was() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    photo = Image.fromarray(pixels)
    for seed in range(30):
        first, again = (varied(photo, random.Random(seed)) for _ in range(2))
        assert first.mode == "RGB"
        assert min(first.size) >= 16
        assert np.array_equal(np.asarray(first), np.asarray(again))
    assert np.array_equal(np.asarray(photo), pixels)
