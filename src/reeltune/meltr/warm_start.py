"""A robust start: MELTR trained to be the plain sum before it may be anything else."""

import torch
from jaxtyping import Float
from torch import Tensor

from reeltune.meltr.transformer import MeltrTransformer


def warm_start(
    combiner: MeltrTransformer,
    typical: Float[Tensor, " T"],
    source: torch.Generator,
    steps: int = 500,
    lr: float = 1e-3,
) -> float:
    """Fit slopes 1 and the value of the sum, for losses from near 0 to twice the `typical` ones.

    The slopes are what the weights of the model are trained by, so they are fitted as well as
    the value. Returns the largest distance of a slope from 1 in the last step.
    """
    typical = typical.detach()
    optimizer = torch.optim.Adam(combiner.parameters(), lr=lr)
    training = combiner.training
    combiner.eval()
    worst = float("inf")
    for step in range(steps):
        share = 2 * torch.rand(len(typical), generator=source, dtype=typical.dtype)
        losses = (share.to(typical.device) * typical).requires_grad_()
        melted = combiner(losses)
        (slopes,) = torch.autograd.grad(melted, losses, create_graph=True)
        miss = ((melted - losses.sum()) / typical.sum()) ** 2 + ((slopes - 1) ** 2).mean()
        optimizer.zero_grad(set_to_none=True)
        miss.backward()
        optimizer.param_groups[0]["lr"] = lr * (1 - step / steps)
        optimizer.step()
        worst = float((slopes.detach() - 1).abs().max())
    optimizer.zero_grad(set_to_none=True)
    combiner.train(training)
    return worst
