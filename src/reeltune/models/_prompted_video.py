"""CLIP's image tower with prompts, over the frames of several videos."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from reeltune.errors import ConfigError
from reeltune.models._prompts import Context, Generic, Joint, Position, Rows
from reeltune.nn.attention_mask import additive


class PromptedVideo(nn.Module):
    """The prompts alone; the tower is an argument, so that its weights stay in one place.

    In the first `alone` layers each frame attends to itself and to its prompts. In the layers
    after them all frames of a video attend to each other and to the video's prompts.
    """

    def __init__(
        self, tower: PreTrainedModel, lengths: Mapping[str, int], frames: int, alone: int
    ) -> None:
        super().__init__()
        depth, width = tower.config.num_hidden_layers, tower.config.hidden_size
        self.alone = alone
        if self.alone > depth:
            raise ConfigError(
                f"joint prompts start after layer {self.alone}, and the tower has {depth}; "
                f"give the joint prompts of --set config.prompts an `after` of {depth} or less"
            )
        made: dict[str, nn.Module] = {}  # in the order in which the tokens stand
        if lengths.get("generic"):
            made["generic"] = Generic(self.alone, lengths["generic"], width)
        if lengths.get("position"):
            made["position"] = Position(self.alone, frames, lengths["position"], width)
        if lengths.get("context"):
            made["context"] = Context(lengths["context"], width)
        self.alone_prompts = nn.ModuleDict(made if self.alone else {})
        joint = depth - self.alone
        self.joint = Joint(joint, frames, lengths["joint"], width) if joint else None
        self.is_bounded = self.joint is not None or "position" in self.alone_prompts

    def forward(
        self, tower: PreTrainedModel, pixels: Float[Tensor, "R 3 S S"], rows: Rows
    ) -> Float[Tensor, "R W"]:
        """The tower's output at each frame's class token."""
        hidden = tower.embeddings(pixels)  # (R, 1 + M, W)
        layers = list(tower.encoder.layers)
        first = tower.pre_layrnorm
        for number in range(self.alone):
            prompted = self._prompt(hidden, number, rows)
            seen = layers[number](first(prompted), None)
            hidden = _without(seen, prompted.shape[1] - hidden.shape[1])
            first = nn.Identity()
        if self.joint is not None:
            hidden = self._together(layers[self.alone :], first, hidden, rows)
        return tower.post_layernorm(hidden[:, 0])

    def _prompt(self, hidden: Tensor, layer: int, rows: Rows) -> Tensor:
        """The layer's prompts between the class token and the patches."""
        cls = hidden[:, 0]
        made = [prompt(layer, cls, rows).to(hidden.dtype) for prompt in self.alone_prompts.values()]
        return torch.cat([hidden[:, :1], *made, hidden[:, 1:]], dim=1) if made else hidden

    def _together(
        self, layers: list[nn.Module], first: nn.Module, hidden: Tensor, rows: Rows
    ) -> Tensor:
        """Run the layers that see all frames of a video as one sequence, with the prompts in
        front."""
        joint = self.joint
        if joint is None:
            return hidden
        count, length = hidden.shape[1], joint.table.shape[1]
        placed = hidden + joint.position[rows.position].to(hidden.dtype)[:, None]  # (R, 1 + M, W)
        videos = rows.pad(placed).flatten(1, 2)  # (B, T (1 + M), W)
        mask = self._mask(videos, rows, count, length)
        for number, layer in enumerate(layers):
            prompts = joint.table[number].to(hidden.dtype).expand(len(videos), -1, -1)
            videos = layer(first(torch.cat([prompts, videos], dim=1)), mask)[:, length:]
            first = nn.Identity()
        return rows.unpad(videos.unflatten(1, (-1, count)))

    def _mask(self, videos: Tensor, rows: Rows, count: int, length: int) -> Tensor | None:
        """Which tokens are real, for attention; None if all videos have the same length."""
        if rows.are_even():
            return None
        longest = videos.shape[1] // count
        real = torch.arange(longest, device=videos.device) < rows.lengths[:, None]  # (B, T)
        tokens = real.repeat_interleave(count, dim=1)
        ones = tokens.new_ones(len(tokens), length)
        seen = torch.cat([ones, tokens], dim=1)[:, None, None]  # (B, 1, 1, P + T (1 + M))
        return additive(seen, videos)


def _without(hidden: Tensor, prompts: int) -> Tensor:
    """Drop the prompts behind the class token."""
    return torch.cat([hidden[:, :1], hidden[:, 1 + prompts :]], dim=1) if prompts else hidden
