"""int8 layers that any processor computes exactly: near the layer they replace, and right against
the same sums one by one."""

import copy
import pickle
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from reeltune.nn.int8_narrow import (
    INPUTS,
    WEIGHTS,
    NarrowInt8Linear,
    multiplies_exactly,
    with_narrow_int8,
)


def slow_linear(layer: nn.Linear, x: Tensor) -> Tensor:
    """The layer by its definition, in double precision: weights in 64 levels on either side, and
    each row in 255 levels above its least number."""
    weight, rows = layer.weight.detach(), x.reshape(-1, x.shape[-1])
    scales = weight.abs().amax(1) / WEIGHTS
    rounded = (weight / scales[:, None]).round().double()
    made = []
    for row in rows:
        least, span = row.min(), row.max() - row.min()
        levels = ((row - least) * (INPUTS / span) - 128).round().double() + 128
        read = levels * span.double() / INPUTS + least.double()
        made.append((rounded * scales.double()[:, None]) @ read)
    out = torch.stack(made)
    if layer.bias is not None:
        out = out + layer.bias.detach().double()
    return out.reshape(*x.shape[:-1], -1)


@pytest.fixture(params=["by oneDNN", "without it"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both products; the second is that of builds of torch which lack the first."""
    multiplies_exactly.cache_clear()
    if request.param == "without it":
        monkeypatch.setattr(torch.ops.onednn, "qlinear_prepack", absent)
    elif not multiplies_exactly():
        pytest.skip("oneDNN has no such product here")
    yield
    multiplies_exactly.cache_clear()


def absent(*given: object) -> None:
    """As torch says it."""
    raise NotImplementedError("Could not run 'onednn::qlinear_prepack'")


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (3, 2), (130, 33), (768, 64)])
@pytest.mark.parametrize("bias", [True, False])
def test_it_is_the_rounded_product(inputs: int, outputs: int, bias: bool) -> None:
    layer = nn.Linear(inputs, outputs, bias=bias)
    x = torch.randn(2, 7, inputs) * torch.logspace(-3, 3, 7)[:, None]
    if inputs == 1:
        x = x[..., :1].abs()  # one number is the least and the largest
        assert torch.allclose(NarrowInt8Linear(layer)(x), layer(x), rtol=0.02, atol=1e-4)
        return
    wanted = slow_linear(layer, x)
    size = wanted.abs().amax(-1, keepdim=True).clamp_min(1)
    assert ((NarrowInt8Linear(layer)(x) - wanted).abs() / size).max() < 1e-5


@pytest.mark.usefixtures("way")
def test_the_largest_sums_are_exact() -> None:
    layer = nn.Linear(4096, 8, bias=False)
    layer.weight.data.fill_(1.0)
    layer.weight.data[::2] = -1.0
    x = torch.ones(3, 4096)
    x[:, 0] = 0.0
    wanted = torch.tensor([-4095.0, 4095.0] * 4).expand(3, 8)
    torch.testing.assert_close(NarrowInt8Linear(layer)(x), wanted, rtol=1e-6, atol=0)


@pytest.mark.usefixtures("way")
def test_a_row_depends_on_no_other_row() -> None:
    layer = NarrowInt8Linear(nn.Linear(16, 8))
    x = torch.randn(4, 16)
    x[2] *= 1000
    for row in range(4):
        torch.testing.assert_close(layer(x)[row], layer(x[row]), rtol=1e-6, atol=1e-6)


@pytest.mark.usefixtures("way")
def test_rows_of_one_number_none_and_what_is_not_a_number() -> None:
    whole = nn.Linear(8, 4)
    layer = NarrowInt8Linear(whole)
    flat = torch.full((2, 8), 3.0)
    torch.testing.assert_close(layer(flat), whole(flat).detach(), rtol=0.02, atol=0.1)
    torch.testing.assert_close(layer(torch.zeros(1, 8)), whole.bias.detach()[None])
    assert layer(torch.empty(2, 0, 8)).shape == (2, 0, 4)
    x = torch.randn(3, 8)
    x[1, 2] = float("nan")
    assert layer(x)[1].isnan().all()
    assert layer(x)[[0, 2]].isfinite().all()


@pytest.mark.usefixtures("way")
def test_copies_and_pickles_give_the_same() -> None:
    layer, x = NarrowInt8Linear(nn.Linear(40, 24)), torch.randn(3, 40)
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(again(x), layer(x))
        assert torch.equal(again.rounded, layer.rounded)


def test_only_plain_linear_layers_are_replaced_and_the_original_stays() -> None:
    class Other(nn.Linear):
        """One that might compute otherwise."""

    shared = nn.Linear(4, 4)
    model = nn.Sequential(shared, nn.LayerNorm(4), Other(4, 4), nn.Sequential(shared))
    small = with_narrow_int8(model)
    kinds = [type(one).__name__ for one in small]
    assert kinds == ["NarrowInt8Linear", "LayerNorm", "Other", "Sequential"]
    assert small[3][0] is small[0]
    assert type(model[0]) is nn.Linear
    assert type(with_narrow_int8(shared)) is NarrowInt8Linear
