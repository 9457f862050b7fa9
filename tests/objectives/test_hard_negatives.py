"""Hard negatives: how often each is drawn, and what is never drawn."""

import math

import pytest
import torch

from reeltune.objectives.hard_negatives import NONE, draw_hard_negatives
from reeltune.objectives.soft_labels import soft_labels


def test_wrong_videos_are_drawn_as_often_as_softmax_says() -> None:
    source = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(5, 5, generator=source)
    video, times = torch.tensor([0, 1, 2, 1, 4]), 20_000
    counts = torch.zeros(5, 5)
    for drawn in torch.stack(
        [draw_hard_negatives(logits, video, source) for _ in range(times)]
    ):  # (B,)
        counts[torch.arange(5), drawn] += 1
    for row in range(5):
        weights = {
            column: math.exp(float(logits[row, column]))
            for column in range(5)
            if int(video[column]) != int(video[row])
        }
        for column in range(5):
            chance = weights.get(column, 0.0) / sum(weights.values())
            spread = math.sqrt(times * chance * (1 - chance))
            assert abs(float(counts[row, column]) - times * chance) <= 4.5 * spread, (row, column)


def test_a_row_without_another_video_has_no_negative() -> None:
    drawn = draw_hard_negatives(torch.zeros(3, 3), torch.tensor([1, 1, 1]))
    assert drawn.tolist() == [NONE] * 3
    alone = draw_hard_negatives(torch.full((1, 1), float(50)), torch.tensor([0]))
    assert alone.tolist() == [NONE]


def test_scores_far_apart_draw_the_best_and_a_seed_repeats_the_draw() -> None:
    logits = torch.tensor([[1000.0, 900.0, -900.0], [0.0, 0.0, 0.0], [0.0, 1e4, 0.0]])
    found = draw_hard_negatives(logits, torch.arange(3))
    assert (found[0], found[2]) == (1, 1)
    torch.manual_seed(3)
    one = [draw_hard_negatives(torch.zeros(6, 6), torch.arange(6)).tolist() for _ in range(4)]
    torch.manual_seed(3)
    assert one == [
        draw_hard_negatives(torch.zeros(6, 6), torch.arange(6)).tolist() for _ in range(4)
    ]


def test_no_gradient_flows_through_a_draw() -> None:
    logits = torch.zeros(3, 3, requires_grad=True)
    assert not draw_hard_negatives(logits, torch.arange(3)).requires_grad


def test_soft_labels_count_rows_whose_highest_chance_is_high_enough() -> None:
    logits = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    chances = torch.tensor(
        [[0.19, 0.19, 0.43, 0.19], [0.25, 0.25, 0.25, 0.25], [0.9, 0.1, 0.0, 0.0]]
    )
    by_row = []
    for row, wanted in zip(logits.tolist(), chances.tolist(), strict=True):
        total = sum(math.exp(score) for score in row)
        by_row.append(
            -sum(w * math.log(math.exp(s) / total) for s, w in zip(row, wanted, strict=True))
        )
    assert float(soft_labels(logits, chances)) == pytest.approx(sum(by_row) / 3, rel=1e-5)
    kept = (by_row[0] + by_row[2]) / 2
    assert float(soft_labels(logits, chances, 0.3)) == pytest.approx(kept, rel=1e-5)
    assert float(soft_labels(logits, chances, 0.95)) == 0.0


def test_a_confident_first_class_counts_too() -> None:
    """The filter looks at how high the highest chance is, never at which class has it."""
    logits, chances = torch.zeros(1, 4), torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    assert float(soft_labels(logits, chances, 0.2)) == pytest.approx(math.log(4))
