"""The network of Violet (2111.12681), under the names of its release.

A video is a Swin's places of each frame behind a learned one for the whole frame, a text the
embeddings of its words, and a BERT over both makes them one. At the released sizes there are
49,509,078 weights in the Swin, 23,837,184 in the embeddings, 85,054,464 in the BERT, 1,182,721 in
`fc`, 24,063,546 in `fc_mtm` and 13,772,288 in `fc_mvm`.
"""

from dataclasses import dataclass, field
from functools import partial

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from reeltune.models._bert.layers import Layers, WordEmbeddings
from reeltune.models._bert.sequence import Sequence
from reeltune.models._bert.sizes import BertSizes
from reeltune.models._bert.word_head import WordHead
from reeltune.models._violet.codes import Codebook
from reeltune.models._violet.swin import SwinSizes, VideoSwin, WindowAttention
from reeltune.nn.attention_mask import additive

SPREAD, WIDTH = 0.02, 768  # standard deviation of random weights in the released width
HEAD_DROPOUT, ANSWER_DROPOUT = 0.1, 0.5
STATES_AT_ONCE = 1 << 17  # numbers of pairs' states at one place
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, by channel


@dataclass(frozen=True)
class Sizes:
    """Sizes of the network; the defaults are those of the released model for retrieval."""

    swin: SwinSizes = field(default_factory=SwinSizes)
    places: int = 197  # rows of the table of places of a frame
    frames: int = 6  # rows of the table of frames
    vocabulary: int = 30522
    words: int = 512  # positions of a text
    layers: int = 12
    heads: int = 12
    dropout: float = 0.1
    codes: int = 8192  # visual tokens
    fits: bool = False  # whether they are those of a codebook of our own
    chooses: bool = False  # whether there is a head that scores options
    answers: int = 0  # of a closed list

    @property
    def width(self) -> int:
        return self.swin.widths[-1]

    def bert(self) -> BertSizes:
        """Sizes of the layers."""
        return BertSizes(
            vocab_size=self.vocabulary,
            hidden_size=self.width,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            intermediate_size=4 * self.width,
            hidden_dropout_prob=self.dropout,
            attention_probs_dropout_prob=self.dropout,
            max_position_embeddings=self.words,
        )


class VideoEncoder(nn.Module):
    """States of each frame: one for all of it, then its places by row and column."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = sizes.width
        self.swin = VideoSwin(sizes.swin)
        self.emb_cls = nn.Parameter(torch.empty(1, 1, 1, width))
        self.emb_pos = nn.Parameter(torch.empty(1, 1, sizes.places, width))
        self.emb_len = nn.Parameter(torch.empty(1, sizes.frames, 1, width))
        self.norm = nn.LayerNorm(width)

    def forward(
        self, clips: UInt8[Tensor, "B T 3 S S"], seen: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B T P1 D"]:
        found = self.swin(self._normalized(clips), seen).flatten(2, 3)  # (B, T, P, D)
        whole = self.emb_cls.expand(*found.shape[:2], -1, -1)
        states = torch.cat([whole, found], dim=2)
        places, times = self.emb_pos[:, :, : states.shape[2]], self.emb_len[:, : seen.shape[1]]
        return self.norm(states + places + times)

    def _normalized(self, clips: Tensor) -> Tensor:
        mean, std = (self.emb_cls.new_tensor(of)[:, None, None] for of in (MEAN, STD))
        return (clips.to(self.emb_cls) / 255 - mean) / std


class TextEncoder(nn.Module):
    """Embeddings of words; as the release names them."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.emb_txt = WordEmbeddings(sizes.bert())

    def forward(self, ids: Int[Tensor, "B L"]) -> Float[Tensor, "B L D"]:
        return self.emb_txt(ids)


class Network(nn.Module):
    """Two encoders, layers over both, and heads."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width, self.chooses = sizes.width, sizes.chooses
        self.enc_img, self.enc_txt = VideoEncoder(sizes), TextEncoder(sizes)
        self.trsfr = Layers(sizes.bert())
        self.fc, self.fc_mvm = head(width, 1), head(width, sizes.codes)
        table = nn.Parameter(torch.empty(sizes.vocabulary, width))  # not that of the embeddings
        self.fc_mtm = WordHead(sizes.bert(), table)
        self.codebook = Codebook(sizes.codes) if sizes.fits else None
        if sizes.chooses:
            self.fc_mc = head(width, 1)
        if sizes.answers:
            self.fc_oe = head(width, sizes.answers, ANSWER_DROPOUT)
        # A narrow network wants larger weights for states, and scores, of the same size.
        self.apply(partial(_initialize, spread=SPREAD * (WIDTH / width) ** 0.5))

    def read_text(self, ids: Int[Tensor, "B L"], mask: Bool[Tensor, "B L"]) -> Sequence:
        """Embeddings of every token."""
        return Sequence(self.enc_txt(ids), mask)

    def read_video(self, clips: UInt8[Tensor, "B T 3 S S"], seen: Bool[Tensor, "B T"]) -> Sequence:
        """States of each frame: one for all of it, then one for each of its places."""
        states = self.enc_img(clips, seen)  # (B, T, 1 + P, D)
        return Sequence(states.flatten(1, 2), seen.repeat_interleave(states.shape[2], dim=1))

    def fuse(self, text: Sequence, video: Sequence) -> tuple[Tensor, Tensor]:
        """States of text (B, L, D) and of video (B, S, D) after the layers that see both."""
        states, mask = _joined(text, video)
        words = text.mask.shape[1]
        fused = self.trsfr(states, mask)
        return fused[:, :words], fused[:, words:]

    @torch.no_grad()
    def looked_at(
        self, text: Sequence, video: Sequence
    ) -> tuple[Float[Tensor, "B L"], Float[Tensor, "B S"]]:
        """How much all real places look at each word and at each state of the video: the mean over
        heads, summed over layers."""
        states, mask = _joined(text, video)
        asking = text.then(video).mask[:, None, :, None].to(states.dtype)
        found = states.new_zeros(states.shape[:2])
        for layer in self.trsfr.in_order:
            found += (layer.attention.self.weights(states, mask) * asking).mean(1).sum(1)
            states = layer(states, mask)
        words = text.mask.shape[1]
        return found[:, :words], found[:, words:]

    def summary(self, text: Sequence, video: Sequence) -> Float[Tensor, "B D"]:
        """The fused state of [CLS], the only one that the last layer then makes."""
        states, mask = _joined(text, video)
        *before, last = self.trsfr.in_order
        for layer in before:
            states = layer(states, mask)
        return last.first(states, mask)

    def align(self, text: Sequence, video: Sequence) -> Float[Tensor, "Q N"]:
        """Scores of all texts with all videos, a bounded number of pairs at once."""
        pairs = torch.cartesian_prod(torch.arange(len(text)), torch.arange(len(video)))
        at_once = max(1, STATES_AT_ONCE // video.states.shape[2])
        scores = []
        for some in pairs.to(text.mask.device).split(at_once):
            left, right = some.T
            scores.append(self.fc(self.summary(text.rows(left), video.rows(right))))
        return torch.cat(scores).view(len(text), len(video))

    def answer(self, text: Sequence, video: Sequence) -> Float[Tensor, "B V"]:
        """Scores of answers, or of the option in each text, by the head that there is for them."""
        head = self.fc_mc if self.chooses else self.fc_oe
        return head(self.summary(text, video))


def head(width: int, scores: int, dropout: float = HEAD_DROPOUT) -> nn.Sequential:
    """Scores of a state, by a middle of twice its width."""
    return nn.Sequential(
        nn.Dropout(dropout), nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, scores)
    )


def _joined(text: Sequence, video: Sequence) -> tuple[Tensor, Tensor]:
    """Text, then video, and the mask to be added to scores of attention.

    The release puts the video first; layers that know no places but those in the states make
    the same of either.
    """
    both = text.then(video)
    return both.states, additive(both.mask, both.states)[:, None, None]


def _initialize(module: nn.Module, spread: float) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=spread)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
    if isinstance(module, WindowAttention):
        nn.init.normal_(module.relative_position_bias_table, std=SPREAD)
    if isinstance(module, VideoEncoder):
        for table in (module.emb_cls, module.emb_pos, module.emb_len):
            nn.init.normal_(table, std=spread)
