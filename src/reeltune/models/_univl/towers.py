"""Text, video and cross encoder of UniVL: BERT's layers over three kinds of embeddings.

Names of modules are those of the released state dict.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from reeltune.models._bert.layers import Layer, Layers, Pooler, WordEmbeddings
from reeltune.models._bert.sizes import BertSizes
from reeltune.nn.attention_mask import additive


@dataclass(frozen=True)
class Sizes:
    """Sizes from which the five modules are built; the defaults are those of the released model."""

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
    answers: int = 0  # scores of the head that answers; 0: there is none, as in the release

    def bert(self, layers: int) -> BertSizes:
        """Sizes of `layers` layers."""
        return BertSizes(
            vocab_size=self.vocabulary,
            hidden_size=self.width,
            num_hidden_layers=layers,
            num_attention_heads=self.heads,
            intermediate_size=4 * self.width,
            hidden_dropout_prob=self.dropout,
            attention_probs_dropout_prob=self.dropout,
            max_position_embeddings=self.words,
        )


@dataclass(frozen=True)
class Sequence:
    """What an encoder made of a text or a video; `mask` is true at real tokens or frames."""

    states: Float[Tensor, "B L D"]
    mask: Bool[Tensor, "B L"]


def of_keys(mask: Bool[Tensor, "B L"], like: Tensor) -> Float[Tensor, "B 1 1 L"]:
    """The mask that every query of a batch's row shares."""
    return additive(mask, like)[:, None, None]


class TextEncoder(nn.Module):
    """BERT; its pooler is in the release but nothing reads it."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        settings = sizes.bert(sizes.text_layers)
        self.embeddings = WordEmbeddings(settings)
        self.encoder = Layers(settings)
        self.pooler = Pooler(settings).requires_grad_(False)

    def forward(self, ids: Int[Tensor, "B L"], mask: Bool[Tensor, "B L"]) -> Sequence:
        embedded = self.embeddings(ids)
        return Sequence(self.encoder(embedded, of_keys(mask, embedded)), mask)


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
        self.encoder = Layers(settings)
        self.pooler = Pooler(settings).requires_grad_(False)

    def forward(self, features: Float[Tensor, "B T F"], mask: Bool[Tensor, "B T"]) -> Sequence:
        embedded = self.embeddings(features)
        return Sequence(self.encoder(embedded, of_keys(mask, embedded)), mask)


class BothEmbeddings(nn.Module):
    """Positions in a text followed by a video, and which of the two a state comes from."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.position_embeddings = nn.Embedding(sizes.both, sizes.width)
        self.token_type_embeddings = nn.Embedding(2, sizes.width)  # text, video
        self.LayerNorm = nn.LayerNorm(sizes.width, eps=1e-12)
        self.dropout = nn.Dropout(sizes.dropout)

    def forward(self, states: Float[Tensor, "B L D"], place: int, kind: int) -> Tensor:
        """States of one `kind` that stand at `place` and behind it."""
        places = self.position_embeddings.weight[place : place + states.shape[1]]
        return self.dropout(
            self.LayerNorm(states + places + self.token_type_embeddings.weight[kind])
        )


class CrossEncoder(nn.Module):
    """Layers that see a text and a video at once."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        settings = sizes.bert(sizes.cross_layers)
        self.longest = sizes.longest
        self.embeddings = BothEmbeddings(sizes)
        self.encoder = Layers(settings)
        self.pooler = Pooler(settings)

    def forward(self, text: Sequence, video: Sequence) -> Sequence:
        """States of the text, then of the video.

        The release pads every text to `longest` words before it puts the frames behind; here
        texts are as long as they are and frames stand at those positions all the same.
        """
        embedded, mask = self._embed(text, video)
        return Sequence(self.encoder(embedded, of_keys(mask, embedded)), mask)

    def summary(self, text: Sequence, video: Sequence) -> Float[Tensor, "B D"]:
        """The pooler's reading of the first state, the only one that the last layer then makes."""
        states, mask = self._embed(text, video)
        hidden = of_keys(mask, states)
        *before, last = self.encoder.in_order
        for layer in before:
            states = layer(states, hidden)
        return self.pooler(last.first(states, hidden)[:, None])

    def summaries(self, text: Sequence, video: Sequence) -> Float[Tensor, "Q N D"]:
        """`summary` of all texts with all videos, by an encoder of a single layer.

        Its keys and values are of texts and of videos alone, so they are made once for all pairs;
        dropout of embeddings is then drawn once for a text or a video, and not for each pair.
        """
        (layer,) = self.encoder.in_order
        words, frames = self._embed_text(text.states), self._embed_video(video.states)
        found = first_states(layer, Sequence(words, text.mask), Sequence(frames, video.mask))
        return self.pooler(found.flatten(0, 1)[:, None]).unflatten(0, found.shape[:2])

    def _embed(self, text: Sequence, video: Sequence) -> tuple[Tensor, Tensor]:
        """The text's states followed by the video's (B, L + T, D), and which of them are real."""
        states = [self._embed_text(text.states), self._embed_video(video.states)]
        return torch.cat(states, dim=1), torch.cat([text.mask, video.mask], dim=1)

    def _embed_text(self, states: Float[Tensor, "B L D"]) -> Float[Tensor, "B L D"]:
        return self.embeddings(states, 0, 0)

    def _embed_video(self, states: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        return self.embeddings(states, self.longest, 1)


def first_states(layer: Layer, text: Sequence, video: Sequence) -> Float[Tensor, "Q N D"]:
    """`Layer.first` of every text with every video behind it, both as the layer reads them."""
    attention, first = layer.attention.self, text.states[:, :1]
    words, meant = attention.remember(text.states)
    frames, shown = attention.remember(video.states)
    query = attention.by_head(attention.query(first))[:, :, 0]  # (Q, H, D / H)
    query = query * query.shape[-1] ** -0.5
    lowest = torch.finfo(query.dtype).min
    of_words = torch.einsum("qhd,qhld->qhl", query, words)
    of_words = of_words.masked_fill(~text.mask[:, None], lowest)
    of_frames = torch.einsum("qhd,nhtd->qnht", query, frames)
    of_frames = of_frames.masked_fill(~video.mask[:, None], lowest)
    of_words = of_words[:, None].expand(-1, len(video.mask), -1, -1)  # (Q, N, H, L)
    weights = attention.dropout(torch.cat([of_words, of_frames], dim=3).softmax(dim=3))
    on_words, on_frames = weights.split([text.mask.shape[1], video.mask.shape[1]], dim=3)
    found = torch.einsum("qnhl,qhld->qnhd", on_words, meant)
    found = found + torch.einsum("qnht,nhtd->qnhd", on_frames, shown)
    return layer.after(found.flatten(2), first)
