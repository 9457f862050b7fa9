"""A GRU over packed rows on a CPU whose gradient costs no more than its steps do.

PyTorch's own form cuts each step out of all rows, and the gradient of every cut is as long as all
rows together: in training, packing costs more than it saves. Here the rows are split once.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence


def unrolled(gru: nn.GRU, packed: PackedSequence) -> PackedSequence:
    """The outputs of a `gru` of one layer, from states of zero."""
    sizes = packed.batch_sizes.tolist()
    endings = ("", "_reverse") if gru.bidirectional else ("",)
    outputs = [_direction(gru, packed.data, sizes, ending) for ending in endings]
    return packed._replace(data=torch.cat(outputs, dim=1))


def _direction(
    gru: nn.GRU, data: Float[Tensor, "R W"], sizes: Sequence[int], ending: str
) -> Float[Tensor, "R H"]:
    """One direction over steps of `sizes` rows, which never grow."""
    into, again, bias, own_bias = (
        getattr(gru, f"{name}_l0{ending}")
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    steps = F.linear(data, into, bias).split(list(sizes))
    order = range(len(sizes))
    hidden = steps[0].new_zeros(0 if ending else sizes[0], gru.hidden_size)  # bfloat16 in autocast
    outputs = [data] * len(sizes)
    for place in reversed(order) if ending else order:
        fresh = max(0, sizes[place] - len(hidden))  # rows whose last item is here
        hidden = F.pad(hidden, (0, 0, 0, fresh)) if fresh else hidden[: sizes[place]]
        hidden = _step(steps[place], F.linear(hidden, again, own_bias), hidden)
        outputs[place] = hidden
    return torch.cat(outputs)


def _step(
    given: Float[Tensor, "B G"], own: Float[Tensor, "B G"], hidden: Float[Tensor, "B H"]
) -> Float[Tensor, "B H"]:
    """r, z = sigma(given + own), n = tanh(given + r own), h = (1 - z) n + z h: torch's gates."""
    reset, update, new = given.chunk(3, dim=1)
    own_reset, own_update, own_new = own.chunk(3, dim=1)
    reset, update = (reset + own_reset).sigmoid(), (update + own_update).sigmoid()
    return torch.lerp(torch.addcmul(new, reset, own_new).tanh(), hidden, update)
