"""Layers with int8 weights for a CPU: a scale for each output, and one for each row of input.

Weights are rounded once, inputs at each call to the range of their row. With VNNI or AMX the
product is exact in int32 (`torch._int_mm`: oneDNN). Without, oneDNN takes 10 to 27 times as long as
for floats, and the same integers are multiplied in float32, where sums are exact up to 2^24. For
inference alone: no gradient passes.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int8
from torch import Tensor, nn

LEVELS = 127  # on either side of zero
TINY = torch.finfo(torch.float32).tiny


def round_rows(x: Float[Tensor, "R I"]) -> tuple[Int8[Tensor, "R I"], Float[Tensor, "R 1"]]:
    """Rows in int8, symmetric about zero, and the factor of each."""
    scales = x.abs().amax(dim=1, keepdim=True).clamp_min_(TINY).div_(LEVELS)
    return (x / scales).round_().to(torch.int8), scales


class Int8Matrix(nn.Module):
    """A matrix of (O, I) that rows of length I are multiplied with."""

    weight: Tensor
    scales: Tensor

    def __init__(self, weight: Float[Tensor, "O I"]) -> None:
        super().__init__()
        rounded, scales = round_rows(weight.detach())
        self.register_buffer("weight", rounded)
        self.register_buffer("scales", scales[:, 0].clone())

    @torch.no_grad()
    def forward(self, x: Float[Tensor, "R I"]) -> Float[Tensor, "R O"]:
        """Products of the rows of `x` with the matrix, each row rounded by a scale of its own."""
        if len(x) == 0:
            return x.new_zeros(0, len(self.weight))
        rounded, scales = round_rows(x)
        return self._product(rounded).mul_(scales).mul_(self.scales)

    def _product(self, rounded: Int8[Tensor, "R I"]) -> Float[Tensor, "R O"]:
        if torch.cpu._is_vnni_supported():
            return torch._int_mm(rounded, self.weight.t()).float()
        return rounded.float() @ self.weight.float().t()


class Int8Linear(nn.Module):
    """A linear layer, computed in int8 precision."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.matrix = Int8Matrix(layer.weight)
        self.bias = _copied(layer.bias)

    @property
    def weight(self) -> Float[Tensor, "O I"]:
        """The rounded weight in floats, made anew at each call: some models ask for its dtype."""
        return self.matrix.weight * self.matrix.scales[:, None]

    def forward(self, x: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        """What the linear layer gives, but for rounding."""
        out = self.matrix(x.reshape(-1, x.shape[-1]))
        if self.bias is not None:
            out += self.bias
        return out.reshape(*x.shape[:-1], out.shape[1])


class Int8Conv1d(nn.Module):
    """A convolution of stride 1, computed in int8 precision.

    One product for all offsets of the kernel, whose results are shifted and summed: each input
    row is rounded once, with a scale of its own.
    """

    def __init__(self, layer: nn.Conv1d) -> None:
        super().__init__()
        self.filters, channels, self.kernel = layer.weight.shape
        self.padding = int(layer.padding[0])
        self.matrix = Int8Matrix(layer.weight.permute(2, 0, 1).reshape(-1, channels))
        self.bias = _copied(layer.bias)

    def forward(self, x: Float[Tensor, "B C L"]) -> Float[Tensor, "B O M"]:
        """What the convolution gives, but for rounding; M is L + 2 padding - kernel + 1."""
        batch, channels, length = x.shape
        rows = x.transpose(1, 2).reshape(batch * length, channels)
        parts = self.matrix(rows).view(batch, length, self.kernel, self.filters)
        windows = length + 2 * self.padding - self.kernel + 1  # M
        out = x.new_zeros(batch, windows, self.filters)
        if self.bias is not None:
            out += self.bias
        for offset in range(self.kernel):
            shift = offset - self.padding  # window t reads input t + shift
            first, last = max(0, -shift), min(windows, length - shift)
            if first < last:
                out[:, first:last] += parts[:, first + shift : last + shift, offset]
        return out.transpose(1, 2)


class Direction(nn.Module):
    """One direction of one layer of a GRU or an LSTM."""

    def __init__(self, layer: nn.GRU | nn.LSTM, suffix: str) -> None:
        super().__init__()
        self.input = Int8Matrix(getattr(layer, f"weight_ih_{suffix}"))
        self.state = Int8Matrix(getattr(layer, f"weight_hh_{suffix}"))
        self.input_bias = _copied(getattr(layer, f"bias_ih_{suffix}") if layer.bias else None)
        self.state_bias = _copied(getattr(layer, f"bias_hh_{suffix}") if layer.bias else None)
        self.reverse = suffix.endswith("_reverse")

    def forward(
        self, data: Float[Tensor, "R I"], sizes: Sequence[int], state: tuple[Tensor, ...]
    ) -> tuple[Float[Tensor, "R H"], tuple[Tensor, ...]]:
        """Rows of all steps, one step after another, `sizes` of each; sizes never grow.

        `state` is h, or h and c, (B, H) each; a row that is not part of a step keeps its state.
        """
        gates = self.input(data)
        if self.input_bias is not None:
            gates += self.input_bias
        steps = list(gates.split(list(sizes)))
        outputs: list[Tensor] = [data] * len(steps)
        for place in reversed(range(len(steps))) if self.reverse else range(len(steps)):
            count = len(steps[place])
            new = self._cell(steps[place], tuple(part[:count] for part in state))
            outputs[place] = new[0]
            state = tuple(
                torch.cat([a, b[count:]]) if count < len(b) else a
                for a, b in zip(new, state, strict=True)
            )
        return torch.cat(outputs), state

    def _cell(self, given: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        own = self.state(state[0])
        if self.state_bias is not None:
            own += self.state_bias
        return _lstm(given, own, state[1]) if len(state) == 2 else _gru(given, own, state[0])


def _gru(given: Tensor, own: Tensor, hidden: Tensor) -> tuple[Tensor]:
    """r, z = sigma(..), n = tanh(given + r own), h = (1 - z) n + z h; gates in torch's order."""
    width = hidden.shape[1]
    reset, update = (given[:, : 2 * width] + own[:, : 2 * width]).sigmoid_().chunk(2, dim=1)
    new = torch.addcmul(given[:, 2 * width :], reset, own[:, 2 * width :]).tanh_()
    return (torch.lerp(new, hidden, update),)


def _lstm(given: Tensor, own: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """c = f c + i g, h = o tanh(c); gates in torch's order."""
    into, forget, new, out = (given + own).chunk(4, dim=1)
    cell = forget.sigmoid() * cell + into.sigmoid() * new.tanh()
    return out.sigmoid() * cell.tanh(), cell


def _copied(weight: Tensor | None) -> nn.Parameter | None:
    return None if weight is None else nn.Parameter(weight.detach().clone(), requires_grad=False)
