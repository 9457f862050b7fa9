"""Text, video and cross encoder of UniVL: BERT's layers over three kinds of embeddings.

Names of modules are those of the released state dict, and the layers are transformers' own,
which have the same names and numbers.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertConfig
from transformers.models.bert.modeling_bert import (
    BertEmbeddings,
    BertEncoder,
    BertLayer,
    BertPooler,
)


@dataclass(frozen=True)
class Sizes:
    """What the five modules are built from; as it stands, the released model."""

    features: int = 1024  # F, of a frame as it is stored
    vocabulary: int = 30522
    width: int = 768
    heads: int = 12
    text_layers: int = 12
    video_layers: int = 6
    cross_layers: int = 2
    decoder_layers: int = 3
    longest: int = 48  # words of a text that is followed by a video
    words: int = 512  # positions of a text
    frames: int = 512  # positions of a video
    both: int = 1024  # positions of a text followed by a video
    dropout: float = 0.1

    def bert(self, layers: int) -> BertConfig:
        """Settings of `layers` layers, as transformers describes them."""
        return BertConfig(
            vocab_size=self.vocabulary,
            hidden_size=self.width,
            num_hidden_layers=layers,
            num_attention_heads=self.heads,
            intermediate_size=4 * self.width,
            hidden_dropout_prob=self.dropout,
            attention_probs_dropout_prob=self.dropout,
            max_position_embeddings=self.words,
            attn_implementation="sdpa",
        )


@dataclass(frozen=True)
class Sequence:
    """What an encoder made of a text or a video; `mask` is true at real tokens or frames."""

    states: Float[Tensor, "B L D"]
    mask: Bool[Tensor, "B L"]


def additive(mask: Bool[Tensor, "B L"], like: Tensor) -> Tensor:
    """A mask of keys as attention adds it, 0 where they are seen: (B, 1, 1, L)."""
    lowest = torch.finfo(like.dtype).min
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill(~mask, lowest)[:, None, None]


class TextEncoder(nn.Module):
    """BERT; its pooler is in the release but nothing reads it."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        settings = sizes.bert(sizes.text_layers)
        self.embeddings = BertEmbeddings(settings)
        self.encoder = BertEncoder(settings)
        self.pooler = BertPooler(settings).requires_grad_(False)

    def forward(self, ids: Int[Tensor, "B L"], mask: Bool[Tensor, "B L"]) -> Sequence:
        embedded = self.embeddings(input_ids=ids)
        read = self.encoder(embedded, attention_mask=additive(mask, embedded))
        return Sequence(read.last_hidden_state, mask)


class FrameEmbeddings(nn.Module):
    """Features brought to the width of the model, and their positions."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.word_embeddings = nn.Linear(sizes.features, sizes.width)
        self.position_embeddings = nn.Embedding(sizes.frames, sizes.width)
        self.LayerNorm = nn.LayerNorm(sizes.width, eps=1e-12)
        self.dropout = nn.Dropout(sizes.dropout)

    def forward(self, features: Float[Tensor, "B T F"]) -> Float[Tensor, "B T D"]:
        place = self.position_embeddings.weight[: features.shape[1]]  # (T, D)
        return self.dropout(self.LayerNorm(self.word_embeddings(features) + place))


class VideoEncoder(nn.Module):
    """Layers over frames; its pooler is in the release but nothing reads it."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        settings = sizes.bert(sizes.video_layers)
        self.embeddings = FrameEmbeddings(sizes)
        self.encoder = BertEncoder(settings)
        self.pooler = BertPooler(settings).requires_grad_(False)

    def forward(self, features: Float[Tensor, "B T F"], mask: Bool[Tensor, "B T"]) -> Sequence:
        embedded = self.embeddings(features)
        read = self.encoder(embedded, attention_mask=additive(mask, embedded))
        return Sequence(read.last_hidden_state, mask)


class BothEmbeddings(nn.Module):
    """Positions in a text followed by a video, and which of the two a state comes from."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.position_embeddings = nn.Embedding(sizes.both, sizes.width)
        self.token_type_embeddings = nn.Embedding(2, sizes.width)  # text, video
        self.LayerNorm = nn.LayerNorm(sizes.width, eps=1e-12)
        self.dropout = nn.Dropout(sizes.dropout)

    def forward(
        self, states: Float[Tensor, "B L D"], places: Int[Tensor, " L"], kinds: Int[Tensor, " L"]
    ) -> Float[Tensor, "B L D"]:
        added = self.position_embeddings(places) + self.token_type_embeddings(kinds)
        return self.dropout(self.LayerNorm(states + added))


class CrossEncoder(nn.Module):
    """Layers that see a text and a video at once."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        settings = sizes.bert(sizes.cross_layers)
        self.longest = sizes.longest
        self.embeddings = BothEmbeddings(sizes)
        self.encoder = BertEncoder(settings)
        self.pooler = BertPooler(settings)

    def forward(self, text: Sequence, video: Sequence) -> Sequence:
        """States of the text, then of the video.

        The release pads every text to `longest` words before it puts the frames behind; here
        texts are as long as they are and frames stand at those positions all the same.
        """
        embedded, mask = self._embed(text, video)
        read = self.encoder(embedded, attention_mask=additive(mask, embedded))
        return Sequence(read.last_hidden_state, mask)

    def summary(self, text: Sequence, video: Sequence) -> Float[Tensor, "B D"]:
        """The pooler's reading of the first state, the only one that the last layer then makes."""
        states, mask = self._embed(text, video)
        hidden = additive(mask, states)
        *before, last = self.encoder.layer
        for layer in before:
            states = layer(states, hidden)
        return self.pooler(first_state(last, states, hidden)[:, None])

    def _embed(self, text: Sequence, video: Sequence) -> tuple[Tensor, Tensor]:
        """The text's states followed by the video's (B, L + T, D), and which of them are real."""
        states = torch.cat([text.states, video.states], dim=1)  # (B, L + T, D)
        mask = torch.cat([text.mask, video.mask], dim=1)
        words, frames = text.mask.shape[1], video.mask.shape[1]
        place = torch.cat([torch.arange(words), self.longest + torch.arange(frames)])
        kinds = torch.arange(words + frames).ge(words).long()
        return self.embeddings(states, place.to(states.device), kinds.to(states.device)), mask


def first_state(
    layer: BertLayer, states: Float[Tensor, "B L D"], mask: Float[Tensor, "B 1 1 L"]
) -> Float[Tensor, "B D"]:
    """What `layer(states, mask)[:, 0]` is, without the other places."""
    attention, first = layer.attention.self, states[:, :1]
    heads = (attention.num_attention_heads, attention.attention_head_size)
    query, key, value = (
        project(asked).unflatten(2, heads).transpose(1, 2)  # (B, H, 1 or L, D / H)
        for project, asked in (
            (attention.query, first),
            (attention.key, states),
            (attention.value, states),
        )
    )
    rate = attention.dropout.p if attention.training else 0.0
    found = F.scaled_dot_product_attention(query, key, value, mask, dropout_p=rate)
    found = layer.attention.output(found.transpose(1, 2).flatten(2), first)
    return layer.output(layer.intermediate(found), found)[:, 0]
