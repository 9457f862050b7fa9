"""The network of ALPRO: counts, divided attention against a slow version, halves and crops."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from oracles.slow_timesformer import slow_clip
from reeltune.errors import ConfigError
from reeltune.models._alpro.crops import draw_crops, in_pixels, on_black
from reeltune.models._alpro.network import Network, Sizes
from reeltune.models._alpro.timesformer import TimeSformer, VideoSizes, times_of
from reeltune.models._vit.layers import DropPath

CLOSE = {"atol": 1e-10, "rtol": 1e-9}
SMALL = VideoSizes(width=8, layers=2, heads=2, image=6, patch=2, frames=4, drop_path=0.0)
pytestmark = pytest.mark.usefixtures("one_thread")


def spread_out(module: nn.Module) -> nn.Module:
    """With weights of the size of 1, biases and norms included, so that nothing is 0 by chance."""
    source = torch.Generator().manual_seed(0)
    for weight in module.parameters():
        weight.data = 0.5 * torch.randn(weight.shape, generator=source, dtype=torch.float64)
    return module.double().eval()


def video_encoder() -> TimeSformer:
    model = spread_out(TimeSformer(SMALL))
    assert isinstance(model, TimeSformer)
    return model


def network(**changes: int) -> Network:
    built = Network(Sizes(SMALL, vocabulary=20, layers=3, fusion=1, positions=9, dim=6, **changes))
    spread_out(built)
    built.temp.data.fill_(0.07)
    return built


def clips(lengths: list[int]) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(1)
    shape = (len(lengths), max(lengths), 3, SMALL.image, SMALL.image)
    frames = torch.randn(shape, generator=source, dtype=torch.float64)
    return frames, torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def texts(lengths: list[int]) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(2)
    ids = torch.randint(5, 20, (len(lengths), max(lengths)), generator=source)
    return ids, torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def test_the_released_sizes_have_the_released_counts() -> None:
    with torch.device("meta"):
        whole = Network(Sizes())
        asked = Network(Sizes(entities=1000, answers=2423))
    parts = {
        "visual_encoder": 121_258_752,
        "text_encoder": 108_891_648 + 622_650,  # BERT, and the head over words beside its table
        "vision_proj": 196_864,
        "text_proj": 196_864,
        "itm_head": 1_538,
    }
    for name, count in parts.items():
        assert sum(w.numel() for w in getattr(whole, name).parameters()) == count, name
    assert sum(weight.numel() for weight in whole.parameters()) == sum(parts.values()) + 1
    assert sum(weight.numel() for weight in whole.parameters()) == 231_168_317
    heads = {"mpm_head": 768 * 1536 + 1536 + 1536 * 1000 + 1000}
    heads["classifier"] = 768 * 1536 + 1536 + 1536 * 2423 + 2423
    for name, count in heads.items():
        assert sum(w.numel() for w in getattr(asked, name).parameters()) == count, name


def test_divided_attention_equals_its_slow_version_with_hidden_frames_anywhere() -> None:
    model = video_encoder()
    frames, mask = clips([5, 1, 3])
    mask[2] = torch.tensor([True, False, True, False, True])  # hidden ones need not be last
    with torch.no_grad():
        found = model(frames, mask)
        for row, real in enumerate(mask):
            torch.testing.assert_close(found[row], slow_clip(model, frames[row, real]), **CLOSE)
    assert found.std() > 0.1


def test_hidden_frames_and_padding_change_nothing() -> None:
    model = video_encoder()
    frames, mask = clips([4, 2])
    with torch.no_grad():
        found = model(frames, mask)
        noise = torch.where(mask[:, :, None, None, None], frames, 100 - frames)
        torch.testing.assert_close(model(noise, mask), found, **CLOSE)
        alone = model(frames[1:, :2], mask[1:, :2])
        torch.testing.assert_close(found[1:], alone, **CLOSE)


def test_time_matters_and_so_does_each_frame() -> None:
    model = video_encoder()
    frames, mask = clips([4])
    with torch.no_grad():
        found = model(frames, mask)
        assert (model(frames.flip(1), mask) - found).abs().max() > 0.01


@pytest.mark.parametrize("rows", [4, 8])
@pytest.mark.parametrize("length", [1, 3, 4, 5, 7, 16])
def test_the_table_of_times_is_stretched_as_torch_interpolates(rows: int, length: int) -> None:
    table = torch.arange(float(rows))[None, None]
    wanted = F.interpolate(table, size=length, mode="nearest")[0, 0]
    assert times_of(torch.ones(1, length, dtype=torch.bool), rows)[0].tolist() == wanted.tolist()


def test_paths_are_left_out_row_by_row_and_the_mean_stays() -> None:
    drop, states = DropPath(0.25).train(), torch.ones(20_000, 3)
    torch.manual_seed(0)
    found = drop(states)
    assert ((found == 0).all(dim=1) | torch.isclose(found, torch.tensor(4 / 3)).all(dim=1)).all()
    assert float(found.mean()) == pytest.approx(1.0, abs=0.02)
    assert torch.equal(drop.eval()(states), states)


def test_the_first_block_alone_begins_with_time() -> None:
    """As the release begins: the residual along time of the other blocks is 0."""
    model = Network(Sizes(SMALL, vocabulary=20, layers=2, fusion=1)).visual_encoder.model
    weights = [block.get_parameter("temporal_fc.weight").abs().max() for block in model.blocks]
    assert [bool(weight > 0) for weight in weights] == [True, False]


def test_the_first_fused_state_needs_no_other_of_the_last_layer() -> None:
    model = network()
    frames, shown = clips([3, 1])
    with torch.no_grad():
        text, video = model.read_text(*texts([6, 4])), model.read_video(frames, shown)
        whole = model.text_encoder.fuse(text, video)
        torch.testing.assert_close(model.text_encoder.fuse_first(text, video), whole[:, 0], **CLOSE)
    assert whole.shape == (2, 6 + 1 + 9, 8)


def test_every_weight_gets_a_gradient_that_is_not_zero() -> None:
    """The release's own checkpointing of activations trains none of TimeSformer's attention."""
    model = network(entities=3, answers=2)
    assert model.mpm_head is not None
    assert model.classifier is not None
    frames, shown = clips([3, 2])
    text, video = model.read_text(*texts([6, 4])), model.read_video(frames, shown)
    fused = model.text_encoder.fuse(text, video)
    found = [
        model.text_vectors(text) @ model.video_vectors(video).T / model.temperature,
        model.matching(fused[:, 0]),
        model.text_encoder.cls(fused[:, :6]),
        model.mpm_head(fused[:, 7:].mean(dim=1)),
        model.classifier(fused[:, 0]),
    ]
    sum((one.sin()).sum() for one in found).backward()  # type: ignore[union-attr]
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().max() > 0, name


def test_the_temperature_stays_within_the_bounds_of_the_release() -> None:
    model = network()
    found = []
    for value in (0.0, 0.07, 3.0):
        model.temp.data.fill_(value)
        found.append(float(model.temperature.detach()))
    assert found == pytest.approx([0.001, 0.07, 0.5])


def test_crops_are_rectangles_of_the_wanted_sizes() -> None:
    torch.manual_seed(0)
    inside = draw_crops(300, 14)
    areas, places = set(), set()
    for clip in inside:
        rows, columns = clip.any(dim=1).nonzero(), clip.any(dim=0).nonzero()
        height, width = len(rows), len(columns)
        assert int(clip.sum()) == height * width, "a rectangle, with no hole"
        assert int(rows[-1] - rows[0]) == height - 1
        areas.add(height * width / 14**2)
        places.add((int(rows[0]), int(columns[0])))
    assert 0.15 < min(areas) < max(areas) <= 0.5
    assert len(places) > 50
    assert draw_crops(20, 2).sum(dim=(1, 2)).min() >= 1
    with pytest.raises(ConfigError, match=r"no crop fits in 0 x 0 patches; make config\.patch"):
        draw_crops(1, 0)


def test_what_is_outside_of_a_crop_is_black() -> None:
    frames = torch.full((2, 3, 3, 8, 8), 200, dtype=torch.uint8)
    inside = torch.zeros(2, 2, 2, dtype=torch.bool)
    inside[0, 0, 1] = inside[1, 1, 0] = True
    shown = on_black(frames, in_pixels(inside, 4))
    assert shown.dtype == torch.uint8
    assert (shown[0, :, :, :4, 4:] == 200).all()
    assert (shown[1, :, :, 4:, :4] == 200).all()
    assert int(shown.count_nonzero()) == 2 * 3 * 3 * 16
