"""Video Swin against its definition, place by place, and the cutting of windows by itself."""

import pytest
import torch
from torch import Tensor

from oracles.slow_swin import Box, slow_attention, slow_swin, window_of
from reeltune.models._violet.swin import PATCH, SwinSizes, VideoSwin, WindowAttention
from reeltune.models._violet.windows import Windows
from reeltune.nn.attention_mask import additive

pytestmark = pytest.mark.usefixtures("one_thread")
EXACT = {"atol": 1e-12, "rtol": 1e-10}


def randomized(module: torch.nn.Module) -> torch.nn.Module:
    """With weights large enough that every path counts, biases and norms included."""
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(torch.randn(weight.shape, generator=source) * 0.4)
    return module.double().eval()


def swin(window: int = 3) -> VideoSwin:
    sizes = SwinSizes(width=8, depths=(2, 2), heads=(2, 4), window=window)
    found = randomized(VideoSwin(sizes))
    assert isinstance(found, VideoSwin)
    return found


def clips(side: int = 6 * PATCH) -> Tensor:
    source = torch.Generator().manual_seed(1)
    return torch.randn(2, 3, 3, side, side, generator=source, dtype=torch.float64)


@torch.no_grad()
@pytest.mark.parametrize("window", [2, 3, 4, 7], ids=lambda w: f"window {w}")
def test_it_is_the_network_of_its_definition(window: int) -> None:
    """Windows that fit, that reach over the end, and that cover all; shifted in every second
    block."""
    network, frames = swin(window), clips()
    found = network(frames, torch.ones(2, 3, dtype=torch.bool))
    for row, clip in zip(found, frames, strict=True):
        torch.testing.assert_close(row, slow_swin(network, clip, [True] * 3), **EXACT)


@torch.no_grad()
@pytest.mark.parametrize("real", [[True, True, False], [True, False, True], [True, False, False]])
def test_frames_that_are_hidden_are_black_and_nobody_attends_to_them(real: list[bool]) -> None:
    network, frames = swin(), clips()
    found = network(frames, torch.tensor([real, [True] * 3]))
    wanted = slow_swin(network, frames[0], real)
    torch.testing.assert_close(found[0][torch.tensor(real)], wanted[torch.tensor(real)], **EXACT)
    alone = network(frames[1:], torch.ones(1, 3, dtype=torch.bool))
    torch.testing.assert_close(found[1:], alone, **EXACT)


@torch.no_grad()
@pytest.mark.parametrize("size", [(5, 4, 6), (4, 7, 3), (2, 5, 5), (7, 2, 2)])
@pytest.mark.parametrize("shifted", [False, True])
def test_windows_are_shifted_in_time_too_where_a_video_is_longer(size: Box, shifted: bool) -> None:
    largest = (4, 3, 3)
    attention = randomized(WindowAttention(8, 2, largest))
    source = torch.Generator().manual_seed(2)
    video = torch.randn(1, *size, 8, generator=source, dtype=torch.float64)
    real = [place != 1 for place in range(size[0])]
    windows = Windows.over(size, largest, shifted)
    mask = additive(windows.allowed(torch.tensor([real])), video)
    found = windows.join(attention(windows.cut(video), mask, windows.window))[0]
    wanted = slow_attention(attention, video[0], largest, shifted, real)
    there = torch.tensor(real)
    torch.testing.assert_close(found[there], wanted[there], **EXACT)


@pytest.mark.parametrize("size", [(5, 4, 6), (4, 7, 3), (1, 3, 3)])
@pytest.mark.parametrize("shifted", [False, True])
def test_cut_windows_join_to_the_same_video(size: Box, shifted: bool) -> None:
    windows = Windows.over(size, (4, 3, 3), shifted)
    video = torch.arange(2 * 5 * size[0] * size[1] * size[2]).view(2, *size, 5)
    assert windows.join(windows.cut(video)).equal(video)


def test_places_that_may_see_each_other_are_in_one_window() -> None:
    size, largest = (5, 4, 7), (4, 3, 3)
    windows = Windows.over(size, largest, shifted=True)
    places = torch.stack(torch.meshgrid(*map(torch.arange, size), indexing="ij"), dim=-1)
    cut = windows.cut(places[None] + 1) - 1  # -1 where a window is filled
    allowed = windows.allowed(torch.ones(1, 5, dtype=torch.bool))
    assert allowed.shape == (windows.count[0] * windows.count[1] * windows.count[2], 36, 36)
    together = 0
    for window, sees in zip(cut.tolist(), allowed.tolist(), strict=True):
        for asking, row in zip(window, sees, strict=True):
            for place, seen in zip(window, row, strict=True):
                if min(asking) < 0:
                    continue
                same = window_of(asking, size, largest, True) == window_of(
                    place, size, largest, True
                )
                assert seen == (min(place) >= 0 and same)
                together += seen
    assert together > 5 * 4 * 7, "places see more than themselves"


def test_blocks_are_skipped_for_whole_clips_by_their_chance_and_the_rest_makes_up_for_it() -> None:
    network = swin().train()
    for stage in network.layers:
        assert [round(block.skip, 3) for block in stage.blocks] == (
            [0, 0.067] if stage is network.layers[0] else [0.133, 0.2]
        )
    block = network.layers[1].blocks[1]
    change = torch.ones(4000, 1, 1, 1, 1, dtype=torch.float64)
    torch.manual_seed(0)
    kept = block._some(change)
    assert set(kept.unique().tolist()) == {0.0, 1.25}
    assert float(kept.mean()) == pytest.approx(1, abs=0.03)
    assert network.eval().layers[1].blocks[1]._some(change).equal(change)


def test_the_first_derivatives_are_those_of_differences() -> None:
    """The table of biases has some too, though it stands in the mask of attention."""
    network = swin(2)
    seen = torch.tensor([[True, True, False]])
    video = clips(2 * 2 * PATCH)[:1]

    def summed(table: Tensor) -> Tensor:
        name = "layers.0.blocks.1.attn.relative_position_bias_table"
        found = torch.func.functional_call(network, {name: table}, (video, seen))
        return found[:, :2].sin().sum()

    table = network.layers[0].blocks[1].attn.relative_position_bias_table
    torch.autograd.gradcheck(summed, table.detach().clone().requires_grad_(), fast_mode=True)
