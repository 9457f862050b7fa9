"""Sizes of a BERT."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BertSizes:
    """Sizes of a BERT (1810.04805), under the names of `BertConfig` of transformers, whose import
    takes longer than that of torch; the defaults are those of BERT-base."""

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    pad_token_id: int = 0
