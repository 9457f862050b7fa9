"""Wrong pairs that are drawn evenly."""

import torch

from reeltune.objectives.wrong_pairs import draw_wrong

VIDEO = torch.tensor([3, 3, 5, 8, 5])


def test_a_wrong_pair_is_never_of_one_video_and_no_clip_is_shown_twice_with_a_text() -> None:
    for seed in range(20):
        texts, clips = draw_wrong(VIDEO, 2, torch.Generator().manual_seed(seed))
        assert texts.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
        assert (VIDEO[texts] != VIDEO[clips]).all()
        assert len({*zip(texts.tolist(), clips.tolist(), strict=True)}) == 10


def test_every_other_clip_is_drawn_as_often() -> None:
    source = torch.Generator().manual_seed(0)
    drawn = torch.zeros(5, 5)
    for _ in range(3000):
        texts, clips = draw_wrong(VIDEO, 1, source)
        drawn[texts, clips] += 1
    other = VIDEO[:, None] != VIDEO
    assert (drawn[~other] == 0).all()
    chance = drawn / 3000 * other.sum(dim=1, keepdim=True)
    assert (chance[other] - 1).abs().max() < 0.1


def test_where_there_are_fewer_all_are_taken_and_of_one_video_none() -> None:
    texts, clips = draw_wrong(VIDEO, 9)
    other = (VIDEO[:, None] != VIDEO).nonzero()
    assert {*zip(texts.tolist(), clips.tolist(), strict=True)} == {
        (row, column) for row, column in other.tolist()
    }
    texts, clips = draw_wrong(torch.tensor([4, 4]), 1)
    assert len(texts) == len(clips) == 0


def test_a_draw_comes_from_the_generator_of_torch_unless_another_is_given() -> None:
    torch.manual_seed(5)
    first = draw_wrong(VIDEO, 1)[1]
    torch.manual_seed(5)
    assert torch.equal(draw_wrong(VIDEO, 1)[1], first)
    found = draw_wrong(VIDEO, 1, torch.Generator().manual_seed(5))[1]
    assert torch.equal(found, first)
