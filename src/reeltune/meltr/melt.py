"""MELTR for anybody's loop: any module, any function of its losses, any batches."""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reeltune.errors import ConfigError, DataError
from reeltune.meltr.combiner import Total, ordered
from reeltune.meltr.diary import Diary
from reeltune.meltr.losses import Function, called, lowered_to, read, require_whole
from reeltune.meltr.modes import MODES, settings_of
from reeltune.meltr.outer import HeldOut, Outer
from reeltune.meltr.scheme import Scheme, scheme_of
from reeltune.meltr.settings import Settings
from reeltune.meltr.step import Meltr, reads_all, tasks_in
from reeltune.meltr.transformer import Config
from reeltune.nn.draw import Draw
from reeltune.objectives.named import device_of, scalars

LOGGED = "logged"  # in a state: how many batches the log has


class Melt:
    """Melts the losses of a model into one, and learns how from data that judge it.

    In each step of the optimizer either call `step(batch)`, which adds gradients to the weights; or
    call `melt(losses)`, go backward from it yourself, and call `update(batch)`. The names of the
    losses are those of the first ones; MELTR is made when they are known.

    model: the module whose weights are trained; it may be wrapped by DistributedDataParallel or
        compiled.
    losses: a function of the model and a batch, which returns a dict of scalar losses by name. It
        uses the model that it is given, and no other: meta steps give it the module within.
    primary: the name of the loss that counts in the end.
    judge_on: batches that are not trained on, such as a list or a DataLoader, or an `Outer`.
    scheme: how MELTR's gradient is computed: a name of meltr/schemes, or a `Scheme`.
    mode: how MELTR starts and is taught, a name of `MODES`.
    combiner: what melts in the place of a transformer, such as a `LinearCombiner`.
    primary_loss: a function of the model and a batch, which returns the primary loss alone, where
        that is less work than all `losses`. Without a regulariser (gamma=0), or with one on the
        training batch (regularise="lower"), no other loss of the batch that judges is read.
    settings: those of `Settings` that differ from the mode's, such as every=5.

    `facts` has the last losses, and how strongly each was trained. With several processes each
    calls what the others call, as often; losses are means over them.
    """

    def __init__(
        self,
        model: nn.Module,
        losses: Callable[[Any, Any], Any],
        primary: str,
        judge_on: Iterable[Any] | Callable[[int, int], Iterable[Any]] | Outer,
        scheme: str | Scheme = "aid-fp-lite",
        mode: str = "residual",
        combiner: nn.Module | None = None,
        primary_loss: Callable[[Any, Any], Tensor] | None = None,
        **settings: Any,
    ) -> None:
        if not callable(losses):
            raise ConfigError(
                f"the losses of Melt are a {type(losses).__name__}; give a function of the model "
                "and a batch, which returns a dict of losses by name"
            )
        if not any(weight.requires_grad for weight in model.parameters()):
            raise ConfigError(
                f"{type(model).__name__} has no weight that is trained; give Melt the module "
                "whose weights the optimizer moves"
            )
        require_whole(model)
        self.model, self.losses, self.primary = model, losses, primary
        self.outer = judge_on if isinstance(judge_on, Outer) else HeldOut(judge_on)
        self.scheme, self.settings = scheme_of(scheme), settings_of(mode, settings)
        self._sizes, self._given = MODES[mode].sizes, combiner
        self._alone = _named(primary, primary_loss, self.settings)
        self._step: Meltr | None = None  # until the losses have names
        self._diary: Diary | None = None
        self._logged: int | None = None  # batches, when the state was taken that was loaded

    @property
    def combiner(self) -> nn.Module:
        """What melts; raises ConfigError before the first losses."""
        return self._made.combiner

    @property
    def facts(self) -> dict[str, float]:
        """`loss`, the melted one; each loss by its name, its slope by `slope NAME`; and of the
        last meta step `meta loss` and `meta gradient`."""
        return self._step.facts | self._step.teacher.said if self._step else {}

    def __call__(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The melted loss; backward from it weights each loss by its slope.

        Errors: `ConfigError` for what is no dict of scalars, `DataError` for one that is not
        finite, or that has other names than the first.
        """
        found = scalars(losses, called(self.model, self.losses))
        step = self._step or self._make(tuple(found), next(iter(found.values())))
        melted = step.melted(ordered(found, step.tasks))
        _require_finite(step)
        return melted

    def step(self, batch: Any, share: float = 1.0) -> dict[str, float]:
        """Add to the weights' gradients those of the melted loss of a batch, which is `share` of a
        step of the optimizer; before it, move MELTR if that is due. Returns `facts`."""
        _require_share(share)
        if self._step is None:
            lowered = lowered_to(self.settings.precision, self.model)
            melted = self(read(self.model, batch, self.losses, lowered))
            (share * melted).backward()
            return self._told(self._made.passed(batch, share))
        facts = self._step(batch, share)
        _require_finite(self._step)
        return self._told(facts)

    def update(self, batch: Any, share: float = 1.0) -> dict[str, float]:
        """Say that a batch was trained on, as `share` of a step of the optimizer, and move MELTR
        if that is due, which does not touch the gradients of the weights. Returns `facts`."""
        _require_share(share)
        return self._told(self._made.update(batch, share))

    def log(self, folder: Path | str) -> None:
        """Keep a log in `folder` from now on, for `reeltune losses FOLDER`: a line for each batch.
        Each further call ends an epoch of it, and keeps MELTR as it is then. After
        `load_state_dict` a log that is there goes on from where the state was taken."""
        if self._diary is None or self._diary.folder != Path(folder):
            self._diary, self._logged = Diary(Path(folder), self.primary, self._logged), None
        else:
            self._diary.end_epoch(self._made.combiner)

    def _told(self, facts: dict[str, float]) -> dict[str, float]:
        if self._diary is not None:
            self._diary.step(facts)
        return facts

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that resuming needs, as flat tensors: for torch.save or safetensors."""
        if self._step is None:
            return {}
        logged = {} if self._diary is None else {LOGGED: torch.tensor(self._diary.steps)}
        return self._step.state_dict() | logged

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on where `state_dict` was taken; raises CheckpointError if it does not fit."""
        if state:
            # A plain sum has no parameters, and is in whatever precision its losses have.
            phi = [tensor for name, tensor in state.items() if name.startswith("phi/")]
            step = self._step or self._make(tasks_in(state), [*phi, torch.zeros(())][0])
            step.load_state_dict(state)
            self._logged = int(state[LOGGED]) if LOGGED in state else None
            if self._diary is not None and self._logged is not None:
                self._diary.go_back(self._logged)
                self._logged = None

    @property
    def _made(self) -> Meltr:
        if self._step is None:
            raise ConfigError(
                "Melt does not know the names of the losses yet; call melt.step(batch) or "
                "melt(losses) first"
            )
        return self._step

    def _make(self, tasks: tuple[str, ...], like: Tensor) -> Meltr:
        """MELTR for these losses, in the precision of one of them; what is drawn for its weights
        is not missed by training."""
        device = device_of(self.model)
        with Draw(device).again():
            if self._given is not None:
                combiner = self._given
            elif self.scheme.batches:
                combiner = Config(tasks=tasks, **self._sizes).build()
            else:
                combiner = Total(tasks)
        self._step = Meltr(
            self.model,
            combiner.to(device, like.dtype),
            self.scheme,
            self.outer,
            self.settings,
            self.losses,
            self.primary,
            self._alone,
        )
        return self._step


def _named(
    primary: str, primary_loss: Callable[[Any, Any], Tensor] | None, settings: Settings
) -> Function | None:
    """The function that returns the primary loss alone, under its name.

    Errors: `ConfigError` where nothing would call it.
    """
    if primary_loss is None:
        return None
    if reads_all(settings):
        raise ConfigError(
            f'Melt got primary_loss, and gamma={settings.gamma:g} with regularise="upper" reads '
            'all losses of the batch that judges; give gamma=0 or regularise="lower", or leave '
            "primary_loss out"
        )

    @wraps(primary_loss)
    def named(model: Any, batch: Any) -> dict[str, Tensor]:
        return {primary: primary_loss(model, batch)}

    return named


def _require_share(share: float) -> None:
    if not 0 < share <= 1:
        raise ConfigError(
            f"share is {share:g}, and a batch is a share of a step of the optimizer, above 0 and "
            "at most 1; give 1 / N where N batches make a step"
        )


def _require_finite(step: Meltr) -> None:
    for task in step.tasks:
        if not math.isfinite(step.facts[task]):
            raise DataError(
                f"the loss {task} is {step.facts[task]}; look for what is not finite in the batch, "
                "lower the learning rate, or train in float32"
            )
    if not step.is_finite():
        slopes = ", ".join(f"{step.facts[f'slope {task}']:g} for {task}" for task in step.tasks)
        raise DataError(
            f"MELTR makes {step.facts['loss']:g} of finite losses, with slopes of {slopes}; lower "
            "its lr, or the learning rate"
        )
