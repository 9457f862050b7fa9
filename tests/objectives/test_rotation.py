"""Rotation: pictures turned by quarters, and the loss of who guesses by how many."""

import math

import numpy as np
import pytest
import torch

from reeltune.objectives.rotation import draw_turns, rotation, turned


def test_each_picture_is_turned_by_its_own_quarters() -> None:
    pictures, turns = torch.randn(6, 3, 4, 4), torch.tensor([0, 1, 2, 3, 1, 0])
    found = turned(pictures, turns)
    for row, quarter in enumerate(turns.tolist()):
        for channel in range(3):
            wanted = np.rot90(pictures[row, channel].numpy(), quarter)
            assert np.array_equal(found[row, channel].numpy(), wanted)


def test_all_four_quarters_are_drawn_alike() -> None:
    counts = torch.bincount(draw_turns(4000), minlength=4)
    assert len(counts) == 4
    assert counts.min() > 900


def test_the_loss_is_the_cross_entropy_of_the_quarter() -> None:
    assert float(rotation(torch.zeros(5, 4), torch.tensor([0, 1, 2, 3, 0]))) == pytest.approx(
        math.log(4)
    )
    scores = torch.tensor([[1.0, 2.0, 0.0, -1.0]])
    wanted = math.log(sum(math.exp(score) for score in (1, 2, 0, -1))) - 2
    assert float(rotation(scores, torch.tensor([1]))) == pytest.approx(wanted)
