"""Where torch's generators stand, so that the same numbers can be drawn again."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Draw:
    """The generators of the CPU and of one device as they stand when this is made."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._cpu = device, torch.get_rng_state()
        self._cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None

    @classmethod
    def fresh(cls, device: torch.device) -> "Draw":
        """Another one, which the generators' next number chooses."""
        seed = int(torch.randint(2**62, ()))
        with cls(device).again():
            torch.default_generator.manual_seed(seed)
            if device.type == "cuda":
                with torch.cuda.device(device):
                    torch.cuda.manual_seed(seed)
            return cls(device)

    def begin(self) -> None:
        """The generators go on from here."""
        torch.set_rng_state(self._cpu)
        if self._cuda is not None:
            torch.cuda.set_rng_state(self._cuda, self._device)

    @contextmanager
    def again(self) -> Iterator[None]:
        """What is drawn inside begins here; draws after it are as if it had not been."""
        before = Draw(self._device)
        self.begin()
        try:
            yield
        finally:
            before.begin()
