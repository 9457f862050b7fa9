"""MELTR among the scalarizers of torchjd, an extra: `pip install 'reeltune[torchjd]'`.

from reeltune.meltr.torchjd import MELTR

scalarizer = MELTR(3, primary=0)
loss = scalarizer(losses)
loss.backward()
optimizer.step()
if step % 3 == 0:
    scalarizer.update(model, compute_losses, batch, held_out)

Here `losses` are three in a tensor, and `compute_losses(model, batch)` returns such a tensor.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchjd import Stateful
from torchjd.scalarization import Scalarizer

from reeltune.errors import ConfigError
from reeltune.meltr.hypergradient import Problem
from reeltune.meltr.losses import Losses, lowered_to, require_whole, unwrapped
from reeltune.meltr.modes import MODES, settings_of
from reeltune.meltr.ranks import same_on_all_ranks
from reeltune.meltr.scheme import Scheme, scheme_of
from reeltune.meltr.teacher import Teacher
from reeltune.meltr.transformer import Config
from reeltune.nn.draw import Draw
from reeltune.nn.tree import device_in, on_device


class MELTR(Scalarizer, Stateful):
    """Melts values of any shape into one by a small transformer, which `update` teaches.

    shape: that of the values; a number is that of their only dimension.
    primary: the place, in the flattened values, of the one that counts in the end.
    scheme, mode and settings are those of `reeltune.meltr.Melt`. The parameters are moved by an
    Adam of its own: leave them out of the optimizer of the model.
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        primary: int = 0,
        scheme: str | Scheme = "aid-fp-lite",
        mode: str = "residual",
        **settings: Any,
    ) -> None:
        super().__init__()
        self.shape = torch.Size([shape] if isinstance(shape, int) else shape)
        count = math.prod(self.shape)
        if not 0 <= primary < count:
            raise ConfigError(
                f"MELTR's primary is {primary}, and the places of its {count} values are 0 to "
                f"{count - 1}; give one of them"
            )
        self.settings, self.scheme = settings_of(mode, settings), scheme_of(scheme)
        if not self.scheme.batches:
            raise ConfigError(
                f"MELTR learns, and the scheme {self.scheme.name} does not; take another, or "
                "torchjd.scalarization.Sum"
            )
        self.tasks, self.primary = tuple(map(str, range(count))), str(primary)
        self._sizes = MODES[mode].sizes
        self.combiner: nn.Module = self._fresh()
        self._teacher: Teacher | None = None  # until it is known where the parameters are
        self._seen: list[Any] = []  # batches, for schemes that read several

    def forward(self, values: Tensor, /) -> Tensor:
        """The melted value, a scalar; its derivatives by the values are MELTR's slopes."""
        if values.shape != self.shape:
            raise ConfigError(
                f"MELTR melts values of shape {tuple(self.shape)}, and got {tuple(values.shape)}; "
                "give losses of that shape, or make MELTR for these"
            )
        return self.combiner(values.flatten())

    def update(
        self, model: nn.Module, losses: Callable[[Any, Any], Tensor], batch: Any, held_out: Any
    ) -> dict[str, float]:
        """Learn at the model's weights from a training batch, judged by a held-out one.

        `losses(model, batch)` returns values of `shape`. Gradients of the weights stay as they
        are. Returns the primary loss on the held-out batch and the norm of the hypergradient.
        """
        require_whole(model)

        def named(model: Any, batch: Any) -> dict[str, Tensor]:
            return dict(zip(self.tasks, losses(model, batch).flatten(), strict=True))

        lowered, device = lowered_to(self.settings.precision, model), device_in(batch)
        self._seen = [*self._seen, batch][-self.scheme.batches :]
        lower = (self._seen * self.scheme.batches)[-self.scheme.batches :]
        kind = next(model.parameters()).device
        with torch.autocast(kind.type, enabled=False), Draw(kind).again():
            problem = Problem(
                weights={n: w for n, w in unwrapped(model).named_parameters() if w.requires_grad},
                combiner=self.combiner,
                lower=[Losses(model, one, self.tasks, lowered, None, named) for one in lower],
                upper=Losses(model, on_device(held_out, device), self.tasks, lowered, None, named),
                primary=self.primary,
                gamma=self.settings.gamma,
                regularise=self.settings.regularise,
                direct_term=self.settings.direct_term,
                along=self.settings.along,
                curved=self.settings.curved,
            )
            self.teacher(problem)
        return self.teacher.said

    @property
    def teacher(self) -> Teacher:
        """What moves the parameters, made where these are."""
        if self._teacher is None:
            same_on_all_ranks(self.combiner)
            self._teacher = Teacher(self.combiner, self.scheme, self.settings)
        return self._teacher

    def reset(self) -> None:
        """Begin anew with other random weights, and forget what was learned."""
        before = next(self.combiner.parameters())
        self.combiner = self._fresh().to(before.device, before.dtype)
        self._teacher, self._seen = None, []

    def _fresh(self) -> nn.Module:
        return Config(tasks=self.tasks, **self._sizes).build().train(self.settings.dropout)

    def train(self, mode: bool = True) -> "MELTR":
        """Dropout in MELTR follows its settings, in training and outside."""
        super().train(mode)
        self.combiner.train(mode and self.settings.dropout)
        return self
