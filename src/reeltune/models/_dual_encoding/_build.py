"""Builds the towers of Dual Encoding from the settings of the model."""

from typing import TYPE_CHECKING

import torch
from torch import nn

from reeltune.models._dual_encoding._levels import Levels, Seen
from reeltune.models._dual_encoding._space import Space
from reeltune.models._dual_encoding._towers import VideoTower
from reeltune.models._dual_encoding._vocabulary import PAD, SPECIALS

if TYPE_CHECKING:
    from reeltune.models.dual_encoding import Config


def video_tower(config: "Config") -> VideoTower:
    """Levels of the video tower over frame features, and its space."""
    seen: Seen = "all" if config.hs_compat else "nothing"
    levels = Levels(
        config.features,
        config.video_hidden or config.hidden,
        config.video_bidirectional,
        config.video_kernels,
        config.filters,
        config.dropout,
        seen,
    )
    width = levels.width + config.features
    space = Space(width, config.latent, config.concepts, config.dropout)
    return VideoTower(levels, space, config.frames_at_most)


def text_parts(config: "Config") -> tuple[Levels, Space]:
    """Levels of the text tower over word vectors, and its space."""
    seen: Seen = "maximum" if config.hs_compat else "nothing"
    levels = Levels(
        config.embedding,
        config.hidden,
        config.text_bidirectional,
        config.text_kernels,
        config.filters,
        config.dropout,
        seen,
    )
    width = levels.width + config.words + config.sentence
    return levels, Space(width, config.latent, config.concepts, config.dropout)


def word_table(config: "Config") -> nn.Embedding:
    """Uniform, as the released code starts words that its vectors lack."""
    frozen = PAD if config.pad == "zero" else None
    embedding = nn.Embedding(config.words + SPECIALS, config.embedding, padding_idx=frozen)
    with torch.no_grad():
        embedding.weight.uniform_(-config.embedding_range, config.embedding_range)
        if frozen is not None:
            embedding.weight[frozen] = 0
    return embedding
