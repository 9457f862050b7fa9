"""CLIP's text tower with prompts between the start token and the words, new ones in each layer."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from reeltune.errors import ConfigError
from reeltune.models._prompts import STD
from reeltune.nn.attention_mask import additive


class PromptedText(nn.Module):
    """The prompts alone; the tower is an argument, so that its weights stay in one place.

    Equation 3 of VoP: every prompt stands before the words, so the causal mask lets each word,
    and the end token at which a text is read, see all of them.
    """

    def __init__(self, tower: PreTrainedModel, length: int) -> None:
        super().__init__()
        settings = tower.config
        self.length = length
        if settings.max_position_embeddings - length < 3:
            raise ConfigError(
                f"{length} text prompts leave no room for words in a context of "
                f"{settings.max_position_embeddings} tokens; use fewer"
            )
        shape = (settings.num_hidden_layers, length, settings.hidden_size)
        self.table = nn.Parameter(STD * torch.randn(shape)) if length else None

    def forward(self, tower: PreTrainedModel, ids: Int[Tensor, "B L"]) -> Float[Tensor, "B W"]:
        """What the tower reads at each text's end token.

        Padding stands behind the end token, which sees nothing behind it, so it needs no mask.
        """
        words = tower.embeddings.token_embedding(ids)
        hidden = tower.embeddings(inputs_embeds=self._insert(words, 0, gap=0))  # (B, L + P, W)
        causal = _causal(hidden)
        for number, layer in enumerate(tower.encoder.layers):
            if number:
                hidden = self._insert(hidden, number, gap=self.length)
            hidden = layer(hidden, causal)
        end = self._end(tower, ids) + self.length
        return tower.final_layer_norm(hidden)[torch.arange(len(ids), device=ids.device), end]

    def _insert(self, tokens: Tensor, layer: int, gap: int) -> Tensor:
        """Put the layer's prompts after the start token, in the place of `gap` tokens there."""
        if self.table is None:
            return tokens
        prompts = self.table[layer].to(tokens.dtype).expand(len(tokens), -1, -1)
        return torch.cat([tokens[:, :1], prompts, tokens[:, 1 + gap :]], dim=1)

    def _end(self, tower: PreTrainedModel, ids: Tensor) -> Int[Tensor, " B"]:
        """Place of the end token, found as transformers finds it."""
        if tower.eos_token_id == 2:  # configs from before 2023: the largest id ends a text
            return ids.argmax(dim=1)
        return (ids == tower.eos_token_id).int().argmax(dim=1)


def _causal(hidden: Float[Tensor, "B L W"]) -> Float[Tensor, "1 1 L L"]:
    """A token sees itself and what stands before it."""
    length = hidden.shape[1]
    seen = torch.ones(length, length, dtype=torch.bool, device=hidden.device).tril()
    return additive(seen, hidden)[None, None]
