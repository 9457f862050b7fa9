"""ALPRO: a video encoder with divided attention and one BERT that reads texts and then both
(Li et al., CVPR 2022, 2112.09583), for retrieval, questions and actions.

Retrieval is by vectors (`judged_by` vtc) or by the score of each pair (vtm), for which the clips
and the text-only half of BERT are computed once. Where this differs from the release on purpose:
every weight of the video encoder is trained, rows of the same video are no wrong answers for each
other, an unsure prompter is told by its highest chance, hidden frames are never seen, and clips
have any number of frames.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from reeltune.errors import ConfigError, DataError
from reeltune.models._alpro.crops import draw_crops, in_pixels, on_black
from reeltune.models._alpro.network import Network
from reeltune.models._alpro.pretrained import INSIDE, fill_from, with_prompter
from reeltune.models._alpro.prompter import Prompter
from reeltune.models._alpro.released import PROMPTER, RELEASE, fitted, parts_of
from reeltune.models._alpro.scene import Crops, Scene, scene_losses
from reeltune.models._alpro.settings import Settings
from reeltune.models._asking.settings import with_answers_of
from reeltune.models._asking.targets import plain_offer, targets_of
from reeltune.models._bert.sequence import Sequence
from reeltune.models._bert.words import WordPieces, inner, read_vocabulary
from reeltune.models._device import device_named
from reeltune.models._frames_there import require_frames
from reeltune.models._released_keys import KeyReport
from reeltune.models._with_words import WithWords, opened
from reeltune.models.opening.material import Material, Started
from reeltune.objectives.masked_language import Masked, mask_words
from reeltune.types import Batch, Pixels, Tokens

WEIGHTS_FROM = "a folder that training or `reeltune convert alpro` wrote"
NUMBERS_AT_ONCE = 1 << 24  # of pairs' states in inference through the upper layers
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class Config(Settings):
    """Sizes, and what is trained; the defaults are the released model for retrieval."""

    @classmethod
    def tiny(cls) -> "Config":
        """About 100 thousand weights, prompted by tiny-clip."""
        return cls(
            vocabulary="small",
            width=32,
            heads=2,
            video_layers=2,
            text_layers=2,
            fusion=1,
            image=32,
            frames=4,
            dim=16,
            positions=64,
            words=32,
            prompter="tiny-clip",
            entities=("square", "circle", "triangle"),
        )

    def build(self) -> "Alpro":
        """The model with random weights, drawn from torch's global generator."""
        return Alpro(self, WordPieces(read_vocabulary(str(self.vocabulary)))).eval()

    def start(self, material: Material = Material()) -> "Started[Alpro]":
        """The model as training begins: with the weights of `pretrained` where it is given.

        Errors: `ConfigError` for stored features, and where there is no prompter for `pem`.
        """
        if material.width is not None:
            raise ConfigError(f"{material.title}: alpro reads frames; leave features out")
        config = with_prompter(with_answers_of(self, material), material)
        model = config.build()
        said = (
            () if config.pretrained is None else fill_from(model.network, config, config.pretrained)
        )
        model.to(device_named(material.device))
        targets = targets_of(config, model.tokenize, config.words, plain_offer)
        return Started(model, targets, said)


class Alpro(WithWords):
    """A `DualEncoder`, a scorer of pairs, and one that answers questions."""

    component = "alpro"
    config: Settings
    network: Network
    mean: Tensor
    std: Tensor

    def __init__(self, config: Settings, words: WordPieces, name: str = "alpro") -> None:
        super().__init__()
        self.config, self.words, self.name = config, words, name
        self.primary, self.judged_as = config.primary, config.judged_as
        self.tasks = config.losses
        self.dim = config.dim
        self.pixels = Pixels(size=config.image, fit="squash", resample="bilinear")
        self.network = Network(config.sizes(len(words)))
        for key, colour in (("mean", MEAN), ("std", STD)):
            self.register_buffer(key, torch.tensor(colour).view(3, 1, 1), persistent=False)
        self._prompter = (
            Prompter(config.prompter, config.prompter_fingerprint, config.entities)
            if config.prompter is not None and "pem" in config.tasks
            else None
        )

    @property
    def temperature(self) -> float:
        """What cosines are divided by, to be logits."""
        return float(self.network.temperature.detach())

    def facts(self) -> dict[str, object]:
        """Settings that change what the model makes of texts and videos, and its words."""
        chosen = self.config.model_dump(mode="json", include=set(FACTS))
        return {**chosen, "words": self.words.words}

    def encode_text(self, tokens: Tokens) -> Float[Tensor, "B D"]:
        """Unit vectors in float32."""
        return self.network.text_vectors(self.read_text(tokens))

    def encode_video(
        self, frames: UInt8[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        """Unit vectors in float32."""
        return self.network.video_vectors(self.read_video(frames, mask))

    def similarity(
        self, text: Float[Tensor, "Q D"], video: Float[Tensor, "N D"]
    ) -> Float[Tensor, "Q N"]:
        """Cosines: both sides have unit length."""
        return text @ video.T

    def read_text(self, tokens: Tokens) -> Sequence:
        """What the lower half of BERT makes of texts alone."""
        return self.network.read_text(tokens.ids.to(self.device), tokens.mask.to(self.device))

    def read_video(self, frames: UInt8[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]) -> Sequence:
        """States of clips: of the whole, and of each place of the picture over time."""
        require_frames(mask)
        if frames.shape[-1] != self.config.image:
            raise DataError(
                f"frames have {frames.shape[-1]} pixels a side, and the model reads "
                f"{self.config.image}; read them as model.pixels says"
            )
        colours = (frames.to(self.device).to(self.mean.dtype) / 255 - self.mean) / self.std
        return self.network.read_video(colours, mask.to(self.device))

    def align(self, text: Sequence, video: Sequence) -> Float[Tensor, "Q N"]:
        """How much sooner each text belongs to each clip than not: the difference of the logits.

        The upper half of BERT reads every pair; the halves alone are there already.
        """
        length = text.mask.shape[1] + video.mask.shape[1]
        at_once = max(1, NUMBERS_AT_ONCE // self.config.width // length)
        pairs = torch.arange(len(text) * len(video), device=video.mask.device).split(at_once)
        found = [
            self._belonging(text.rows(some // len(video)), video.rows(some % len(video)))
            for some in pairs
        ]
        return torch.cat(found).view(len(text), len(video))

    def score(
        self, tokens: Tokens, frames: UInt8[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, " B"]:
        """The score of each text with the clip in its row, as `align` has it."""
        return self._belonging(self.read_text(tokens), self.read_video(frames, mask))

    def _belonging(self, text: Sequence, video: Sequence) -> Float[Tensor, " B"]:
        logits = self.network.matching(self.network.text_encoder.fuse_first(text, video))
        return logits[:, 1] - logits[:, 0]

    def head_scores(
        self, tokens: Tokens, video: Sequence, rows: Int[Tensor, " B"]
    ) -> Float[Tensor, "B V"]:
        """Two linear maps of the first state of each text with its clip."""
        clips = video.rows(rows.to(self.device))
        first = self.network.text_encoder.fuse_first(self.read_text(tokens), clips)
        return self.network.get_submodule("classifier")(first)

    def losses_of(self, batch: Batch, wanted: list[str]) -> dict[str, Tensor]:
        """Losses by name; hidden words, crops and wrong pairs are drawn for those that are
        wanted."""
        clip = self.read_video(batch.frames, batch.mask)
        asked = self.asked_losses(batch, clip)
        text = Tokens(batch.tokens.ids.to(self.device), batch.tokens.mask.to(self.device))

        def hide() -> Masked:
            chance, words = self.config.mask_chance, self.words
            return mask_words(text.ids, inner(text), words.mask, len(words), chance)

        scene = Scene(
            network=self.network,
            tokens=text,
            clip=clip,
            hide=hide,
            crop=partial(self._crops, batch),
            video=batch.video.to(self.device),
            confident=self.config.confident,
        )
        return {**asked, **scene_losses(scene, wanted)}

    def _crops(self, batch: Batch) -> Crops:
        """A crop of each clip, and what the prompter says of it."""
        if self._prompter is None or not self.config.entities:
            raise ConfigError(
                "config.tasks has pem, and there is no prompter or nothing that it chooses from; "
                "begin by Config.start, give --set config.prompter=MODEL, or leave pem out of "
                "config.tasks"
            )
        patch = self.config.patch
        inside = draw_crops(len(batch.mask), self.config.image // patch)
        shown = on_black(batch.frames.cpu(), in_pixels(inside, patch))
        chances = self._prompter(shown, batch.mask.cpu(), self.device)
        return Crops(inside.flatten(1).to(self.device), chances.to(self.device))

    def pinned(self) -> Settings:
        """The settings with the fingerprint of the prompter, where there is one."""
        if self._prompter is None:
            return self.config
        known = self._prompter.model.fingerprint(self.device)
        return self.config.model_copy(update={"prompter_fingerprint": known})


FACTS = (  # settings that change what the model makes of texts and videos
    "heads",
    "fusion",
    "words",
    "task",
    "answers",
)


def load(folder: Path | None, device: str | None = None, dtype: str | None = None) -> Alpro:
    """The model in a folder that training or `convert` wrote."""
    return opened(Alpro, Config, RELEASE, folder, device, dtype)


def convert(released: Path | str, folder: Path | str, config: Config | None = None) -> KeyReport:
    """Write the folder of a released checkpoint such as `alpro_pretrained_ckpt.pt`, and say what
    became of each of its keys; what it lacks has random weights.

    The prompter that a checkpoint of pretraining holds becomes a folder inside. Heads of entities
    and of answers are taken where `config` names the entities and the answers, and left out else.
    """
    given, config = RELEASE.read(Path(released)), config or Config()
    own, inside = parts_of(given)
    report = _converted(own, Path(released), Path(folder), config)
    if not inside:
        return report
    plain = config.model_copy(update={"tasks": (), "task": None, "entities": ()})
    return report.beside(_converted(inside, Path(released), Path(folder) / INSIDE, plain), PROMPTER)


def _converted(given: dict[str, Tensor], path: Path, folder: Path, config: Config) -> KeyReport:
    fit = fitted(given, config.image // config.patch, config.frames, path)
    with torch.device("meta"):  # before a network is drawn for nothing
        RELEASE.require_fits(config.build().network, fit.weights, path)
    model = config.build()
    report = RELEASE.fill(model.network, fit.weights, path)
    model.save_pretrained(folder)
    return replace(report, renamed=fit.renamed, interpolated=fit.interpolated)
