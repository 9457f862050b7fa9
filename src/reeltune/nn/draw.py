"""States of torch's generators, so that the same numbers can be drawn again."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


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
