"""What the losses of a model that is asked want of each pair, by name.

`options` (O, L)       ids of the text for each option, `options_mask` true at real tokens
`label` ()             place of the right answer among the options or the listed answers; -1: none
`rating` ()            the sentiment
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor
from torch.nn import functional as F

from reeltune.errors import DataError
from reeltune.models._asking.settings import LISTED, Asked
from reeltune.types import Batch, Pair, Target, Tokens

UNKNOWN = -1
Offer = Callable[[str, Sequence[str]], list[str]]  # question and options -> the text of each


def plain_offer(question: str, options: Sequence[str]) -> list[str]:
    """The question followed by one option."""
    return [f"{question} {option}" for option in options]


def targets_of(
    config: Asked, tokenize: Callable[[Sequence[str]], Tokens], words: int, offer: Offer
) -> Mapping[str, Target]:
    """Targets of the task of a model, whose texts have at most `words` tokens."""
    if config.task is None:
        return {}
    if config.task == "sentiment":
        return {"rating": lambda pair: np.array(pair.rating, np.float32)}
    if config.task in LISTED:
        places = {answer: place for place, answer in enumerate(config.answers)}
        return {"label": lambda pair: np.array(places.get(str(pair.answer), UNKNOWN))}

    def padded(part: Callable[[Tokens], Tensor], pair: Pair) -> Shaped[np.ndarray, "O L"]:
        of_all = part(tokenize(offer(pair.caption, pair.options)))
        return F.pad(of_all, (0, words - of_all.shape[1])).numpy()

    return {
        "options": lambda pair: padded(lambda tokens: tokens.ids, pair),
        "options_mask": lambda pair: padded(lambda tokens: tokens.mask, pair),
        "label": lambda pair: np.array(label_among(pair)),
    }


def label_among(pair: Pair) -> int:
    """The place of the right answer among the options, -1 if it is not there."""
    return pair.options.index(pair.answer) if pair.answer in pair.options else UNKNOWN


def options_in(batch: Batch) -> tuple[Tokens, Int[Tensor, " BO"], int]:
    """Texts of all options of a batch, the row of the clip that each is about, and how many options
    a question has."""
    ids = target_in(batch, "options")
    mask = target_in(batch, "options_mask")
    count, offered = ids.shape[:2]
    rows = torch.arange(count, device=ids.device).repeat_interleave(offered)
    longest = int(mask.sum(dim=-1).max())
    return (
        Tokens(ids.flatten(0, 1)[:, :longest], mask.flatten(0, 1)[:, :longest].bool()),
        rows,
        offered,
    )


def target_in(batch: Batch, name: str) -> Tensor:
    """A target of the batch; raises DataError if it brings none."""
    if name not in batch.targets:
        raise DataError(
            f"the model is asked, and the batch brings {sorted(batch.targets) or 'no targets'} "
            f"without {name}; make batches with the targets that Config.start gives"
        )
    return batch.targets[name]
