"""All-in-one: one vision transformer that reads words and frames alike (Wang et al., CVPR 2023,
2203.07303), for retrieval, questions and actions.

Retrieval is by vectors (`judged_by` vtc) or by the score of each pair (itm). Where this differs
from the release on purpose: patches stand in their order, in evaluation too, where the release
draws another order for each frame; rows of the same video are no wrong answers for each other;
hidden frames are never seen, and the ring of the temporal roll is as long as the clip.
"""

from functools import partial
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from reeltune.errors import ConfigError, DataError
from reeltune.models._all_in_one import released
from reeltune.models._all_in_one.network import Network
from reeltune.models._all_in_one.pretrained import fill_from
from reeltune.models._all_in_one.settings import Settings
from reeltune.models._all_in_one.tasks import Scene, scene_losses
from reeltune.models._all_in_one.transformer import Clips
from reeltune.models._all_in_one.views import Views, drawn_view, in_views
from reeltune.models._asking.settings import with_answers_of
from reeltune.models._asking.targets import plain_offer, targets_of
from reeltune.models._bert.sequence import Sequence
from reeltune.models._bert.words import WordPieces, inner, read_vocabulary
from reeltune.models._device import device_named
from reeltune.models._frames_there import require_frames
from reeltune.models._released_keys import KeyReport
from reeltune.models._with_words import WithWords, opened
from reeltune.models.opening.material import Material, Started
from reeltune.nn.precise import precise
from reeltune.objectives.masked_language import Masked, mask_words
from reeltune.types import Batch, Pixels, Tokens

WEIGHTS_FROM = "a folder that training or `reeltune convert all-in-one` wrote"
NUMBERS_AT_ONCE = 1 << 24  # of pairs' states in inference


class Config(Settings):
    """Sizes, and what is read and trained; the defaults are the released model for retrieval."""

    @classmethod
    def tiny(cls) -> "Config":
        """About 60 thousand weights, over frames of 32 pixels."""
        return cls(
            vocabulary="small",
            width=32,
            heads=2,
            layers=2,
            image=32,
            shortest=32,
            patch=8,
            dim=16,
            words=32,
        )

    def build(self) -> "AllInOne":
        """The model with random weights, drawn from torch's global generator."""
        return AllInOne(self, WordPieces(read_vocabulary(str(self.vocabulary)))).eval()

    def start(self, material: Material = Material()) -> "Started[AllInOne]":
        """The model as training begins: with the weights of `pretrained` where it is given.

        Errors: `ConfigError` for stored features, which it does not read.
        """
        if material.width is not None:
            raise ConfigError(f"{material.title}: all-in-one reads frames; leave features out")
        config = with_answers_of(self, material)
        model = config.build()
        said = (
            () if config.pretrained is None else fill_from(model.network, config, config.pretrained)
        )
        model.to(device_named(material.device))
        return Started(model, targets_of(config, model.tokenize, config.words, plain_offer), said)


class AllInOne(WithWords):
    """A `DualEncoder`, a scorer of pairs, and one that answers questions."""

    component = "all-in-one"
    config: Settings
    network: Network

    def __init__(self, config: Settings, words: WordPieces, name: str = "all-in-one") -> None:
        super().__init__()
        self.config, self.words, self.name = config, words, name
        self.primary, self.judged_as, self.tasks = config.primary, config.judged_as, config.losses
        self.dim, self.views = config.dim, config.views
        self.pixels = Pixels(size=config.image, resample="bilinear", shortest=config.shortest)
        self.network = Network(config.sizes(len(words)))

    def facts(self) -> dict[str, object]:
        """Settings that change what the model makes of texts and videos, and its words."""
        chosen = self.config.model_dump(mode="json", include=set(FACTS))
        return {**chosen, "vocabulary": self.words.words}

    def encode_text(self, tokens: Tokens) -> Float[Tensor, "B D"]:
        """Unit vectors in float32, of texts that are read alone."""
        return self.network.text_vectors(self.read_text(tokens))

    def encode_video(
        self, frames: UInt8[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        """Unit vectors in float32, of clips that are read alone: the mean over views, brought to
        unit length again."""
        views = self.read_video(frames, mask)
        of_views = self.network.video_vectors(self._embedded(views))
        return F.normalize(views.mean(of_views), dim=1)

    def similarity(
        self, text: Float[Tensor, "Q D"], video: Float[Tensor, "N D"]
    ) -> Float[Tensor, "Q N"]:
        """Cosines: both sides have unit length."""
        return text @ video.T

    def read_text(self, tokens: Tokens) -> Sequence:
        """Embeddings of every token."""
        return self.network.read_text(tokens.ids.to(self.device), tokens.mask.to(self.device))

    def read_video(self, frames: UInt8[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]) -> Views:
        """The frames in views: nothing of a clip can be computed before the text is there, and its
        pixels are the smallest that can be kept."""
        require_frames(mask)
        size = self.config.image
        if frames.dtype != torch.uint8 or frames.shape[2:] != (3, size, size):
            raise DataError(
                f"clips are {frames.dtype} of shape {tuple(frames.shape)}, and all-in-one reads "
                f"uint8 frames (B, T, 3, {size}, {size}); read them with the model's own pixels"
            )
        return in_views(frames.to(self.device), mask.to(self.device), self.views)

    def align(self, text: Sequence, video: Views) -> Float[Tensor, "Q N"]:
        """How much sooner each text belongs to each clip than not: the difference of the logits, in
        the mean over views. Every pair is read whole; bounded memory in inference."""
        length = text.mask.shape[1] + self.network.transformer.pos_embed.shape[1]
        frames = video.mask.shape[1] * video.mask.shape[2]
        at_once = max(1, NUMBERS_AT_ONCE // self.config.width // (length * frames))
        count = len(video.mask)
        pairs = torch.arange(len(text) * count, device=self.device).split(at_once)
        found = [
            self._belonging(text.rows(some // count), video.rows(some % count)) for some in pairs
        ]
        return torch.cat(found).view(len(text), count)

    def score(
        self, tokens: Tokens, frames: UInt8[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, " B"]:
        """The score of each text with the clip in its row, as `align` has it."""
        return self._belonging(self.read_text(tokens), self.read_video(frames, mask))

    def head_scores(
        self, tokens: Tokens, video: Views, rows: Int[Tensor, " B"]
    ) -> Float[Tensor, "B V"]:
        """What the head of the task makes of each text with its clip, in the mean over views."""
        chosen = video.rows(rows.to(self.device))
        summary = self.network.summary(*self._beside(self.read_text(tokens), chosen))
        return chosen.mean(precise(self.network.answering(summary)))

    def losses_of(self, batch: Batch, wanted: list[str]) -> dict[str, Tensor]:
        """Losses by name, of one view of each clip, drawn anew at each call; hidden words and wrong
        pairs are drawn for those that are wanted."""
        views = drawn_view(self.read_video(batch.frames, batch.mask))
        asked = self.asked_losses(batch, views)
        text = Tokens(batch.tokens.ids.to(self.device), batch.tokens.mask.to(self.device))

        def hide() -> Masked:
            chance, words = self.config.mask_chance, self.words
            return mask_words(text.ids, inner(text), words.mask, len(words), chance)

        scene = Scene(
            network=self.network,
            tokens=text,
            views=partial(self._embedded, views),
            hide=hide,
            video=batch.video.to(self.device),
            temperature=self.config.temperature,
            negatives=self.config.negatives,
        )
        return {**asked, **scene_losses(scene, wanted)}

    def _embedded(self, views: Views) -> Clips:
        """The real views of all clips, one behind another."""
        return self.network.read_frames(views.frames[views.real], views.mask[views.real])

    def _beside(self, text: Sequence, video: Views) -> tuple[Sequence, Clips]:
        """The text of each row for every real view of the clip in that row."""
        return text.rows(video.real.nonzero()[:, 0]), self._embedded(video)

    def _belonging(self, text: Sequence, video: Views) -> Float[Tensor, " B"]:
        return video.mean(self.network.match(*self._beside(text, video)))


FACTS = (  # settings that change what the model makes of texts and videos
    "task",
    "answers",
    "heads",
    "shortest",
    "views",
    "words",
)


def load(folder: Path | None, device: str | None = None, dtype: str | None = None) -> AllInOne:
    """The model in a folder that training or `convert` wrote."""
    return opened(AllInOne, Config, released.RELEASE, folder, device, dtype)


def convert(source: Path | str, folder: Path | str, config: Config | None = None) -> KeyReport:
    """Write the folder of a released checkpoint such as `all-in-one-base.ckpt`, and say what became
    of each of its keys; what it lacks has random weights."""
    given, config = released.RELEASE.read(Path(source)), config or Config()
    with torch.device("meta"):  # before a network is drawn for nothing
        network = config.build().network
        released.RELEASE.require_fits(network, released.fitted(network, given), Path(source))
    model = config.build()
    report = released.fill(model.network, given, Path(source))
    model.save_pretrained(folder)
    return report
