"""all-MiniLM-L6-v2 (sentence-transformers): frozen unit vectors of sentences."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int, Shaped
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from reeltune.errors import DataError
from reeltune.models._bert.layers import Bert
from reeltune.models._bert.sizes import BertSizes
from reeltune.models._lite.weights import SENTENCE_WEIGHTS, TOKENIZER
from reeltune.models._word_pieces import tokens_of
from reeltune.models.opening.packaged import packaged
from reeltune.models.opening.weights import read_tensors
from reeltune.types import Tokens

WIDTH = 384
LONGEST = 128  # tokens of a text that are read
AT_ONCE = 256  # texts


class SentenceEncoder(nn.Module):
    """Mean of the last layer's tokens, at unit length; weights are read at the first text."""

    def __init__(self) -> None:
        super().__init__()
        sizes = BertSizes(hidden_size=WIDTH, num_hidden_layers=6, intermediate_size=4 * WIDTH)
        self.net = Bert(sizes).eval().requires_grad_(False)
        self._tokenizer: Tokenizer | None = None
        self._ready = False

    def train(self, mode: bool = True) -> "SentenceEncoder":
        """Stay in evaluation mode: the encoder is frozen and never uses dropout."""
        return super().train(False)

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Word pieces, padded to the longest text."""
        if not texts:
            raise DataError("there is no text to tokenize; give at least one")
        return tokens_of(self.tokenizer.encode_batch(list(texts)), self.tokenizer)

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, which is read when it is first needed."""
        if self._tokenizer is None:
            self._tokenizer = Tokenizer.from_file(str(packaged(*TOKENIZER)))
            self._tokenizer.enable_truncation(LONGEST)
            self._tokenizer.enable_padding()
        return self._tokenizer

    @torch.no_grad()
    def forward(self, ids: Int[Tensor, "B L"], mask: Bool[Tensor, "B L"]) -> Float[Tensor, "B 384"]:
        self.load()
        device = self.net.embeddings.word_embeddings.weight.device
        few = zip(ids.split(AT_ONCE), mask.split(AT_ONCE), strict=True)
        return torch.cat([self.few(some.to(device), real.to(device)) for some, real in few])

    def few(self, ids: Int[Tensor, "B L"], mask: Shaped[Tensor, "B L"]) -> Float[Tensor, "B 384"]:
        """Vectors of a few texts, once the weights are read."""
        states = self.net(ids, mask.bool())
        total = (states * mask[..., None]).sum(1)  # (B, 384)
        return F.normalize(total, dim=1)

    def load(self) -> None:
        """Read the weights, unless they are there."""
        if self._ready:
            return
        given = read_tensors(packaged(*SENTENCE_WEIGHTS))
        unused = ("pooler.", "embeddings.position_ids")
        kept = {name: t for name, t in given.items() if not name.startswith(unused)}
        self.net.load_state_dict(kept)
        self._ready = True
