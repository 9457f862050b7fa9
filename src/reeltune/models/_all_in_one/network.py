"""The network of All-in-one (Wang et al., 2203.07303): 133,932,860 weights with the heads that
guess words and match, and 787,456 in the two projections to the shared space.

Names of modules are those of the released state dict.
"""

from dataclasses import dataclass, field
from functools import partial

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from reeltune.errors import ConfigError
from reeltune.models._all_in_one.transformer import Clips, Transformer, VitSizes
from reeltune.models._bert.layers import Pooler, WordEmbeddings
from reeltune.models._bert.sequence import Sequence
from reeltune.models._bert.sizes import BertSizes
from reeltune.models._bert.word_head import WordPredictions
from reeltune.nn.precise import precise

SPREAD = 0.02  # standard deviation of random weights in the released width
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, by channel
OPTION_WIDTH, OPTION_DROPOUT = 256, 0.1  # of the head that scores options
ANSWER_DROPOUT = 0.5  # of the head that scores answers of a list
TEXT, VIDEO = 0, 1  # types of tokens


@dataclass(frozen=True)
class Sizes:
    """Sizes from which the network is built; the defaults are those of the released model."""

    vit: VitSizes = field(default_factory=VitSizes)
    vocabulary: int = 30522
    words: int = 40  # positions of a text
    dim: int = 512  # of vectors
    chooses: bool = False  # whether there is a head that scores options
    answers: int = 0  # scores of the head of a list of answers; 0: there is none

    def bert(self) -> BertSizes:
        """Sizes of the embeddings of words and of the head over words."""
        return BertSizes(
            vocab_size=self.vocabulary,
            hidden_size=self.vit.width,
            hidden_dropout_prob=self.vit.dropout,
            max_position_embeddings=self.words,
        )


class Matching(nn.Module):
    """Logits that a text and a clip do not belong together, and that they do."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc = nn.Linear(width, 2)

    def forward(self, summary: Float[Tensor, "B D"]) -> Float[Tensor, "B 2"]:
        return precise(self.fc(summary))


class Network(nn.Module):
    """Embeddings, the transformer that all of them share, projections and heads."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width, settings = sizes.vit.width, sizes.bert()
        self.text_embeddings = WordEmbeddings(settings)
        self.token_type_embeddings = nn.Embedding(2, width)  # of texts, of frames
        self.transformer = Transformer(sizes.vit)
        self.pooler = Pooler(settings)
        table = nn.Parameter(torch.empty(sizes.vocabulary, width))  # not that of the embeddings
        self.mlm_score = WordPredictions(settings, table)
        self.itm_score = Matching(width)
        self.txt_proj, self.vid_proj = (nn.Linear(width, sizes.dim) for _ in range(2))
        self.mc_vqa_classifier = (
            answering_head(width, OPTION_WIDTH, 1, OPTION_DROPOUT) if sizes.chooses else None
        )
        self.vqa_classifier = (
            answering_head(width, width // 2, sizes.answers, ANSWER_DROPOUT)
            if sizes.answers
            else None
        )
        # A narrow network wants larger weights for states, and scores, of the same size.
        self.apply(partial(_initialize, spread=SPREAD * (VitSizes.width / width) ** 0.5))

    @property
    def answering(self) -> nn.Module:
        """The head that scores options, or the answers of a list.

        Errors: `ConfigError` for a network without one.
        """
        head = self.mc_vqa_classifier or self.vqa_classifier
        if head is None:
            raise ConfigError("the network has no head that answers; build one with config.task")
        return head

    def read_text(self, ids: Int[Tensor, "B L"], mask: Bool[Tensor, "B L"]) -> Sequence:
        """Embeddings of every token."""
        states = self.text_embeddings(ids) + self.token_type_embeddings.weight[TEXT]
        return Sequence(states, mask)

    def read_frames(self, frames: UInt8[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]) -> Clips:
        """Embeddings of the places of every frame; real frames come first."""
        kind = self.token_type_embeddings.weight[VIDEO]
        mean, std = (kind.new_tensor(of)[:, None, None] for of in (MEAN, STD))
        states = self.transformer.embed((frames.to(kind) / 255 - mean) / std, mask)
        return Clips(states + kind, mask)

    def text_vectors(self, text: Sequence) -> Float[Tensor, "B E"]:
        """Unit vectors of texts in float32 or finer."""
        return _unit(self.txt_proj(self.transformer.words(text)[:, 0]))

    def video_vectors(self, video: Clips) -> Float[Tensor, "B E"]:
        """Unit vectors of clips in float32 or finer."""
        return _unit(self.vid_proj(self.transformer.frames(video)))

    def summary(self, text: Sequence, video: Clips) -> Float[Tensor, "B D"]:
        """One state for each text and the clip in its row."""
        return self.pooler(self.transformer.fuse(text, video))

    def match(self, text: Sequence, video: Clips) -> Float[Tensor, " B"]:
        """By how much the logit of belonging together is above that of not doing so."""
        logits = self.itm_score(self.summary(text, video))
        return logits[:, 1] - logits[:, 0]


def answering_head(width: int, middle: int, scores: int, dropout: float) -> nn.Sequential:
    """A head of the release for questions."""
    return nn.Sequential(
        nn.Dropout(dropout),
        nn.Linear(width, middle),
        nn.LayerNorm(middle),
        nn.GELU(),
        nn.Linear(middle, scores),
    )


def _unit(vectors: Tensor) -> Tensor:
    return F.normalize(precise(vectors), dim=1)


def _initialize(module: nn.Module, spread: float) -> None:
    """Small random weights, as the release draws them."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=spread)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
    if isinstance(module, Transformer):
        for table in (module.cls_token, module.pos_embed):
            nn.init.normal_(table, std=spread)
