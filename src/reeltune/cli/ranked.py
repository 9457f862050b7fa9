"""What the processes that `torchrun` starts for one command say: once, and not each of them."""

import hashlib
import os
from datetime import timedelta

from reeltune.training.interrupts import TORCHRUN


def is_first() -> bool:
    """Whether this process shows how far work is, of all that run the command."""
    return TORCHRUN not in os.environ or os.environ.get("RANK", "0") == "0"


def processes() -> int:
    """How many processes `torchrun` has started for the command; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1")) if TORCHRUN in os.environ else 1


def is_mine_to_say(said: str) -> bool:
    """Whether no other process of the command has said this; the store of `torchrun` knows."""
    if TORCHRUN not in os.environ:
        return True
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    try:
        place, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = TCPStore(
            place, port, is_master=False, timeout=timedelta(seconds=5), wait_for_workers=False
        )
        times = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        key = hashlib.blake2b(said.encode(), digest_size=16).hexdigest()
        return int(store.add(f"reeltune/{times}/{key}", 1)) == 1
    except (RuntimeError, ValueError, KeyError):  # torchrun itself has ended
        return True
