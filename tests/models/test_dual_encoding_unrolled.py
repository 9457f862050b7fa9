"""The GRU of training on a CPU: torch's own GRU is the oracle."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from reeltune.models._dual_encoding._levels import Levels
from reeltune.models._dual_encoding._unrolled import unrolled


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("lengths", [[5, 2, 4, 4], [1], [3, 3], [1, 6, 1]])
def test_outputs_and_gradients_are_those_of_torch(both: bool, lengths: list[int]) -> None:
    torch.manual_seed(0)
    gru = nn.GRU(3, 4, batch_first=True, bidirectional=both).double()
    rows = torch.randn(len(lengths), max(lengths), 3, dtype=torch.float64, requires_grad=True)
    found = []
    for way in (lambda p: gru(p)[0], lambda p: unrolled(gru, p)):
        packed = pack_padded_sequence(rows, torch.tensor(lengths), True, enforce_sorted=False)
        outputs: PackedSequence = way(packed)
        loss = (outputs.data * torch.arange(outputs.data.numel()).view_as(outputs.data)).sum()
        found.append((outputs.data, *torch.autograd.grad(loss, [rows, *gru.parameters()])))
    for theirs, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("both", [False, True])
def test_training_and_inference_agree(both: bool) -> None:
    """With a gradient steps are unrolled, without it torch's GRU runs."""
    torch.manual_seed(0)
    levels = Levels(3, 4, both, (2, 3), 5, 0.0, "nothing").double()
    rows, lengths = torch.randn(3, 6, 3, dtype=torch.float64), torch.tensor([4, 6, 1])
    with torch.no_grad():
        plain = levels(rows, lengths)
    torch.testing.assert_close(levels(rows, lengths), plain, rtol=1e-12, atol=1e-12)
    alone = levels(rows[2:, :1], lengths[2:])
    torch.testing.assert_close(alone[0], plain[2], rtol=1e-12, atol=1e-12)
