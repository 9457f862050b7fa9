"""Every way of compression on models of the package."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from reeltune.compress.prune import planned, prunable
from reeltune.compress.structured import choose, remove_units, zero_units
from reeltune.compress.units import dual_encoding_units
from reeltune.models.dual_encoding import Config
from reeltune.nn.quantize import quantize
from reeltune.registry import find
from reeltune.runs.fewer_units import without_units

TEXTS = ["rain", "a man plays the guitar on a stage", "two dogs"]


def built(name: str, **settings: object) -> Any:
    torch.manual_seed(0)
    config = find("models", name).Config.tiny().model_copy(update=settings)
    return config.build().eval()


def clips(model: Any) -> tuple[torch.Tensor, torch.Tensor]:
    source, mask = torch.Generator().manual_seed(0), torch.tensor([[1, 1, 1], [1, 0, 0]]).bool()
    size = model.pixels.size
    shape = (2, 3, 3, size, size)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=source), mask


@pytest.mark.parametrize("name", ["clip", "vop", "tuned", "dual-encoding"])
@torch.no_grad()
def test_int8_keeps_the_vectors(name: str) -> None:
    model = built(name)
    little = quantize(model)
    assert type(little) is type(model)
    text = little.encode_text(model.tokenize(TEXTS)), model.encode_text(model.tokenize(TEXTS))
    video = little.encode_video(*clips(model)), model.encode_video(*clips(model))
    for ours, theirs in (text, video):
        assert F.cosine_similarity(ours, theirs).min() > 0.999


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("concepts", "video_hidden"), [(5, None), (0, 9)])
@torch.no_grad()
def test_dual_encoding_without_units_is_the_one_with_units_at_zero(
    bidirectional: bool, concepts: int, video_hidden: int | None
) -> None:
    settings = {"concepts": concepts, "video_hidden": video_hidden}
    model = built("dual-encoding", video_bidirectional=bidirectional, **settings)
    groups = dual_encoding_units(model.config)
    assert len(groups) == 1 + bidirectional + 2 + 4 + 3, "directions and kernels"
    kept = choose(model, groups, 0.5)
    small, again = remove_units(model, groups, kept), without_units(model, 0.5)
    zero_units(model, groups, kept)
    features, mask = torch.rand(2, 5, 96), torch.tensor([[1] * 5, [1, 1, 0, 0, 0]]).bool()
    for little in (small, again):
        ours = little.encode_text(model.tokenize(TEXTS)), little.encode_video(features, mask)
        theirs = model.encode_text(model.tokenize(TEXTS)), model.encode_video(features, mask)
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("directions", "amount", "total", "prunable_count"),
    [(2, 0.36, 69_168_604, 65_234_944), (1, 0.22, 57_369_052, 53_438_464)],
)
def test_the_model_of_msrvtt_has_the_published_counts(
    directions: int, amount: float, total: int, prunable_count: int
) -> None:
    with torch.device("meta"):
        model = Config(video_bidirectional=directions == 2).build()
    found = planned(model, amount)
    assert (found.parameters, found.prunable) == (total, prunable_count)
    assert len(prunable(model)) == {2: 19, 1: 17}[directions], "tensors, as the authors list them"
    assert abs(found.nonzeros / 69_168_604 - 0.66) < 0.001
