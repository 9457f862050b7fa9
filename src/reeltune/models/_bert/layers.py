"""The layers of BERT (1810.04805) with the names and numbers that transformers gives them.

They stand here because the public classes of transformers are whole models, and models of video and
language put other embeddings below the layers and other heads above them.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from reeltune.models._bert.sizes import BertSizes


class Heads(nn.Module):
    """Attention with several heads, each of which looks at all places that the mask leaves."""

    def __init__(self, settings: BertSizes) -> None:
        super().__init__()
        width, self.heads = settings.hidden_size, settings.num_attention_heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.dropout = nn.Dropout(settings.attention_probs_dropout_prob)

    def forward(
        self, asking: Float[Tensor, "B L D"], seen: Float[Tensor, "B M D"], mask: Tensor
    ) -> Float[Tensor, "B L D"]:
        """What the queries `asking` find in `seen`; the mask is added to scores (B, 1, L or 1, M),
        or true where they count."""
        return self.look(asking, *self.remember(seen), mask)

    def remember(self, seen: Float[Tensor, "B M D"]) -> tuple[Tensor, Tensor]:
        """Keys and values by head, (B, H, M, D / H)."""
        return self.by_head(self.key(seen)), self.by_head(self.value(seen))

    def look(
        self, asking: Float[Tensor, "B L D"], keys: Tensor, values: Tensor, mask: Tensor | None
    ) -> Float[Tensor, "B L D"]:
        """What the queries `asking` find in the remembered keys."""
        rate = self.dropout.p if self.training else 0.0
        query = self.by_head(self.query(asking))
        found = F.scaled_dot_product_attention(query, keys, values, mask, dropout_p=rate)
        return found.transpose(1, 2).flatten(2)

    def weights(
        self, states: Float[Tensor, "B L D"], mask: Float[Tensor, "B 1 1 L"]
    ) -> Float[Tensor, "B H L L"]:
        """How much each place looks at each, in each head; the shares of a place add up to 1."""
        query, key = self.by_head(self.query(states)), self.by_head(self.key(states))
        return (query @ key.transpose(2, 3) / query.shape[3] ** 0.5 + mask).softmax(dim=3)

    def by_head(self, states: Float[Tensor, "B L D"]) -> Float[Tensor, "B H L E"]:
        return states.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Joined(nn.Module):
    """A linear map, whose result is added to what came before it and normalised."""

    def __init__(self, width: int, settings: BertSizes) -> None:
        super().__init__()
        self.dense = nn.Linear(width, settings.hidden_size)
        self.LayerNorm = nn.LayerNorm(settings.hidden_size, eps=settings.layer_norm_eps)
        self.dropout = nn.Dropout(settings.hidden_dropout_prob)

    def forward(
        self, found: Float[Tensor, "... W"], before: Float[Tensor, "... D"]
    ) -> Float[Tensor, "... D"]:
        return self.LayerNorm(self.dropout(self.dense(found)) + before)


class Intermediate(nn.Module):
    """The wide part of a layer."""

    def __init__(self, settings: BertSizes) -> None:
        super().__init__()
        self.dense = nn.Linear(settings.hidden_size, settings.intermediate_size)

    def forward(self, states: Float[Tensor, "... D"]) -> Float[Tensor, "... W"]:
        return F.gelu(self.dense(states))


class Attention(nn.Module):
    """Attention and what joins its result to its input."""

    def __init__(self, settings: BertSizes) -> None:
        super().__init__()
        self.self = Heads(settings)
        self.output = Joined(settings.hidden_size, settings)


class Layer(nn.Module):
    """Attention, then two linear maps with a wide middle."""

    def __init__(self, settings: BertSizes) -> None:
        super().__init__()
        self.attention, self.intermediate = Attention(settings), Intermediate(settings)
        self.output = Joined(settings.intermediate_size, settings)

    def forward(self, states: Float[Tensor, "B L D"], mask: Tensor) -> Float[Tensor, "B L D"]:
        return self.after(self.attention.self(states, states, mask), states)

    def first(
        self, states: Float[Tensor, "B L D"], mask: Float[Tensor, "B 1 1 L"]
    ) -> Float[Tensor, "B D"]:
        """`forward(states, mask)[:, 0]`, computed without the other places."""
        first = states[:, :1]
        return self.after(self.attention.self(first, states, mask), first)[:, 0]

    def after(
        self, found: Float[Tensor, "... D"], asking: Float[Tensor, "... D"]
    ) -> Float[Tensor, "... D"]:
        """What the layer makes of what its attention has found."""
        states = self.attention.output(found, asking)
        return self.output(self.intermediate(states), states)


class Layers(nn.Module):
    """One layer after another."""

    def __init__(self, settings: BertSizes) -> None:
        super().__init__()
        self.layer = nn.ModuleList([Layer(settings) for _ in range(settings.num_hidden_layers)])

    @property
    def in_order(self) -> list[Layer]:
        return [layer for layer in self.layer if isinstance(layer, Layer)]

    def forward(self, states: Float[Tensor, "B L D"], mask: Tensor) -> Float[Tensor, "B L D"]:
        for layer in self.in_order:
            states = layer(states, mask)
        return states


class WordEmbeddings(nn.Module):
    """Words and positions of a text that stands alone, so that all of it is of the first kind."""

    def __init__(self, settings: BertSizes) -> None:
        super().__init__()
        width = settings.hidden_size
        self.word_embeddings = nn.Embedding(
            settings.vocab_size, width, padding_idx=settings.pad_token_id
        )
        self.position_embeddings = nn.Embedding(settings.max_position_embeddings, width)
        self.token_type_embeddings = nn.Embedding(settings.type_vocab_size, width)
        self.LayerNorm = nn.LayerNorm(width, eps=settings.layer_norm_eps)
        self.dropout = nn.Dropout(settings.hidden_dropout_prob)

    def forward(self, ids: Int[Tensor, "B L"]) -> Float[Tensor, "B L D"]:
        kinds = self.token_type_embeddings(torch.zeros_like(ids))
        places = self.position_embeddings.weight[: ids.shape[1]]
        return self.dropout(self.LayerNorm(self.word_embeddings(ids) + kinds + places))


class Bert(nn.Module):
    """Embeddings and layers, without a pooler."""

    def __init__(self, settings: BertSizes) -> None:
        super().__init__()
        self.embeddings, self.encoder = WordEmbeddings(settings), Layers(settings)

    def forward(self, ids: Int[Tensor, "B L"], mask: Bool[Tensor, "B L"]) -> Float[Tensor, "B L D"]:
        """States of the last layer; no place looks at those that the mask leaves out."""
        return self.encoder(self.embeddings(ids), mask[:, None, None])


class Pooler(nn.Module):
    """A reading of the first state."""

    def __init__(self, settings: BertSizes) -> None:
        super().__init__()
        self.dense = nn.Linear(settings.hidden_size, settings.hidden_size)

    def forward(self, states: Float[Tensor, "B L D"]) -> Float[Tensor, "B D"]:
        return self.dense(states[:, 0]).tanh()


class HeadTransform(nn.Module):
    """The transformation of states that a head makes before it scores words or frames."""

    def __init__(self, settings: BertSizes) -> None:
        super().__init__()
        self.dense = nn.Linear(settings.hidden_size, settings.hidden_size)
        self.LayerNorm = nn.LayerNorm(settings.hidden_size, eps=settings.layer_norm_eps)

    def forward(self, states: Float[Tensor, "B L D"]) -> Float[Tensor, "B L D"]:
        return self.LayerNorm(F.gelu(self.dense(states)))
