"""The caption decoder of UniVL: causal layers over words that also see a text and a video.

Names of modules are those of the released state dict.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from reeltune.models._bert.layers import Heads, Intermediate, Joined
from reeltune.models._bert.sizes import BertSizes
from reeltune.models._bert.word_head import WordHead
from reeltune.models._univl.towers import Sequence, Sizes


class AttentionBlock(nn.Module):
    """Attention, the layers that follow it, and the residual sum with the queries."""

    def __init__(self, settings: BertSizes) -> None:
        super().__init__()
        self.att, self.output = Heads(settings), Joined(settings.hidden_size, settings)

    def forward(self, asking: Tensor, seen: Tensor, mask: Tensor) -> Float[Tensor, "B L D"]:
        return self.output(self.att(asking, seen, mask), asking)


class DecoderLayer(nn.Module):
    """Words look at words before them, then at the text and the video."""

    def __init__(self, settings: BertSizes) -> None:
        super().__init__()
        self.slf_attn, self.enc_attn = AttentionBlock(settings), AttentionBlock(settings)
        self.intermediate = Intermediate(settings)
        self.output = Joined(settings.intermediate_size, settings)

    def forward(self, words: Tensor, before: Tensor, seen: Tensor, there: Tensor) -> Tensor:
        words = self.slf_attn(words, words, before)
        words = self.enc_attn(words, seen, there)
        return self.output(self.intermediate(words), words)


class DecoderEmbeddings(nn.Module):
    """Words and positions, whose tables are those of the text encoder."""

    def __init__(self, sizes: Sizes, words: nn.Parameter, positions: nn.Parameter) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding.from_pretrained(words, freeze=False)
        self.position_embeddings = nn.Embedding.from_pretrained(positions, freeze=False)
        self.word_embeddings.weight, self.position_embeddings.weight = words, positions
        self.LayerNorm = nn.LayerNorm(sizes.width, eps=1e-12)
        self.dropout = nn.Dropout(sizes.dropout)

    def forward(self, ids: Int[Tensor, "B L"], place: int = 0) -> Float[Tensor, "B L D"]:
        """Embeddings of words that stand at `place` and after it."""
        positions = self.position_embeddings.weight[place : place + ids.shape[1]]
        return self.dropout(self.LayerNorm(self.word_embeddings(ids) + positions))


class Layers(nn.Module):
    """The layers alone, as the release names them."""

    def __init__(self, settings: BertSizes) -> None:
        super().__init__()
        count = settings.num_hidden_layers
        self.layer = nn.ModuleList([DecoderLayer(settings) for _ in range(count)])


class Classifier(nn.Module):
    """The head over words, as the release names it."""

    def __init__(self, sizes: Sizes, words: nn.Parameter) -> None:
        super().__init__()
        self.cls = WordHead(sizes.bert(1), words)


class Decoder(nn.Module):
    """Logits of each next word."""

    def __init__(self, sizes: Sizes, words: nn.Parameter, positions: nn.Parameter) -> None:
        super().__init__()
        self.embeddings = DecoderEmbeddings(sizes, words, positions)
        self.decoder = Layers(sizes.bert(sizes.decoder_layers))
        self.classifier = Classifier(sizes, words)

    def states(
        self, ids: Int[Tensor, "B L"], mask: Bool[Tensor, "B L"], seen: Sequence
    ) -> Float[Tensor, "B L D"]:
        """States of the words, each of which sees the real words up to itself."""
        words = self.embeddings(ids)
        length = ids.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
        before, there = mask[:, None, None] & causal, seen.mask[:, None, None]  # (B, 1, L, L)
        for layer in self.decoder.layer:
            words = layer(words, before, seen.states, there)
        return words

    def forward(
        self, ids: Int[Tensor, "B L"], mask: Bool[Tensor, "B L"], seen: Sequence
    ) -> Float[Tensor, "B L V"]:
        return self.classifier.cls(self.states(ids, mask, seen))

    def next_word(self, ids: Int[Tensor, "B L"], seen: Sequence) -> Float[Tensor, "B V"]:
        """Log-probabilities of the word after the last; no word is padding.

        `writing.Writing` gives the same for sentences that grow word by word, and faster.
        """
        last = self.states(ids, torch.ones_like(ids, dtype=torch.bool), seen)[:, -1:]
        return self.chances(last)

    def chances(self, last: Float[Tensor, "B 1 D"]) -> Float[Tensor, "B V"]:
        """Log-probabilities of words from the state of the last word."""
        return self.classifier.cls(last)[:, 0].double().log_softmax(dim=1)
