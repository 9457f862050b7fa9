"""Violet: a Video Swin, embeddings of words and a BERT over both (Fu et al., 2111.12681), with the
losses that MELTR melts (Ko et al., 2303.13009).

A text is found, and a question answered, by a score of the text with the video: there are no
vectors. The Swin reads each clip once, however many texts it is scored with. What differs from the
release is said where it is, and together in docs/violet.md.
"""

from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from reeltune.errors import ConfigError, DataError
from reeltune.models._asking.settings import with_answers_of
from reeltune.models._asking.targets import targets_of
from reeltune.models._bert.sequence import Sequence
from reeltune.models._bert.words import WordPieces, read_vocabulary
from reeltune.models._device import device_named
from reeltune.models._frames_there import require_frames
from reeltune.models._released_keys import KeyReport
from reeltune.models._violet import released
from reeltune.models._violet.dvae import Encoder, read_encoder
from reeltune.models._violet.masking import Kept
from reeltune.models._violet.network import Network
from reeltune.models._violet.settings import RELEASE, Settings
from reeltune.models._violet.start import fit_codebook, take_pretrained
from reeltune.models._violet.tasks import Hiding, Scene, Tokenizer, task_losses
from reeltune.models._with_words import WithWords, opened
from reeltune.models.opening.material import Material, Started
from reeltune.nn.precise import precise
from reeltune.types import Batch, Pixels, Tokens

WEIGHTS_FROM = "a folder that training or `reeltune convert violet` wrote"


class Config(Settings):
    """Sizes, and what is read and trained; the defaults are the released model for retrieval."""

    @classmethod
    def tiny(cls) -> "Config":
        """About 90 thousand weights, over frames of 32 pixels."""
        return cls(
            codes=32,
            vocabulary="small",
            size=32,
            frames=8,
            swin_width=16,
            swin_depths=(1, 2),
            swin_heads=(2, 2),
            window=2,
            places=17,
            layers=1,
            heads=2,
            positions=64,
            words=32,
        )

    def build(self) -> "Violet":
        """The model with random weights, drawn from torch's global generator."""
        return Violet(self, WordPieces(read_vocabulary(str(self.vocabulary)))).eval()

    def start(self, material: Material = Material()) -> "Started[Violet]":
        """The model as training begins: with the weights of `pretrained` where it is given, and a
        codebook of the training clips where there is no dVAE.

        Errors: `ConfigError` where features are stored, which it does not read.
        """
        if material.width is not None:
            raise ConfigError(
                f"{material.title}: violet reads frames, and features are stored; leave features "
                "out"
            )
        config = with_answers_of(self, material)
        model = config.build()
        said = take_pretrained(model.network, config)
        if model.network.codebook is not None and "mvm" in config.losses:
            book = model.network.codebook
            said.append(fit_codebook(book, model.pixels, config.side, material))
        targets = targets_of(config, model.tokenize, config.words, model.offer)
        return Started(model.to(device_named(material.device)), targets, tuple(said))


class Violet(WithWords):
    """Scores pairs of a text and a clip, and answers questions about clips."""

    component = "violet"
    config: Settings
    network: Network

    def __init__(self, config: Config, words: WordPieces, name: str = "violet") -> None:
        super().__init__()
        self.config, self.words, self.name = config, words, name
        self.primary, self.tasks = config.primary, config.losses
        self.judged_as = config.judged_as
        self.pixels = Pixels(size=config.size, fit="pad", resample="bilinear")
        self.network = Network(config.sizes(len(words)))
        self._kept = Kept()
        self._dvae: list[Encoder] = []  # opened for the first guess; no part of the model

    def facts(self) -> dict[str, object]:
        """Settings that change what the model makes of texts and videos, and its words."""
        chosen = self.config.model_dump(mode="json", include=set(FACTS))
        return {**chosen, "words": self.words.words, "longest": self.config.words}

    def stored(self) -> dict[str, Tensor]:
        """All tensors of the network, the codebook's centres too."""
        return self.network.state_dict()

    def read_text(self, tokens: Tokens) -> Sequence:
        """Embeddings of every token."""
        return self.network.read_text(tokens.ids.to(self.device), tokens.mask.to(self.device))

    def read_video(self, frames: Tensor, mask: Bool[Tensor, "B T"]) -> Sequence:
        """States of every frame (B, T, 3, S, S) and of its places, by the Swin."""
        return self.network.read_video(*self._clips(frames, mask))

    def align(self, text: Sequence, video: Sequence) -> Float[Tensor, "Q N"]:
        """Scores of all pairs; bounded memory in inference."""
        return precise(self.network.align(text, video))

    def score(
        self, tokens: Tokens, frames: UInt8[Tensor, "B T 3 S S"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, " B"]:
        """The score of each text with the clip in its row."""
        summary = self.network.summary(self.read_text(tokens), self.read_video(frames, mask))
        return precise(self.network.fc(summary)).squeeze(-1)

    def head_scores(
        self, tokens: Tokens, video: Sequence, rows: Int[Tensor, " B"]
    ) -> Float[Tensor, "B V"]:
        """What the head for questions makes of each text with its clip."""
        return self.network.answer(self.read_text(tokens), video.rows(rows.to(self.device)))

    def losses_of(self, batch: Batch, wanted: list[str]) -> dict[str, Tensor]:
        """Losses by name, of clips as the model reads them."""
        clips, seen = self._clips(batch.frames, batch.mask)
        scene = Scene(
            network=self.network,
            text=Tokens(batch.tokens.ids.to(self.device), batch.tokens.mask.to(self.device)),
            clips=clips,
            seen=seen,
            video=batch.video.to(self.device),
            temperature=self.config.temperature,
            hiding=Hiding(
                word=self.words.mask,
                chance=self.config.mask_chance,
                attended=self.config.attended,
                side=self.config.side,
                tokenizer=self._tokenizer,
                kept=self._kept,
            ),
        )
        asked = {} if self.config.task is None else self.asked_losses(batch, scene.read)
        return {**asked, **task_losses(scene, wanted)}

    def _clips(self, frames: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Clips on the model's device, and which of their frames are real."""
        require_frames(mask)
        size = self.config.size
        if frames.dtype != torch.uint8 or frames.shape[2:] != (3, size, size):
            raise DataError(
                f"clips are {frames.dtype} of shape {tuple(frames.shape)}, and violet reads uint8 "
                f"frames (B, T, 3, {size}, {size}); read them with the model's own pixels"
            )
        if frames.shape[1] > self.config.frames:
            raise DataError(
                f"a clip has {frames.shape[1]} frames, and the model reads {self.config.frames}; "
                f"read fewer, as with --set frames={self.config.frames}"
            )
        return frames.to(self.device), mask.to(self.device)

    def _tokenizer(self) -> Tokenizer:
        if self.network.codebook is not None:
            return self.network.codebook
        if self.config.dvae is None:
            raise ConfigError("the model has no visual tokens; give --set config.dvae=encoder.pkl")
        if not self._dvae:
            self._dvae.append(read_encoder(self.config.dvae))
        return self._dvae[0].to(self.device)


FACTS = (  # settings that change what the model makes of texts and videos
    "task",
    "answers",
    "size",
    "swin_heads",
    "window",
    "heads",
)


def load(folder: Path | None, device: str | None = None, dtype: str | None = None) -> Violet:
    """The model in a folder that training or `convert` wrote."""
    return opened(Violet, Config, RELEASE, folder, device, dtype)


def convert(source: Path | str, folder: Path | str, config: Config | None = None) -> KeyReport:
    """Write the folder of a released checkpoint such as `ckpt_violet_pretrain.pt`, and say what
    became of each of its keys; what it lacks has random weights."""
    given, config = released.read(Path(source)), config or Config()
    with torch.device("meta"):  # before a network is drawn for nothing
        RELEASE.require_fits(config.build().network, given, Path(source))
    model = config.build()
    report = released.fill(model.network, given, Path(source))
    model.save_pretrained(folder)
    return report
