"""The network of UniVL, all heads included: 444 names, 199,535,989 weights (2002.06353)."""

from functools import partial
from itertools import product

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from reeltune.models._bert.word_head import WordHead
from reeltune.models._univl.decoder import Decoder
from reeltune.models._univl.heads import FrameHead
from reeltune.models._univl.towers import CrossEncoder, Sequence, Sizes, TextEncoder, VideoEncoder
from reeltune.nn.precise import precise

SPREAD = 0.02  # standard deviation of random weights in the released width


class NormalizedVideo(nn.Module):
    """Layer norm of features as they are stored."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.visual_norm2d = nn.LayerNorm(features, eps=1e-12)

    def forward(self, features: Float[Tensor, "B T F"]) -> Float[Tensor, "B T F"]:
        return self.visual_norm2d(features)


class Network(nn.Module):
    """Five modules; names are those of the released state dict."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.bert, self.visual = TextEncoder(sizes), VideoEncoder(sizes)
        self.cross = CrossEncoder(sizes)
        words = self.bert.embeddings.word_embeddings.get_parameter("weight")
        positions = self.bert.embeddings.position_embeddings.get_parameter("weight")
        self.decoder = Decoder(sizes, words, positions)
        self.cls = WordHead(sizes.bert(1), words)
        self.cls_visual = FrameHead(sizes, self.visual.embeddings.word_embeddings)
        self.similarity_dense = nn.Linear(sizes.width, 1)
        self.normalize_video = NormalizedVideo(sizes.features)
        self.answer_dense = nn.Linear(sizes.width, sizes.answers) if sizes.answers else None
        # A narrow network wants larger weights for states, and scores, of the same size.
        self.apply(partial(_initialize, spread=SPREAD * (Sizes.width / sizes.width) ** 0.5))

    def read_text(self, ids: Int[Tensor, "B L"], mask: Bool[Tensor, "B L"]) -> Sequence:
        return self.bert(ids, mask)

    def read_video(self, features: Float[Tensor, "B T F"], mask: Bool[Tensor, "B T"]) -> Sequence:
        """States of a video from features as they are stored."""
        return self.visual(self.normalize_video(features), mask)

    def align(self, text: Sequence, video: Sequence) -> Float[Tensor, "Q N"]:
        """Scores of all texts with all videos, each pair through the cross encoder."""
        if len(self.cross.encoder.layer) == 1:
            return self.similarity_dense(self.cross.summaries(text, video)).squeeze(-1)
        pairs = list(product(range(len(text.mask)), range(len(video.mask))))
        left, right = torch.tensor(pairs, device=text.mask.device).T
        scores = self.align_pairs(rows_of(text, left), rows_of(video, right))
        return scores.view(len(text.mask), len(video.mask))

    def align_pairs(self, text: Sequence, video: Sequence) -> Float[Tensor, " B"]:
        """Scores of each text with the video in its row."""
        return self.similarity_dense(self.cross.summary(text, video)).squeeze(-1)


def rows_of(read: Sequence, chosen: Tensor) -> Sequence:
    """The chosen rows."""
    return Sequence(read.states[chosen], read.mask[chosen])


def pooled_text(text: Sequence) -> Float[Tensor, "B D"]:
    """Unit vectors: mean over real tokens but the first, [CLS]."""
    after = text.mask.clone()
    after[:, 0] = False
    return _mean(text.states, after)


def pooled_video(video: Sequence) -> Float[Tensor, "B D"]:
    """Unit vectors: mean over real frames."""
    return _mean(video.states, video.mask)


def _mean(states: Tensor, mask: Tensor) -> Tensor:
    kept = precise(states).masked_fill(~mask[..., None], 0)
    return F.normalize(kept.sum(dim=1) / mask.sum(dim=1, keepdim=True), dim=1)


def _initialize(module: nn.Module, spread: float) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=spread)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
