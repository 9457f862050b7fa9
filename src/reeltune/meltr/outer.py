"""Sources of the batch that judges: held-out data, or recent training batches."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.nn.tree import device_in, mapped, on_device, pack, unpack
from reeltune.ranks.ranks import ALONE, everyone, sharing

Epoch = Callable[[int, int], Iterable[Any]]  # batches of an epoch from one on, as `Loader.epoch`


@runtime_checkable
class Outer(Protocol):
    """Gives the batch on which the primary loss judges MELTR; `see` shows it each training
    batch. A batch is any tree of tensors (`nn.tree`)."""

    def see(self, batch: Any) -> None:
        """Be shown the batch on which the model is trained next."""
        ...

    def draw(self, like: Any) -> Any:
        """The batch on which to judge, on the device of `like`, a training batch."""
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """What a resumed run must have again."""
        ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from such a state."""
        ...


class HeldOut:
    """Batches that are not trained on, epoch after epoch.

    They are anything that gives batches when it is gone through, such as a list or a DataLoader,
    or a function of an epoch and of the first batch wanted, such as `Loader.epoch`. A resumed run
    goes through the epoch again, from the same state of torch's generator, up to where it was.
    """

    def __init__(self, batches: Iterable[Any] | Epoch) -> None:
        self._epoch_of = _epochs(batches)
        self._epoch, self._batch = 0, 0
        self._open: Iterator[Any] | None = None
        self._random: Tensor | None = None  # torch's generator when the epoch was opened

    def see(self, batch: Any) -> None:
        """Ignore the training batch."""

    def draw(self, like: Any) -> Any:
        """The next batch; raises DataError if an epoch has none."""
        for _ in range(2):
            if self._open is None:
                self._open = self._begun()
            for batch in self._open:
                self._batch += 1
                return on_device(batch, device_in(like))
            self._epoch, self._batch, self._open = self._epoch + 1, 0, None
        raise DataError(
            "the held-out split fills no batch for meltr's outer step; give it more pairs or "
            "a smaller batch, and what can be gone through again and again: no generator that ends"
        )

    def _begun(self) -> Iterator[Any]:
        before = torch.get_rng_state()
        resumed = self._batch > 0 and self._random is not None
        if resumed and self._random is not None:
            torch.set_rng_state(self._random)
        else:
            self._random = before
        found: Any = self._epoch_of(self._epoch, self._batch)
        if not isinstance(found, Iterable):
            raise ConfigError(
                f"the function that HeldOut got returned a {type(found).__name__}; return the "
                "batches of the epoch, such as iter([batch])"
            )
        begun = iter(found)
        if resumed:
            torch.set_rng_state(before)
        return begun

    def state_dict(self) -> dict[str, Tensor]:
        place = {"epoch": torch.tensor(self._epoch), "batch": torch.tensor(self._batch)}
        return place if self._random is None else place | {"random": self._random}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        if not {"epoch", "batch"} <= state.keys():
            raise CheckpointError(_other_outer("held-out batches"))
        self._epoch, self._batch = int(state["epoch"]), int(state["batch"])
        self._open, self._random = None, state.get("random")


def _epochs(batches: Any) -> Epoch:
    """Batches as a function of an epoch and its first batch; raises ConfigError for others."""
    if isinstance(batches, Iterable) and not isinstance(batches, str | bytes | Mapping | Tensor):

        def epoch(_: int, start: int) -> Iterator[Any]:
            begun = iter(batches)
            deque(islice(begun, start), maxlen=0)
            return begun

        return epoch
    if not callable(batches):
        raise ConfigError(
            f"HeldOut got a {type(batches).__name__}; give it what gives batches when it is gone "
            "through, such as [batch] or a DataLoader, or a function of an epoch and of the "
            "first batch wanted, such as Loader.epoch"
        )
    return batches


def _other_outer(wanted: str) -> str:
    return (
        f"the stored state of the data that judge MELTR is not that of {wanted}; go on with the "
        "same kind of data, or start anew"
    )


class Recent:
    """One of the last training batches, each with the same chance, as in the released code.

    They are kept on the CPU, and are part of the state of a run. Of several processes each has its
    own part, and all draw the same batch. Where they share batches (`ranks.shared_batch`), a state
    has the whole ones, of which each takes its part again, as many as they then are; elsewhere it
    has those of the process that wrote it.
    """

    def __init__(self, size: int = 10) -> None:
        self._size, self._batches = size, list[Any]()
        self._stored: list[dict[str, Tensor]] = []  # of a state, until a batch lends its classes
        self._ranks = ALONE  # who shared batches when it was read

    def see(self, batch: Any) -> None:
        """Keep the batch; raises DataError for one that no state of a run could hold."""
        if self._size > 0:
            kept = mapped(lambda tensor: tensor.cpu(), batch)
            pack(kept)
            self._batches = [*self._kept(batch)[-self._size + 1 :], kept][-self._size :]

    def draw(self, like: Any) -> Any:
        """One of the batches; raises DataError before the first was seen."""
        kept = self._kept(like)
        if not kept:
            raise DataError("no training batch was seen yet; see one before drawing")
        chosen = everyone().of_first(torch.randint(len(kept), ()))
        return on_device(kept[int(chosen)], device_in(like))

    def batches(self, like: Any) -> list[Any]:
        """All of them, the most recent one last, on the device of `like`."""
        return [on_device(batch, device_in(like)) for batch in self._kept(like)]

    def _kept(self, like: Any) -> list[Any]:
        if self._stored:
            whole = [unpack(one, like) for one in self._stored]
            self._batches, self._stored = [mapped(self._ranks.part, one) for one in whole], []
        return self._batches

    def state_dict(self) -> dict[str, Tensor]:
        ranks = sharing()
        whole = [mapped(ranks.gather_padded, batch) for batch in self._batches]
        packed = self._stored or [pack(batch) for batch in whole]
        return {
            f"{number}/{name}": tensor.clone()  # others may keep the same batch
            for number, one in enumerate(packed)
            for name, tensor in one.items()
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        parts: dict[int, dict[str, Tensor]] = {}
        for key, tensor in state.items():
            number, _, name = key.partition("/")
            if not number.isdecimal():
                raise CheckpointError(_other_outer("recent batches"))
            parts.setdefault(int(number), {})[name] = tensor
        self._batches, self._stored = [], [parts[number] for number in sorted(parts)]
        self._ranks = sharing()
