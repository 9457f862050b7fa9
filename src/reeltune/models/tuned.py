"""Ways to tune a CLIP that VoP is compared with: whole, in part, or by something small inside.

none     nothing: zero-shot                      full     every weight
bias     every bias
proj     the two projections into the space      partial  the last layer of each tower
adapter-attn, adapter-ffn   a bottleneck after the attention or the MLP of every layer
lora     low-rank updates of query and value (Hu et al., 2106.09685; by peft), not in the VoP paper

A video is the mean of its frames, as in plain CLIP; at the start each equals plain CLIP.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from jaxtyping import Bool, Float, Int, UInt8
from pydantic import PositiveInt
from torch import Tensor, nn
from transformers import PreTrainedModel

from reeltune.errors import ConfigError
from reeltune.models import clip
from reeltune.models._adapter import Based, fill, read_adapter, save_adapter
from reeltune.models._contrast import batch_losses, contrastive
from reeltune.models._device import precision_named
from reeltune.models._on_clip import OnClip
from reeltune.models.exported.graphs import Graphs
from reeltune.models.opening.material import Material, Started
from reeltune.types import Batch

Method = Literal["none", "full", "bias", "proj", "partial", "adapter-attn", "adapter-ffn", "lora"]
WEIGHTS_FROM = "a folder that training wrote"
METHODS: tuple[Method, ...] = get_args(Method)


class Config(Based):
    """Says which CLIP is tuned, and which part of it."""

    method: Method = "full"
    hidden: PositiveInt = 64  # units of an adapter's bottleneck
    rank: PositiveInt = 8  # of LoRA's updates, which are scaled by 2

    def unread(self) -> dict[str, str]:
        """Settings that nothing reads, as `settings.unread.StatesUnread` describes them."""
        found, under = super().unread(), f"under config.method={self.method}"
        if not self.method.startswith("adapter-"):
            found["hidden"] = f"{under}, but by adapter-attn and adapter-ffn"
        if self.method != "lora":
            found["rank"] = f"{under}, but by lora"
        return found

    @classmethod
    def tiny(cls) -> "Config":
        """Adapters of 4 units in a tiny CLIP of random weights."""
        return cls(base=None, architecture=clip.Config.tiny(), method="adapter-ffn", hidden=4)

    def build(self) -> "Tuned":
        """The model on a CLIP of random weights."""
        return Tuned(self, self.skeleton()).eval()

    def start(self, material: Material = Material()) -> "Started[Tuned]":
        """The model as training begins, equal to its CLIP."""
        base = self.base_for(material)
        return Started(Tuned(self, base).to(base.mean.device))


class Adapter(nn.Module):
    """A bottleneck beside what it follows (Houlsby et al., 1902.00751); zero at the start."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, hidden), nn.Linear(hidden, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, hidden: Float[Tensor, "*B W"]) -> Float[Tensor, "*B W"]:
        """What is added to the hidden states, of the same shape."""
        return hidden + self.up(nn.functional.gelu(self.down(hidden)))


class Tuned(OnClip):
    """A `FrameEncoder` around a CLIP, some of whose weights are trainable."""

    def __init__(self, config: Config, base: clip.Clip, name: str = "tuned") -> None:
        super().__init__(base)
        self.config, self.name = config, name
        self.dim, self.pixels = base.dim, base.pixels
        base.requires_grad_(False)
        PREPARE[config.method](base.towers, config)
        self.clip = base
        base.unit_videos = config.compat is None
        self._names = [name for name, w in self.named_parameters() if w.requires_grad]

    @property
    def is_clip(self) -> bool:
        """Whether the towers are those of a plain CLIP, with other weights and nothing more."""
        return self.config.method in ("none", "full", "bias", "proj", "partial")

    def _facts(self) -> dict[str, object]:
        return {"method": self.config.method}

    def layers(self) -> list[list[nn.Module]]:
        """Stacks of layers whose weights several processes may share out; none unless all weights
        are trained."""
        towers = (self.clip.towers.text_model, self.clip.towers.vision_model)
        return [list(t.encoder.layers) for t in towers] if self.config.method == "full" else []

    def trained(self) -> dict[str, Tensor]:
        """Weights that training changes, by name."""
        weights = dict(self.named_parameters())
        return {name: weights[name] for name in self._names}

    def encode_frames(self, frames: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
        return self.clip.encode_frames(frames)

    def pool_frames(
        self, features: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        return self.clip.pool_frames(features, mask)

    def encode_video(
        self, frames: UInt8[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        return self.clip.encode_video(frames, mask)

    def vector_losses(
        self, text: Float[Tensor, "B D"], video: Float[Tensor, "B D"], group: Int[Tensor, " B"]
    ) -> dict[str, Tensor]:
        """`contrastive`: the objective, by default symmetric InfoNCE, with CLIP's temperature,
        which only `full` trains."""
        return contrastive(self, text, video, group, self.config.loss)

    def graphs(self) -> Graphs:
        """What `reeltune export` writes of it: its CLIP, as it was tuned."""
        return self.clip.graphs()

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Losses of the vectors of a batch."""
        return batch_losses(self, batch)

    def save_pretrained(self, folder: Path | str) -> None:
        """Write the weights that were trained, and say which CLIP they belong to."""
        save_adapter(Path(folder), "tuned", self.config, self._stored(), self._base_fingerprint)


@torch.inference_mode(False)
def load(folder: Path | None, device: str | None = None, dtype: str | None = None) -> Tuned:
    """The model whose trained weights are in `folder`, on the CLIP they were trained on."""
    precision = precision_named(dtype)
    config, base = read_adapter(folder, Config, device, None)  # rounded once, when it is whole
    model = Tuned(config, base)
    fill(Path(folder or "."), model._stored())
    return model.move(base.mean.device, precision).eval()


def _none(towers: PreTrainedModel, config: Config) -> None:
    pass


def _full(towers: PreTrainedModel, config: Config) -> None:
    towers.requires_grad_(True)


def _bias(towers: PreTrainedModel, config: Config) -> None:
    for name, weight in towers.named_parameters():
        weight.requires_grad_(name.endswith(".bias"))


def _proj(towers: PreTrainedModel, config: Config) -> None:
    for name in ("visual_projection", "text_projection"):
        if not hasattr(towers, name):
            raise ConfigError(
                f"method proj tunes the projections of a CLIP, and a {towers.config.model_type} "
                "has none; use another method"
            )
        getattr(towers, name).requires_grad_(True)


def _partial(towers: PreTrainedModel, config: Config) -> None:
    for tower in (towers.vision_model, towers.text_model):
        tower.encoder.layers[-1].requires_grad_(True)


def _adapter_attn(towers: PreTrainedModel, config: Config) -> None:
    for layer, width in _layers(towers):
        out = layer.self_attn.out_proj
        layer.self_attn.out_proj = nn.Sequential(out, Adapter(width, config.hidden))


def _adapter_ffn(towers: PreTrainedModel, config: Config) -> None:
    for layer, width in _layers(towers):
        layer.mlp = nn.Sequential(layer.mlp, Adapter(width, config.hidden))


def _lora(towers: PreTrainedModel, config: Config) -> None:
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ConfigError(
            "method lora needs peft, which is not installed; pip install 'reeltune[lora]'"
        ) from error
    targets = ["q_proj", "v_proj"]
    settings = LoraConfig(r=config.rank, lora_alpha=2 * config.rank, target_modules=targets)
    inject_adapter_in_model(settings, towers)


def _layers(towers: PreTrainedModel) -> list[tuple[Any, int]]:
    """Every layer of both towers with its width."""
    return [
        (layer, tower.config.hidden_size)
        for tower in (towers.vision_model, towers.text_model)
        for layer in tower.encoder.layers
    ]


PREPARE: dict[Method, Callable[[PreTrainedModel, Config], None]] = {
    "none": _none,
    "full": _full,
    "bias": _bias,
    "proj": _proj,
    "partial": _partial,
    "adapter-attn": _adapter_attn,
    "adapter-ffn": _adapter_ffn,
    "lora": _lora,
}
