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
    and the end token at which a text is read, see all of them. With a `suffix`, also of 0, as in
    ModelScope's release: so many of the prompts stand before the last position of the context.
    """

    def __init__(self, tower: PreTrainedModel, length: int, suffix: int | None = None) -> None:
        super().__init__()
        settings = tower.config
        self.length, self.is_padded = length, suffix is not None
        self.before, self.behind = length - (suffix or 0), suffix or 0
        if settings.max_position_embeddings - length < 3:
            raise ConfigError(
                f"{length} text prompts leave no room for words in a context of "
                f"{settings.max_position_embeddings} tokens; use fewer"
            )
        shape = (settings.num_hidden_layers, length, settings.hidden_size)
        self.table = nn.Parameter(STD * torch.randn(shape)) if length else None

    def forward(self, tower: PreTrainedModel, ids: Int[Tensor, "B L"]) -> Float[Tensor, "B W"]:
        """What the tower reads as many places behind each text's end token as there are prompts.

        That is the end token itself where they all stand before it. Padding stands behind the end
        token, which sees nothing behind it, so it needs no mask.
        """
        end = self._end(tower, ids)
        if self.is_padded:
            ids = _padded(ids, end, tower.config.max_position_embeddings - self.length)
        words = tower.embeddings.token_embedding(ids)
        hidden = tower.embeddings(inputs_embeds=self._insert(words, 0))  # (B, L + P, W)
        causal = _causal(hidden)
        for number, layer in enumerate(tower.encoder.layers):
            if number:
                hidden = self._insert(hidden, number, self.before, self.behind)
            hidden = layer(hidden, causal)
        rows = torch.arange(len(ids), device=ids.device)
        return tower.final_layer_norm(hidden)[rows, end + self.length]

    def _insert(self, tokens: Tensor, layer: int, front: int = 0, back: int = 0) -> Tensor:
        """Put the layer's prompts after the start token and before the last position, in the place
        of `front` and `back` tokens there."""
        if self.table is None:
            return tokens
        prompts = self.table[layer].to(tokens.dtype).expand(len(tokens), -1, -1)
        before, behind = prompts.split([self.before, self.behind], dim=1)
        words, last = tokens[:, 1 + front : -1 - back], tokens[:, -1:]
        return torch.cat([tokens[:, :1], before, words, behind, last], dim=1)

    def _end(self, tower: PreTrainedModel, ids: Tensor) -> Int[Tensor, " B"]:
        """Position of the end token, found as transformers finds it."""
        if tower.eos_token_id == 2:  # configs from before 2023: the largest id ends a text
            return ids.argmax(dim=1)
        return (ids == tower.eos_token_id).int().argmax(dim=1)


def _padded(ids: Int[Tensor, "B L"], end: Int[Tensor, " B"], length: int) -> Int[Tensor, "B C"]:
    """Texts padded with token 0 behind their ends, up to the whole context."""
    places = torch.arange(ids.shape[1], device=ids.device)
    kept = ids.masked_fill(places > end[:, None], 0)
    return nn.functional.pad(kept, (0, length - ids.shape[1]))


def _causal(hidden: Float[Tensor, "B L W"]) -> Float[Tensor, "1 1 L L"]:
    """The mask by which a token sees itself and those before it."""
    length = hidden.shape[1]
    seen = torch.ones(length, length, dtype=torch.bool, device=hidden.device).tril()
    return additive(seen, hidden)[None, None]
