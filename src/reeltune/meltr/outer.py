"""Sources of the batch that judges: held-out data, or recent training batches."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from reeltune.errors import ConfigError, DataError
from reeltune.types import Batch, Tokens

Epoch = Callable[[int, int], Iterable[Batch]]  # batches of an epoch from one on, as `Loader.epoch`


@runtime_checkable
class Outer(Protocol):
    """Gives the batch on which the primary loss judges MELTR; `see` shows it each training
    batch."""

    def see(self, batch: Batch) -> None:
        """Be shown the batch on which the model is trained next."""
        ...

    def draw(self) -> Batch:
        """The batch on which to judge."""
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """What a resumed run must have again."""
        ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from such a state."""
        ...


class HeldOut:
    """Batches of a split that is not trained on, epoch after epoch."""

    def __init__(self, epoch: Epoch) -> None:
        if not callable(epoch):
            raise ConfigError(
                f"HeldOut got a {type(epoch).__name__}; give it a function of an epoch and of the "
                "first batch wanted, which returns the batches from there on, such as Loader.epoch"
            )
        self._epoch_of, self._epoch, self._batch = epoch, 0, 0
        self._open: Iterator[Batch] | None = None

    def see(self, batch: Batch) -> None:
        """Ignore the training batch."""

    def draw(self) -> Batch:
        """The next batch; raises DataError if an epoch has none."""
        for _ in range(2):
            if self._open is None:
                self._open = self._begun()
            batch = next(self._open, None)
            if batch is not None:
                self._batch += 1
                return batch
            self._epoch, self._batch, self._open = self._epoch + 1, 0, None
        raise DataError(
            "the held-out split fills no batch for meltr's outer step; give it more pairs or "
            "a smaller batch"
        )

    def _begun(self) -> Iterator[Batch]:
        found: Any = self._epoch_of(self._epoch, self._batch)
        if not isinstance(found, Iterable):
            raise ConfigError(
                f"the function that HeldOut got returned a {type(found).__name__}; return the "
                "batches of the epoch, such as iter([batch])"
            )
        return iter(found)

    def state_dict(self) -> dict[str, Tensor]:
        return {"epoch": torch.tensor(self._epoch), "batch": torch.tensor(self._batch)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self._epoch, self._batch = int(state["epoch"]), int(state["batch"])
        self._open = None


class Recent:
    """One of the last training batches, each with the same chance, as in the released code.

    They are kept on the CPU, and are part of the state of a run. With several processes, each
    has its own; a resumed run gives all of them those of the process that wrote the state.
    """

    def __init__(self, size: int = 10) -> None:
        self._size, self.batches = size, list[Batch]()

    def see(self, batch: Batch) -> None:
        if self._size > 0:
            self.batches = [*self.batches[-self._size + 1 :], _on_cpu(batch)][-self._size :]

    def draw(self) -> Batch:
        """One of the batches; raises DataError before the first was seen."""
        if not self.batches:
            raise DataError("no training batch was seen yet; see one before drawing")
        return self.batches[int(torch.randint(len(self.batches), ()))]

    def state_dict(self) -> dict[str, Tensor]:
        return {
            f"{number}/{name}": tensor
            for number, batch in enumerate(self.batches)
            for name, tensor in _tensors(batch).items()
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        parts: dict[int, dict[str, Tensor]] = {}
        for key, tensor in state.items():
            number, name = key.split("/", 1)
            parts.setdefault(int(number), {})[name] = tensor
        self.batches = [_batch(parts[number]) for number in sorted(parts)]


def _tensors(batch: Batch) -> dict[str, Tensor]:
    plain = {"frames": batch.frames, "mask": batch.mask, "video": batch.video}
    tokens = {"tokens/ids": batch.tokens.ids, "tokens/mask": batch.tokens.mask}
    return plain | tokens | {f"targets/{name}": t for name, t in batch.targets.items()}


def _batch(tensors: Mapping[str, Tensor]) -> Batch:
    targets = {
        name.removeprefix("targets/"): tensor
        for name, tensor in tensors.items()
        if name.startswith("targets/")
    }
    tokens = Tokens(tensors["tokens/ids"], tensors["tokens/mask"])
    return Batch(tensors["frames"], tensors["mask"], tokens, tensors["video"], targets)


def _on_cpu(batch: Batch) -> Batch:
    return _batch({name: tensor.cpu() for name, tensor in _tensors(batch).items()})
