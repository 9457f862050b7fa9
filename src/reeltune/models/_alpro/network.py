"""The network of ALPRO (Li et al., 2112.09583): 231,168,317 weights without heads of questions.

A video encoder, and one BERT whose lower layers read texts alone and whose upper layers read a text
with the video behind it. Names of modules are those of the released state dict.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from reeltune.models._alpro.timesformer import TimeSformer, VideoSizes
from reeltune.models._bert.layers import Bert
from reeltune.models._bert.sequence import Sequence
from reeltune.models._bert.sizes import BertSizes
from reeltune.models._bert.word_head import WordHead
from reeltune.nn.attention_mask import additive
from reeltune.nn.precise import precise

SPREAD = 0.02  # standard deviation of random weights in the released width
LOWEST, HIGHEST = 0.001, 0.5  # temperature
TEMPERATURE = 0.07  # before training


@dataclass(frozen=True)
class Sizes:
    """Sizes from which the network is built; the defaults are those of the released model."""

    video: VideoSizes = field(default_factory=VideoSizes)
    vocabulary: int = 30522
    layers: int = 12  # of BERT
    fusion: int = 6  # the first of them that sees the video
    positions: int = 512  # of a text
    dim: int = 256  # of vectors
    dropout: float = 0.1
    entities: int = 0  # that the head of prompting tells apart; 0: there is none
    answers: int = 0  # scores of the head that answers; 0: there is none

    def bert(self) -> BertSizes:
        """Sizes of BERT."""
        return BertSizes(
            vocab_size=self.vocabulary,
            hidden_size=self.video.width,
            num_hidden_layers=self.layers,
            num_attention_heads=self.video.heads,
            intermediate_size=4 * self.video.width,
            hidden_dropout_prob=self.dropout,
            attention_probs_dropout_prob=self.dropout,
            max_position_embeddings=self.positions,
        )


class VideoEncoder(nn.Module):
    """The video encoder in a module of its own, as the release names it."""

    def __init__(self, sizes: VideoSizes) -> None:
        super().__init__()
        self.model = TimeSformer(sizes)


class TextEncoder(nn.Module):
    """BERT and its head over words."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        settings = sizes.bert()
        self.fusion = sizes.fusion
        self.bert = Bert(settings)
        self.cls = WordHead(settings, self.bert.embeddings.word_embeddings.get_parameter("weight"))

    def forward(self, ids: Int[Tensor, "B L"], mask: Bool[Tensor, "B L"]) -> Sequence:
        """What the lower layers make of texts alone."""
        states = self.bert.embeddings(ids)
        hidden = additive(mask, states)[:, None, None]
        for layer in self.bert.encoder.in_order[: self.fusion]:
            states = layer(states, hidden)
        return Sequence(states, mask)

    def fuse(self, text: Sequence, video: Sequence) -> Float[Tensor, "B LV D"]:
        """What the upper layers make of each text with the video in its row behind it: L + V
        states."""
        both = text.then(video)
        states, hidden = both.states, additive(both.mask, both.states)[:, None, None]
        for layer in self.bert.encoder.in_order[self.fusion :]:
            states = layer(states, hidden)
        return states

    def fuse_first(self, text: Sequence, video: Sequence) -> Float[Tensor, "B D"]:
        """`fuse(text, video)[:, 0]`, without the other places of the last layer."""
        both = text.then(video)
        states, hidden = both.states, additive(both.mask, both.states)[:, None, None]
        *before, last = self.bert.encoder.in_order[self.fusion :]
        for layer in before:
            states = layer(states, hidden)
        return last.first(states, hidden)


class Network(nn.Module):
    """The two encoders, projections to the shared space, and heads."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = sizes.video.width
        self.visual_encoder, self.text_encoder = VideoEncoder(sizes.video), TextEncoder(sizes)
        self.vision_proj, self.text_proj = (nn.Linear(width, sizes.dim) for _ in range(2))
        self.itm_head = nn.Linear(width, 2)
        self.temp = nn.Parameter(torch.tensor(TEMPERATURE))
        self.mpm_head = two_layers(width, sizes.entities)
        self.classifier = two_layers(width, sizes.answers)
        # A narrow network wants larger weights for states, and scores, of the same size.
        initialize(self, SPREAD * (VideoSizes.width / width) ** 0.5)

    @property
    def temperature(self) -> Float[Tensor, ""]:
        """The temperature of cosines, within the bounds of the release."""
        return precise(self.temp).clamp(LOWEST, HIGHEST)

    def read_text(self, ids: Int[Tensor, "B L"], mask: Bool[Tensor, "B L"]) -> Sequence:
        """States of texts alone."""
        return self.text_encoder(ids, mask)

    def read_video(self, frames: Float[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]) -> Sequence:
        """States of clips alone: the summary token, then each place of the picture over time."""
        states = self.visual_encoder.model(frames, mask)
        return Sequence(states, torch.ones_like(states[..., 0], dtype=torch.bool))

    def text_vectors(self, text: Sequence) -> Float[Tensor, "B E"]:
        """Unit vectors of texts in float32 or finer."""
        return F.normalize(precise(self.text_proj(text.states[:, 0])), dim=1)

    def video_vectors(self, video: Sequence) -> Float[Tensor, "B E"]:
        """Unit vectors of clips in float32 or finer."""
        return F.normalize(precise(self.vision_proj(video.states[:, 0])), dim=1)

    def matching(self, first: Float[Tensor, "B D"]) -> Float[Tensor, "B 2"]:
        """Logits that a text and a clip do not belong together, and that they do, from the first
        fused state."""
        return precise(self.itm_head(first))


def two_layers(width: int, out: int) -> nn.Sequential | None:
    """A head of the release; none for no outputs."""
    if out == 0:
        return None
    return nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, out))


def initialize(network: Network, spread: float) -> None:
    """Random weights as the release begins: small ones, none of the time in all blocks but the
    first, so that a block begins by seeing each frame alone."""
    video = network.visual_encoder.model
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=spread)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
    for table in (video.cls_token, video.pos_embed):
        nn.init.normal_(table, std=spread)
    for block in list(video.blocks)[1:]:
        nn.init.zeros_(block.get_parameter("temporal_fc.weight"))
