"""VoP: a frozen CLIP with learned prompts in every layer of both towers (2211.12764, CVPR 2023).

A variant is a list of prompts: text and generic ones are VoP; position and context ones make
VoP^P and VoP^C; joint ones, which let the later layers see all frames of a video at once, VoP^F.

Where the paper is silent: layer-0 prompts of frames pass the tower's first layer norm and get no
position embedding, those of texts get the position embedding of where they stand (both as in the
authors' released model); texts are read at their end token, shifted by the prompts before it.

`compat: modelscope` computes what the released code computes, for its weights: the last `suffix`
text prompts stand before the last position of the context, behind all words; a text is padded
with token 0 to the whole context, and read as many places behind its end token as there are text
prompts, which is one of the padding unless the text fills the context; and the mean of a video's
frames is not brought to unit length.

Beyond the paper, `auxiliary` names losses beside the contrastive one that suit a frozen CLIP
(`_vop_auxiliary.py`); without any, which is the default, training is the paper's.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float, Int, UInt8
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from reeltune.errors import ConfigError
from reeltune.models import clip
from reeltune.models._adapter import Based, fill, read_adapter, save_adapter
from reeltune.models._contrast import batch_losses, by_cosines, contrastive
from reeltune.models._frames_there import require_frames
from reeltune.models._prompted_text import PromptedText
from reeltune.models._prompted_video import PromptedVideo
from reeltune.models._prompts import Rows
from reeltune.models._vop_auxiliary import Auxiliary, near_frozen, of_hardest, order_loss
from reeltune.models.opening.material import Material, Started
from reeltune.models.opening.weights import fingerprint
from reeltune.ranks.ranks import sharing
from reeltune.types import Batch, Tokens

WEIGHTS_FROM = "a folder that training wrote"
FRAMES_AT_ONCE = 96  # in inference; bounds the memory of one pass


class Part(BaseModel):
    """Prompts of one kind; `length` tokens in each layer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    length: NonNegativeInt = 8


class Text(Part):
    """Prompts in the text tower, between the start token and the words."""

    kind: Literal["text"] = "text"


class Generic(Part):
    """Prompts that are shared by all frames."""

    kind: Literal["generic"] = "generic"


class Position(Part):
    """Prompts for each position of a frame in the video."""

    kind: Literal["position"] = "position"
    length: NonNegativeInt = 4


class Context(Part):
    """Prompts made from the class tokens of all frames of the video."""

    kind: Literal["context"] = "context"
    length: NonNegativeInt = 4


class Joint(Part):
    """Prompts for the whole video, in the layers after `after`, which see all frames at once."""

    kind: Literal["joint"] = "joint"
    after: NonNegativeInt | None = None  # K_s; None: two thirds of the layers, the paper's 8 of 12


Prompt = Annotated[Text | Generic | Position | Context | Joint, Field(discriminator="kind")]


class Config(Based):
    """Says which CLIP and which prompts; the default is plain VoP."""

    prompts: tuple[Prompt, ...] = (Text(), Generic())
    frames: PositiveInt = 12  # of the tables of frame positions
    suffix: NonNegativeInt = 0  # of the text prompts, those behind the words; with `compat` alone
    auxiliary: tuple[Auxiliary, ...] = ()  # losses beside the contrastive one

    def unread(self) -> dict[str, str]:
        """Settings that nothing reads, as `settings.unread.StatesUnread` describes them."""
        found = super().unread()
        if not {"position", "joint"} & {part.kind for part in self.prompts}:
            why = "by these config.prompts, but by those of kind position and joint"
            found["frames"] = f"{why}; how many frames a clip has is set by --set frames"
        if self.compat is None:
            found["suffix"] = "without config.compat, but by config.compat=modelscope"
        return found

    @classmethod
    def tiny(cls) -> "Config":
        """Every kind of prompt but the generic on a CLIP of two layers."""
        parts = (Text(length=2), Position(length=1), Context(length=1), Joint(length=2, after=1))
        return cls(base=None, architecture=clip.Config.tiny(), prompts=parts, frames=3)

    def build(self) -> "Vop":
        """The model on a CLIP of random weights."""
        return self.on(self.skeleton()).eval()

    def start(self, material: Material = Material()) -> "Started[Vop]":
        """The model as training begins: the CLIP's own weights, and prompts of random ones."""
        base = self.base_for(material)
        return Started(self.on(base).to(base.mean.device))

    def on(self, base: clip.Clip) -> "Vop":
        """The model on a CLIP, with the losses that are asked for."""
        return (
            Taught(self, base) if {"order", "distillation"} & {*self.auxiliary} else Vop(self, base)
        )


class Vop(nn.Module):
    """A `DualEncoder`; only `text` and `video`, the prompts, are trainable."""

    primary, tasks = "contrastive", ("contrastive",)

    def __init__(self, config: Config, base: clip.Clip, name: str = "vop") -> None:
        super().__init__()
        if base.family != "clip":
            raise ConfigError(
                f"base {config.base} is a {base.family}, and VoP prompts the towers of a CLIP; "
                "give a CLIP such as openai/clip-vit-base-patch32"
            )
        kinds = [part.kind for part in config.prompts]
        if len(set(kinds)) < len(kinds):
            raise ConfigError(f"prompts are {', '.join(kinds)}; give each kind once")
        clip.require_whole(base)
        self.config, self.name = config, name
        self.clip = base.requires_grad_(False)
        base.unit_videos = config.compat is None
        sizes: dict[str, int] = {part.kind: part.length for part in config.prompts}
        depth = base.towers.config.vision_config.num_hidden_layers
        joint = [part.after for part in config.prompts if isinstance(part, Joint)]
        alone = depth if not joint else joint[0] if joint[0] is not None else round(2 * depth / 3)
        suffix = None if config.compat is None else config.suffix
        if config.suffix > (sizes.get("text", 0) if config.compat else 0):
            raise ConfigError(
                f"suffix is {config.suffix}, and of the text prompts those behind the words are "
                "computed with compat=modelscope alone, and are no more than all; "
                "give --set config.suffix=0"
            )
        self.text = PromptedText(base.towers.text_model, sizes.pop("text", 0), suffix)
        self.video = PromptedVideo(base.towers.vision_model, sizes, config.frames, alone)
        self.dim, self.pixels = base.dim, base.pixels

    @property
    def logit_scale(self) -> Tensor:
        """The logarithm of the inverse temperature of its CLIP."""
        return self.clip.logit_scale

    @property
    def fingerprint(self) -> str:
        compat = {"compat", "suffix"} if self.config.compat else set()
        facts = self.config.model_dump(mode="json", include={"prompts", "frames", *compat})
        return fingerprint(self.trained(), {**facts, "base": self.clip.fingerprint})

    def trained(self) -> dict[str, Tensor]:
        """Weights that training changes, by name."""
        parts = {"text": self.text, "video": self.video}
        return {
            f"{part}.{name}": weight
            for part, module in parts.items()
            for name, weight in module.named_parameters()
        }

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Token ids, cut so that the prompts fit into the tower's context beside them."""
        return self.clip.tokenize(texts, self.clip.context - self.text.length)

    def encode_text(self, tokens: Tokens) -> Float[Tensor, "B D"]:
        device = self.clip.mean.device
        parts = []
        for ids in torch.split(tokens.ids, clip.TEXTS_AT_ONCE):
            read = self.text(self.clip.towers.text_model, ids.to(device))
            parts.append(_unit(self.clip.towers.text_projection(read)))
        return torch.cat(parts)

    def encode_video(
        self, frames: UInt8[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        """Mean of the frames' unit vectors, at unit length but for `compat`; only real frames are
        computed."""
        require_frames(mask)
        at_once = len(mask) if torch.is_grad_enabled() else max(1, FRAMES_AT_ONCE // mask.shape[1])
        chunks = zip(torch.split(frames, at_once), torch.split(mask, at_once), strict=True)
        return torch.cat([self._encode(some, real) for some, real in chunks])

    def _encode(self, frames: Tensor, mask: Tensor) -> Tensor:
        return self.clip.pool_frames(*self.frame_vectors(frames, mask))

    def frame_vectors(
        self, frames: UInt8[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]
    ) -> tuple[Float[Tensor, "B K D"], Bool[Tensor, "B K"]]:
        """Unit vectors of the real frames, at most K of a video, and which of them are there."""
        kept = self._at_most(mask.cpu())
        pixels = self.clip.normalize(frames[kept.to(frames.device)]).to(self.clip.towers.dtype)
        rows = Rows.of(kept.sum(dim=1).to(pixels.device), self.config.frames)
        read = self.video(self.clip.towers.vision_model, pixels, rows)  # (R, W)
        vectors = _unit(self.clip.towers.visual_projection(read))
        lengths = rows.lengths[:, None]
        there = torch.arange(int(rows.lengths.max()), device=lengths.device) < lengths  # (B, K)
        return rows.pad(vectors), there

    def _at_most(self, mask: Bool[Tensor, "B T"]) -> Bool[Tensor, "B T"]:
        """Real frames; of a video with more than the tables have positions, evenly spaced ones."""
        table = self.config.frames
        if not self.video.is_bounded or int(mask.sum(dim=1).max()) <= table:
            return mask
        count, place = mask.sum(dim=1, keepdim=True), mask.cumsum(dim=1) - 1  # (B, 1), (B, T)
        middle = (2 * torch.arange(table) + 1) * count // (2 * table)  # (B, table), of even spans
        chosen = (place[:, :, None] == middle[:, None]).any(dim=2)  # (B, T)
        return mask & ((count <= table) | chosen)

    def similarity(
        self, text: Float[Tensor, "Q D"], video: Float[Tensor, "N D"]
    ) -> Float[Tensor, "Q N"]:
        """Inner products: cosines, but for `compat`, where a video's vector is a plain mean."""
        return text @ video.T

    def vector_losses(
        self, text: Float[Tensor, "B D"], video: Float[Tensor, "B D"], group: Int[Tensor, " B"]
    ) -> dict[str, Tensor]:
        """`contrastive`: the objective, by default symmetric InfoNCE, with CLIP's own, frozen
        temperature; and `matching`, if it is asked for."""
        found = contrastive(self, text, video, group, self.config.loss)
        if "matching" in self.config.auxiliary:
            found["matching"] = by_cosines(self, text, video, group, of_hardest)
        return found

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Losses of the vectors of a batch."""
        return batch_losses(self, batch)

    def primary_loss(self, batch: Batch) -> Tensor:
        """The contrastive loss alone: neither order nor distillation is computed."""
        return batch_losses(self, batch)[self.primary]

    def save_pretrained(self, folder: Path | str) -> None:
        """Write the prompts, under 1 MB for plain VoP, and say which CLIP they belong to."""
        stored = self.trained() if self.config.base else dict(self.named_parameters())
        save_adapter(Path(folder), "vop", self.config, stored, self.clip.fingerprint)


class Taught(Vop):
    """A VoP some of whose losses need more than its vectors; prompts start as those of `Vop`."""

    def __init__(self, config: Config, base: clip.Clip, name: str = "vop") -> None:
        super().__init__(config, base, name)
        self.order = nn.Linear(2 * self.dim, 1) if "order" in config.auxiliary else None

    def trained(self) -> dict[str, Tensor]:
        """Weights that training changes, by name; the head that tells the order is one."""
        head = {} if self.order is None else dict(self.order.named_parameters(prefix="order"))
        return {**super().trained(), **head}

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """`vector_losses`, and those named in `auxiliary` beside them."""
        encoded = self.encode_text(batch.tokens), self.encode_video(batch.frames, batch.mask)
        group = batch.video.to(encoded[0].device)
        text, video, group = map(sharing().gather, (*encoded, group))
        found = self.vector_losses(text, video, group)
        if self.order is not None:
            found["order"] = order_loss(self.frame_vectors, self.order, batch)
        if "distillation" in self.config.auxiliary:
            near = near_frozen(self.clip, batch)
            found["distillation"] = by_cosines(self, text, video, group, near)
        return found


@torch.inference_mode(False)
def load(folder: Path | None, device: str | None = None, dtype: str | None = None) -> Vop:
    """The model whose prompts are in `folder`, on the CLIP they were trained on."""
    config, base = read_adapter(folder, Config, device, dtype)
    model = config.on(base)
    fill(Path(folder or "."), model.trained() if config.base else dict(model.named_parameters()))
    return model.to(base.mean.device).eval()


def _unit(vectors: Tensor) -> Tensor:
    return F.normalize(vectors.float(), dim=-1)
