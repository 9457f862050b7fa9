"""States of torch's generators, so that the same numbers can be drawn again."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from reeltune.ranks.ranks import everyone


class Draw:
    """The states of the generators of the CPU and of one device when this object is made."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._cpu = device, torch.get_rng_state()
        self._cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None

    @classmethod
    def fresh(cls, device: torch.device) -> "Draw":
        """Another state, which the generators' next number chooses."""
        seed = int(torch.randint(2**62, ()))
        with cls(device).again():
            torch.default_generator.manual_seed(seed)
            if device.type == "cuda":
                with torch.cuda.device(device):
                    torch.cuda.manual_seed(seed)
            return cls(device)

    def begin(self) -> None:
        """Let the generators go on from this state."""
        torch.set_rng_state(self._cpu)
        if self._cuda is not None:
            torch.cuda.set_rng_state(self._cuda, self._device)

    @contextmanager
    def again(self) -> Iterator[None]:
        """Draw from this state inside the block; draws after it are as if the block had not
        been."""
        before = Draw(self._device)
        self.begin()
        try:
            yield
        finally:
            before.begin()


@contextmanager
def alike(device: torch.device) -> Iterator[None]:
    """Inside the block all processes of a run draw what the first draws; alone, a process draws as
    ever."""
    ranks = everyone()
    if ranks.world == 1:
        yield
        return
    told = Draw(device)
    told._cpu = ranks.of_first(told._cpu)
    told._cuda = None if told._cuda is None else ranks.of_first(told._cuda)
    if ranks.leads:
        yield
    else:
        with told.again():
            yield
