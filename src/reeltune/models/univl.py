"""UniVL: one model of video and language for retrieval and captioning (Luo et al., 2002.06353),
with the eight losses that MELTR melts (2303.13009).

A frame is a stored feature, S3D's in the release, or a picture that a frozen `encoder` reads.
Retrieval is by cosine of pooled text and pooled video (UniVL-Joint: `judged_by` joint) or by the
cross encoder's score of each pair (UniVL-Align: `judged_by` align). What differs from the release
is said where it is: padded captions are not trained (`trains_padding`), rows of the same video are
no negatives of each other, and an ended sentence stays as it is in beam search.
"""

from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from reeltune.errors import CheckpointError, ConfigError, DataError
from reeltune.models._asking.settings import with_answers_of
from reeltune.models._asking.targets import plain_offer, targets_of
from reeltune.models._bert.words import WordPieces, read_vocabulary
from reeltune.models._beside import NO_PIXELS, beside_of, remedy
from reeltune.models._device import device_named
from reeltune.models._frames_there import require_frames
from reeltune.models._released_keys import KeyReport
from reeltune.models._univl import towers
from reeltune.models._univl.beam import beam_search
from reeltune.models._univl.network import Network, pooled_text, pooled_video, rows_of
from reeltune.models._univl.pretrained import RELEASE as RELEASE
from reeltune.models._univl.settings import Settings
from reeltune.models._univl.targets import Caption, Hidden, text_read, what_is_hidden
from reeltune.models._univl.tasks import TASKS as TASKS
from reeltune.models._univl.tasks import Scene, task_losses
from reeltune.models._univl.writing import Writing
from reeltune.models._with_words import WithWords, opened
from reeltune.models.opening.material import Material, Started
from reeltune.models.opening.weights import WEIGHTS, read_tensors
from reeltune.nn.precise import precise
from reeltune.types import Batch, Pixels, Tokens

WEIGHTS_FROM = "a folder that training or `reeltune convert univl` wrote"
NUMBERS_AT_ONCE = 1 << 18  # of pairs' states at a place, in inference through the cross encoder


class Config(Settings):
    """Sizes, and what is read and trained; the defaults are the released model for retrieval."""

    @classmethod
    def tiny(cls) -> "Config":
        """About 120 thousand weights, over features of tiny-clip."""
        return cls(
            encoder="tiny-clip",
            features=96,
            vocabulary="small",
            width=32,
            heads=2,
            text_layers=1,
            video_layers=1,
            cross_layers=1,
            decoder_layers=1,
            positions=64,
            words=32,
            frames=32,
        )

    def build(self) -> "Univl":
        """The model with random weights, drawn from torch's global generator."""
        return Univl(self, WordPieces(read_vocabulary(str(self.vocabulary)))).eval()

    def start(self, material: Material = Material()) -> "Started[Univl]":
        """The model as training begins: with the weights of `pretrained` where it is given.

        Errors: `ConfigError` where it reads features of another width than are stored.
        """
        if material.width not in (None, self.features):
            raise ConfigError(
                f"the stored features have width {material.width}, and the model reads "
                f"{self.features}; give --set config.features={material.width}"
            )
        config = with_answers_of(self, material)
        model = config._with_weights().to(device_named(material.device))
        return Started(model, targets_of(config, model.tokenize, config.words, plain_offer))

    def _with_weights(self) -> "Univl":
        if self.pretrained is None:
            return self.build()
        if fault := RELEASE.without_weights(self.pretrained):
            raise CheckpointError(fault)
        model = self.build()
        path = self.pretrained / WEIGHTS
        RELEASE.fill_whole(model.network, read_tensors(path), path)
        return model


class Univl(WithWords):
    """A `FrameEncoder` in its joint space, a scorer of pairs, a writer of captions, and one that
    answers questions."""

    component = "univl"
    config: Settings
    network: Network

    def __init__(self, config: Config, words: WordPieces, name: str = "univl") -> None:
        super().__init__()
        self.config, self.words, self.name = config, words, name
        self.primary: str = config.primary
        self.tasks = config.losses
        self.dim, self.longest = config.width, min(config.words, config.positions)
        self.judged_as = config.judged_as
        self.texts = ("transcript",) if config.reads == "transcript" else ()
        self.network = Network(config.sizes(len(words)))
        self._frames = beside_of(config, "encoder", "encoder_fingerprint", "features")

    @property
    def pixels(self) -> Pixels:
        """How the encoder of its frames wants them."""
        return self._frames.open(self.device).pixels if self._frames else NO_PIXELS

    def facts(self) -> dict[str, object]:
        """Settings that change what the model makes of texts and videos, and its words."""
        chosen = self.pinned().model_dump(mode="json", include=set(FACTS))
        facts = {**chosen, "words": self.words.words}
        if self.config.task is not None:
            facts |= {"task": self.config.task, "answers": self.config.answers}
        return facts

    def encode_text(self, tokens: Tokens) -> Float[Tensor, "B D"]:
        """Unit vectors in float32: the mean of all tokens but [CLS]."""
        return pooled_text(self.read_text(tokens))

    def encode_frames(self, frames: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B F"]:
        """Features by the frozen encoder; raises DataError where the model has none."""
        if self._frames is None:
            raise DataError(
                f"frames are pictures, and this UniVL reads stored features of width "
                f"{self.config.features}; give float features (B, T, {self.config.features}), or "
                + remedy("encoder", "the model that makes them")
            )
        return self._frames.frames(frames, self.device)

    def pool_frames(
        self, features: Float[Tensor, "B T F"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        """Unit vectors in float32: the mean of what the video encoder makes of real frames."""
        return pooled_video(self.read_video(features, mask))

    def encode_video(
        self, frames: UInt8[Tensor, "B T 3 S S"] | Float[Tensor, "B T F"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        return pooled_video(self.read_video(frames, mask))

    def similarity(
        self, text: Float[Tensor, "Q D"], video: Float[Tensor, "N D"]
    ) -> Float[Tensor, "Q N"]:
        """Cosines, the joint scores: both sides have unit length."""
        return text @ video.T

    def read_text(self, tokens: Tokens) -> towers.Sequence:
        """States of every token."""
        return self.network.read_text(tokens.ids.to(self.device), tokens.mask.to(self.device))

    def read_video(self, frames: Tensor, mask: Bool[Tensor, "B T"]) -> towers.Sequence:
        """States of every frame, of pictures or of features."""
        return self.network.read_video(*self._features(frames, mask))

    def align(self, text: towers.Sequence, video: towers.Sequence) -> Float[Tensor, "Q N"]:
        """The cross encoder's scores of all pairs, for re-ranking; bounded memory in inference."""
        at_once = max(1, NUMBERS_AT_ONCE // self.config.width // max(1, len(video.mask)))
        places = torch.arange(len(text.mask), device=text.mask.device).split(at_once)
        return precise(
            torch.cat([self.network.align(rows_of(text, some), video) for some in places])
        )

    def score(
        self, tokens: Tokens, frames: Tensor, mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, " B"]:
        """The cross encoder's score of each text with the video in its row."""
        read = self.read_text(tokens), self.read_video(frames, mask)
        return precise(self.network.align_pairs(*read))

    @torch.no_grad()
    def caption(
        self,
        frames: Tensor,
        mask: Bool[Tensor, "B T"],
        transcript: Tokens | None = None,
        *,
        beams: int = 5,
        longest: int | None = None,
    ) -> list[str]:
        """A sentence for each video, with what is said in it (V+T) or without (V).

        At most `longest` words, `words` of the settings unless given.
        """
        text = self.words.nothing(len(mask)) if transcript is None else transcript
        seen = self.network.cross(self.read_text(text), self.read_video(frames, mask))
        longest = min(longest or self.longest, self.config.positions)

        writing = Writing(self.network.decoder, seen)

        def next_word(ids: Tensor, rows: Tensor, grown_from: Tensor) -> Tensor:
            return writing.next_word(*(t.to(self.device) for t in (ids, rows, grown_from)))

        found = beam_search(
            next_word, len(mask), self.words.start, self.words.end, beams=beams, longest=longest
        )
        return [self.words.decode(ids[0]) for ids in found.ids]

    def head_scores(
        self, tokens: Tokens, video: towers.Sequence, rows: Int[Tensor, " B"]
    ) -> Float[Tensor, "B V"]:
        """A linear map of the cross encoder's summary of each text with its clip."""
        head = self.network.get_submodule("answer_dense")
        clips = rows_of(video, rows.to(self.device))
        return head(self.network.cross.summary(self.read_text(tokens), clips))

    def losses_of(self, batch: Batch, wanted: list[str]) -> dict[str, Tensor]:
        """Losses by name; `_univl/targets.py` says what a batch may bring."""
        features, mask = self._features(batch.frames, batch.mask)
        text = text_read(batch, self.config.reads, self.words)
        text = Tokens(text.ids.to(self.device), text.mask.to(self.device))
        caption = Tokens(batch.tokens.ids.to(self.device), batch.tokens.mask.to(self.device))
        padded = self.config.words if self.config.trains_padding else None

        def hide() -> Hidden:
            return what_is_hidden(batch, text, mask, self.words, self.config.mask_chance)

        scene = Scene(
            network=self.network,
            text=text,
            features=features,
            mask=mask,
            caption=Caption.of(caption, self.words.pad, padded),
            hide=hide,
            video=batch.video.to(self.device),
            margin=self.config.margin,
        )
        asked = {} if self.config.task is None else self.asked_losses(batch, scene.read[1])
        return {**asked, **task_losses(scene, wanted)}

    def pinned(self) -> Settings:
        """The settings with the fingerprint of the encoder, where there is one."""
        if self._frames is None:
            return self.config
        known = self._frames.fingerprint(self.device)
        return self.config.model_copy(update={"encoder_fingerprint": known})

    def _features(self, frames: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Features of the first `frames` frames and their mask, on the model's device."""
        require_frames(mask)
        frames, mask = frames[:, : self.config.frames], mask[:, : self.config.frames]
        mask = mask.to(self.device)
        if frames.dtype == torch.uint8:
            real = self.encode_frames(frames[mask.to(frames.device)])  # (frames in all, F)
            frames = real.new_zeros(*mask.shape, self.config.features)
            frames[mask] = real
        if frames.shape[-1] != self.config.features:
            raise DataError(
                f"features have width {frames.shape[-1]}, and the model reads "
                f"{self.config.features}; give features of that width, or train a model on these "
                f"by --set config.features={frames.shape[-1]}"
            )
        features = frames.to(self.device, self.network.similarity_dense.weight.dtype)
        return features.masked_fill(~mask[..., None], 0), mask


FACTS = (  # settings that change what the model makes of texts and videos
    "encoder_fingerprint",
    "heads",
    "words",
    "frames",
    "reads",
)


def load(folder: Path | None, device: str | None = None, dtype: str | None = None) -> Univl:
    """The model in a folder that training or `convert` wrote."""
    return opened(Univl, Config, RELEASE, folder, device, dtype)


def convert(released: Path | str, folder: Path | str, config: Config | None = None) -> KeyReport:
    """Write the folder of a released checkpoint such as `univl.pretrained.bin`, and say what
    became of each of its keys; what it lacks has random weights."""
    given, config = RELEASE.read(Path(released)), config or Config()
    with torch.device("meta"):  # before a network is drawn for nothing
        RELEASE.require_fits(config.build().network, given, Path(released))
    model = config.build()
    report = RELEASE.fill(model.network, given, Path(released))
    model.save_pretrained(folder)
    return report
