"""A robust start, which first trains MELTR to be the plain sum."""

import torch
from torch import Tensor

from reeltune.errors import ConfigError
from reeltune.meltr.transformer import MeltrTransformer
from reeltune.nn.shapes import Float

POINTS = 32  # values of all losses in a step
LR = 1e-3  # falls to 0


def warm_start(combiner: MeltrTransformer, typical: Float[Tensor, " T"], steps: int = 500) -> None:
    """Fit slopes of 1 and the value of the sum, for losses from near 0 to twice the `typical` ones.

    The slopes are what the weights of the model are trained by, so they are fitted as well as
    the value. The same points are drawn each time, and from no generator of training.

    Errors: `ConfigError` for one without a scale embedding, whose slopes are always 0.
    """
    if not combiner.config.scale:
        raise ConfigError(
            "meltr.warm_start fits the slopes of MELTR, and with sizes.scale=false it has none; "
            "leave warm_start out, or scale as it is"
        )
    typical, source = typical.detach(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(combiner.parameters(), lr=LR)
    sloped = torch.func.vmap(torch.func.grad_and_value(combiner))
    training, shape = combiner.training, (POINTS, len(typical))
    combiner.eval()
    for step in range(steps):
        share = 2 * torch.rand(shape, generator=source).to(typical)
        slopes, melted = sloped(share * typical)
        beside = (melted - (share * typical).sum(1)) / typical.sum()
        miss = beside.square().mean() + (slopes - 1).square().mean()
        optimizer.zero_grad(set_to_none=True)
        miss.backward()
        optimizer.param_groups[0]["lr"] = LR * (1 - step / steps)
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    combiner.train(training)
