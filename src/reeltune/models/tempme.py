"""TempMe: a frozen CLIP with low-rank updates whose image tower merges tokens inside frames and
across them (Shen et al., 2409.01156, ICLR 2025).

The defaults are those of the authors' released code: rank 8, 2 tokens merged in every layer for a
frame alone, clips joined by 2, 2 and 3 before the layers 8, 9 and 10 (from 0), which makes one clip
of 12 frames, 30 % of the tokens merged in a join and 10 % in every layer from there on. On CLIP
B/32 that is 12 x 8 x 4 x (768 + 512) = 491,520 weights of updates and (12 + 6 + 3) x 768 = 16,128
of positions, 507,648 in all.

A video is the mean of its frames' class tokens in the space, as of plain CLIP. Ours is that texts
are read as long as CLIP reads them, where the code cuts them at 32 words, and that its video's mean
is brought to unit length. With `rank` 0 nothing is trained: tokens are merged in CLIP as it is.
"""

from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int, UInt8
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt
from torch import Tensor

from reeltune.errors import ConfigError
from reeltune.models import clip
from reeltune.models._adapter import Based, fill, read_adapter, save_adapter
from reeltune.models._by_frames import unit
from reeltune.models._contrast import batch_losses, contrastive
from reeltune.models._device import precision_named
from reeltune.models._frames_there import require_frames
from reeltune.models._low_rank import update_layers
from reeltune.models._merged_tower import Amounts, MergedTower
from reeltune.models._on_clip import OnClip
from reeltune.models._rounded import with_rounded
from reeltune.models.opening.material import Material, Started
from reeltune.models.opening.weights import versions
from reeltune.records import Precision
from reeltune.types import Batch

WEIGHTS_FROM = "a folder that training wrote"
FRAMES_AT_ONCE = 96  # in inference; bounds the memory of one pass


class Join(BaseModel):
    """Before which layer, counted from 0, so many neighbouring clips become one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layer: NonNegativeInt
    clips: int = Field(default=2, ge=2)


class Config(Based):
    """Says which CLIP, the rank of its updates, and how much is merged where."""

    rank: NonNegativeInt = 8  # of the updates; 0: none
    within: NonNegativeInt = 2  # tokens of a frame merged in each layer before the first join
    joins: tuple[Join, ...] = (Join(layer=8), Join(layer=9), Join(layer=10, clips=3))
    across: float = Field(default=0.3, ge=0, le=0.5)  # share of the tokens merged in a join
    inside: float = Field(default=0.1, ge=0, le=0.5)  # share merged in each layer from there on
    positions: bool = True  # whether clips that are joined learn where in the video they are
    frames: PositiveInt = 12  # of the first table of positions

    def unread(self) -> dict[str, str]:
        """Settings that nothing reads, as `settings.unread.StatesUnread` describes them."""
        found = super().unread()
        if not self.joins:
            why = "without config.joins"
            found |= dict.fromkeys(("across", "inside", "positions", "frames"), why)
        elif not self.positions:
            found["frames"] = (
                "under config.positions=false; how many frames a clip has is set by --set frames"
            )
        return found

    @classmethod
    def tiny(cls) -> "Config":
        """Frames are joined by two before the second of two layers of a tiny CLIP."""
        joins = (Join(layer=1),)
        return cls(
            base=None, architecture=clip.Config.tiny(), rank=2, within=1, joins=joins, frames=4
        )

    def amounts(self, layers: int) -> Amounts:
        """The settings for a tower of so many layers; raises ConfigError where they do not fit."""
        wanted = [join.layer for join in self.joins]
        if wanted != sorted(set(wanted)) or any(layer >= layers for layer in wanted):
            raise ConfigError(
                f"joins are before the layers {', '.join(map(str, wanted))}, and the image tower "
                f"has {layers}, counted from 0; give --set config.joins layers of it that ascend"
            )
        joins = {join.layer: join.clips for join in self.joins}
        return Amounts(self.within, joins, self.across, self.inside)

    def build(self) -> "TempMe":
        """The model on a CLIP of random weights."""
        return TempMe(self, self.skeleton()).eval()

    def start(self, material: Material = Material()) -> "Started[TempMe]":
        """The model as training begins: updates and positions are zero."""
        base = self.base_for(material)
        return Started(TempMe(self, base).to(base.mean.device))


class TempMe(OnClip):
    """A `DualEncoder`; only the updates and the positions are trainable."""

    roundings = tuple(clip.ROUNDED)

    def __init__(self, config: Config, base: clip.Clip, name: str = "tempme") -> None:
        super().__init__(base)
        if base.family not in clip.MERGING:
            raise ConfigError(
                f"base {config.base} is a {base.family}, and tokens are merged around the class "
                "token of a CLIP; give a CLIP such as openai/clip-vit-base-patch32"
            )
        clip.require_whole(base)
        self.config, self.name = config, name
        self.dim, self.pixels = base.dim, base.pixels
        self.clip = base.requires_grad_(False)
        base.unit_videos = config.compat is None
        towers, rank = base.towers, config.rank
        vision = towers.vision_model.config
        amounts = config.amounts(vision.num_hidden_layers)
        places = config.frames if config.positions else None
        self.video = MergedTower(amounts, vision.hidden_size, places)
        both = {"text": towers.text_model, "image": towers.vision_model} if rank else {}
        self._updates = {name: update_layers(tower, rank) for name, tower in both.items()}

    def _facts(self) -> dict[str, object]:
        named = {"rank", "within", "joins", "across", "inside", "positions", "frames"}
        return self.config.model_dump(mode="json", include=named)

    def rounded(self, precision: Precision) -> "TempMe":
        """A model whose image tower is in this precision, and which else is this one."""
        parts = [f"clip.{part}" for part in clip.ROUNDED[precision]]
        copied = with_rounded(self, parts, precision)
        copied._known = (versions(copied), self.fingerprint)
        return copied

    def trained(self) -> dict[str, Tensor]:
        """Weights that training changes, by name."""
        found: dict[str, Tensor] = dict(self.video.named_parameters(prefix="video"))
        for tower, updates in self._updates.items():
            for number, update in enumerate(updates):
                found |= dict(update.named_parameters(prefix=f"{tower}.{number}"))
        return found

    def encode_video(
        self, frames: UInt8[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        """Mean of the unit vectors of the frames' class tokens, at unit length but for `compat`;
        only real frames are computed."""
        require_frames(mask)
        at_once = len(mask) if torch.is_grad_enabled() else max(1, FRAMES_AT_ONCE // mask.shape[1])
        chunks = zip(torch.split(frames, at_once), torch.split(mask, at_once), strict=True)
        return torch.cat([self._encode(some, real) for some, real in chunks])

    def _encode(self, frames: Tensor, mask: Tensor) -> Tensor:
        towers, there = self.clip.towers, mask.to(self.clip.mean.device)
        pixels = self.clip.normalize(frames[mask.to(frames.device)])
        read = self.video(
            towers.vision_model, pixels.to(towers.vision_model.dtype), mask.sum(dim=1).tolist()
        )
        vectors = unit(towers.visual_projection(read))  # (R, D)
        padded = vectors.new_zeros(*there.shape, self.dim)
        return self.clip.pool_frames(padded.index_put(there.nonzero(as_tuple=True), vectors), there)

    def vector_losses(
        self, text: Float[Tensor, "B D"], video: Float[Tensor, "B D"], group: Int[Tensor, " B"]
    ) -> dict[str, Tensor]:
        """`contrastive`: the objective, by default symmetric InfoNCE, with CLIP's own, frozen
        temperature."""
        return contrastive(self, text, video, group, self.config.loss)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Losses of the vectors of a batch."""
        return batch_losses(self, batch)

    def save_pretrained(self, folder: Path | str) -> None:
        """Write the updates and positions, and say which CLIP they belong to."""
        save_adapter(Path(folder), "tempme", self.config, self._stored(), self._base_fingerprint)


@torch.inference_mode(False)
def load(folder: Path | None, device: str | None = None, dtype: str | None = None) -> TempMe:
    """The model whose trained weights are in `folder`, on the CLIP they were trained on."""
    precision = precision_named(dtype)
    config, base = read_adapter(folder, Config, device, None)  # rounded once, when it is whole
    model = TempMe(config, base)
    fill(Path(folder or "."), model._stored())
    return model.move(base.mean.device, precision).eval()
