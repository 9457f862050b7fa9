"""Turns BERT's word pieces of texts into `Tokens`."""

from collections.abc import Sequence

import torch
from tokenizers import BertWordPieceTokenizer, Encoding, Tokenizer

from reeltune.types import Tokens

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")  # pieces that stand for no word


def tokens_of(read: Sequence[Encoding], tokenizer: Tokenizer | BertWordPieceTokenizer) -> Tokens:
    """The pieces of each text that `tokenizer` read, and whether they are all of them."""
    ids = torch.tensor([one.ids for one in read])
    mask = torch.tensor([one.attention_mask for one in read]).bool()
    special = torch.tensor([tokenizer.token_to_id(name) for name in SPECIAL])
    known = (mask & ~torch.isin(ids, special)).any(dim=1)
    return Tokens(ids, mask, known, torch.tensor([bool(one.overflowing) for one in read]))
