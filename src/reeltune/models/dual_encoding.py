"""Dual Encoding: several levels of frame features and of words, in a hybrid space.

Dong et al., CVPR 2019 (1809.06181, the latent space alone) and TPAMI 2021 (2009.05381), and the
strategies of Dual Encoding++ (Lee et al., ICCE-Asia 2023), each a setting. Videos are frame
features of a frozen network, read from files or made by `encoder`.

A vector holds `indexed` latent columns of unit length, then the probability of each concept. By
default it does not depend on the batch it was made in; `hs_compat` computes what the released code
(hybrid_space) computes, where padding is seen by the video's GRU and by the maximum of the
convolutions, so that released weights give their scores.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Bool, Float, UInt8
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from reeltune.errors import CheckpointError, ConfigError, DataError, counted
from reeltune.models._beside import NO_PIXELS, beside_of, remedy
from reeltune.models._device import device_named, precision_named
from reeltune.models._dual_encoding._build import text_parts, video_tower, word_table
from reeltune.models._dual_encoding._concept_names import read_concept_names, write_concept_names
from reeltune.models._dual_encoding._hybrid import Extremes as Extremes
from reeltune.models._dual_encoding._hybrid import Hybrid as Hybrid
from reeltune.models._dual_encoding._hybrid import Normalisation as Normalisation
from reeltune.models._dual_encoding._hybrid import hybrid_scores
from reeltune.models._dual_encoding._levels import real_first
from reeltune.models._dual_encoding._space import Encoded
from reeltune.models._dual_encoding._start import start, unread_beside
from reeltune.models._dual_encoding._towers import TextTower
from reeltune.models._dual_encoding._vocabulary import FILE, PAD, SPECIALS, Vocabulary
from reeltune.models._frames_there import require_frames
from reeltune.models.opening.material import Material, Started, Words
from reeltune.models.opening.open import ModelName
from reeltune.models.opening.weights import (
    CARD,
    WEIGHTS,
    card_settings,
    fingerprint,
    load_weights,
    write_card,
)
from reeltune.objectives.concepts import concepts
from reeltune.objectives.jaccard import jaccard
from reeltune.objectives.triplet import triplet
from reeltune.ranks.ranks import sharing
from reeltune.storage.tensors import write_tensors
from reeltune.types import Batch, Pixels, Tokens

WEIGHTS_FROM = "a folder that training wrote"
PINS = {"encoder_fingerprint", "sentence_fingerprint"}
RELEASED_BATCH = 128  # of the released tester


class Config(BaseModel):
    """Sizes and rules; the defaults are the released model of MSR-VTT."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    features: PositiveInt = 4096  # F: ResNeXt-101 beside ResNet-152
    words: PositiveInt = 7807
    embedding: PositiveInt = 500
    embedding_range: PositiveFloat = 1.0  # words without a vector start in -1 to 1, as released
    hidden: PositiveInt = 512  # units of a GRU, in each direction
    video_hidden: PositiveInt | None = None  # of the video's, where it has others: 1,024 in 2019
    video_bidirectional: bool = True  # Dual Encoding++: False
    text_bidirectional: bool = True
    video_kernels: tuple[PositiveInt, ...] = (2, 3, 4, 5)
    text_kernels: tuple[PositiveInt, ...] = (2, 3, 4)
    filters: PositiveInt = 512  # of each kernel
    latent: PositiveInt = 1536
    concepts: NonNegativeInt = 512  # 0: the latent space alone, as in 2019
    dropout: float = Field(default=0.2, ge=0, lt=1)
    frames_at_most: PositiveInt = 64  # that GRU and convolutions see; the mean is of all
    hs_compat: bool = False
    pad: Literal["random", "zero"] = "random"  # row of the padding; "zero": and frozen, as in DE++

    margin: float = Field(default=0.2, ge=0)
    reduction: Literal["sum", "mean"] = "sum"  # Dual Encoding++: mean
    same_video_is_negative: bool = True  # whether another caption of a video counts as wrong
    alpha: float = Field(default=0.6, ge=0, le=1)  # weight of the latent score; DE++: 0.2, by max
    normalisation: Normalisation = "range"

    feature: str | None = None  # name of the folder of stored features that it was trained on
    encoder: ModelName | None = None  # makes the features: lite, a CLIP; None: from files
    encoder_fingerprint: str | None = None  # a saved model says it, and runs beside no other
    sentence_encoder: ModelName | None = None  # a frozen feature of the text beside the levels
    sentence_fingerprint: str | None = None
    sentence: NonNegativeInt = 0  # width of that feature

    def unread(self) -> dict[str, str]:
        """Settings that nothing reads, as `settings.unread.StatesUnread` describes them."""
        found: dict[str, str] = {}
        if not self.concepts:
            why = "under config.concepts=0, but where there are concepts"
            found |= dict.fromkeys(("alpha", "normalisation"), why)
        if not self.video_kernels and not self.text_kernels:
            found["filters"] = "without kernels, but by config.video_kernels and text_kernels"
        if self.encoder is None:
            found["encoder_fingerprint"] = "without config.encoder, whose it is"
        if self.sentence_encoder is None:
            found["sentence_fingerprint"] = "without config.sentence_encoder, whose it is"
        return found

    def unread_beside(self, words: Words, init: Path | None) -> dict[str, str]:
        """As `opening.material.ReadsWords` has it."""
        return unread_beside(self, words, init)

    @classmethod
    def tiny(cls) -> "Config":
        """Frames through the tiny CLIP; about 16 thousand parameters."""
        return cls(
            features=96,
            words=16,
            embedding=8,
            hidden=6,
            filters=4,
            latent=12,
            concepts=5,
            encoder="tiny-clip",
        )

    def build(self, vocabulary: Vocabulary | None = None) -> "DualEncoding":
        """The model with random weights, drawn from torch's global generator."""
        return DualEncoding(self, vocabulary or Vocabulary.stand_in(self.words)).eval()

    def start(self, material: Material = Material()) -> "Started[DualEncoding]":
        """The model as training begins, for the words and concepts of its captions."""
        return start(self, material)


class DualEncoding(nn.Module):
    """A `FrameEncoder` whose frame features are frozen; both towers are trainable."""

    primary = "triplet_latent"
    divisors: Tensor

    def __init__(self, config: Config, vocabulary: Vocabulary, name: str = "dual-encoding") -> None:
        super().__init__()
        if len(vocabulary) != config.words:
            raise ConfigError(
                f"words is {config.words}, and the vocabulary has {len(vocabulary)}; "
                f"give --set config.words={len(vocabulary)}"
            )
        if bool(config.sentence) != bool(config.sentence_encoder):
            raise ConfigError(
                f"sentence is {config.sentence} and sentence_encoder is "
                f"{config.sentence_encoder}; give both or neither, by "
                "--set config.sentence=WIDTH and --set config.sentence_encoder=MODEL"
            )
        self.config, self.vocabulary, self.name = config, vocabulary, name
        self.concept_names: tuple[str, ...] = ()  # by column; empty where nobody knows them
        self.video = video_tower(config)
        levels, space = text_parts(config)
        self.text = TextTower(word_table(config), levels, space)
        self.indexed, self.dim = config.latent, config.latent + config.concepts
        self.register_buffer("divisors", torch.ones(2))  # of latent and concept scores; 1: none yet
        self._frames = beside_of(config, "encoder", "encoder_fingerprint", "features")
        self._sentences = beside_of(config, "sentence_encoder", "sentence_fingerprint", "sentence")
        self._hashed: tuple[int, str] | None = None  # versions of the weights, their fingerprint

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.divisors.device

    @property
    def pixels(self) -> Pixels:
        """How the encoder of its frames wants them."""
        return self._frames.open(self.device).pixels if self._frames else NO_PIXELS

    @property
    def released_batch(self) -> int | None:
        """Items at once as the release encodes them, where vectors depend on their batch."""
        return RELEASED_BATCH if self.config.hs_compat else None

    @property
    def fingerprint(self) -> str:
        state = self.state_dict()
        version = sum(tensor._version for tensor in state.values())
        if self._hashed is None or self._hashed[0] != version:
            fields = {"frames_at_most", "hs_compat", "alpha"}  # what scores depend on, no shape
            facts = self._pinned().model_dump(include=fields | PINS)
            self._hashed = version, fingerprint(state, {**facts, **self.vocabulary.facts})
        return self._hashed[1]

    def set_embedding(self, weights: Float[Tensor, "V E"]) -> None:
        """Put word vectors in place, row by row of the vocabulary with its special tokens."""
        own = self.text.embedding.weight
        if weights.shape != own.shape:
            raise ConfigError(
                f"the word vectors are {tuple(weights.shape)}, and the embedding is "
                f"{tuple(own.shape)}; give --set config.embedding={weights.shape[1]}, or start "
                "without them by --set words.word2vec=none"
            )
        with torch.no_grad():
            own.copy_(weights)
            if self.config.pad == "zero":
                own[PAD] = 0

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Ids of words, and after them those of the sentence encoder, moved above the words'."""
        beside = self._sentences.open(self.device) if self._sentences and texts else None
        return self.vocabulary.tokenize(texts, beside.tokenize(texts) if beside else None)

    def encode_text(self, tokens: Tokens) -> Float[Tensor, "B D"]:
        return self._read(tokens).vectors()

    def encode_frames(self, frames: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B F"]:
        """Frozen features that `encoder` makes."""
        if self._frames is None:
            raise ConfigError(
                f"{self.name} reads stored frame features alone, as it has no encoder; "
                + remedy("encoder", "what made the features it was trained on")
            )
        return self._frames.frames(frames, self.device)

    def pool_frames(
        self, features: Float[Tensor, "B T F"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        return self._watch(features, mask).vectors()

    def encode_video(
        self,
        frames: UInt8[Tensor, "B T 3 S S"] | Float[Tensor, "B T F"],
        mask: Bool[Tensor, "B T"],
    ) -> Float[Tensor, "B D"]:
        """Vectors of videos, from pictures by way of `encoder` or from stored features."""
        return self._watch(frames, mask).vectors()

    def similarity(
        self, text: Float[Tensor, "Q D"], video: Float[Tensor, "N D"]
    ) -> Float[Tensor, "Q N"]:
        """alpha x latent / its divisor + (1 - alpha) x concept / its divisor.

        A query ranks videos as in `hybrid_scores`, which lacks only what is the same for all of
        them, where the divisors are those of its own matrix; here they are what `set_ranges` left.
        """
        if not self.config.concepts:
            return text @ video.T
        latent, concept = self.divisors.tolist()
        if concept == 1:  # a range or a highest value of Jaccard, short of 1 for any two items
            raise CheckpointError(
                f"{self.name} has no ranges of its scores, by which its two parts are weighed for "
                "single queries; a released one gets them by `reeltune convert dual-encoding ... "
                "--data ROOT`, any other by training or `set_ranges`"
            )
        return self._hybrid.scores(text, video, latent, concept)

    def hybrid_scores(
        self,
        text: Float[Tensor, "Q D"],
        video: Float[Tensor, "N D"],
        by: tuple[Tensor, Tensor] | None = None,
    ) -> Float[Tensor, "Q N"]:
        """Scores normalised by their own matrix, as for the paper's figures, or by that of the
        texts and videos `by`."""
        way = self._hybrid
        if by is None or not self.config.concepts:
            return hybrid_scores(text, video, way.latent, way.alpha, way.normalisation)
        return way.scores_by(text, video, *way.extremes(*by))

    def set_ranges(self, text: Float[Tensor, "Q D"], video: Float[Tensor, "N D"]) -> None:
        """Store the divisors of held-out texts and videos, for queries that come one by one."""
        if self.config.concepts:
            parts = self._hybrid.extremes(text, video)
            found = [part.lasting_divisor(self.config.normalisation) for part in parts]
            self.divisors.copy_(torch.tensor(found))

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the losses if batches bring all that these need."""
        found = ("triplet_latent", "triplet_concept", "concepts_video", "concepts_text")
        return found if self.config.concepts else found[:1]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """`triplet_latent`; with concepts `triplet_concept`; with their targets, which are
        `batch.targets["concepts"]`, `concepts_video` and `concepts_text`."""
        video, text = self._watch(batch.frames, batch.mask), self._read(batch.tokens)
        every = sharing().gather
        found = {"triplet_latent": self._triplet(every(text.latent) @ every(video.latent).T, batch)}
        if self.config.concepts:
            both = jaccard(every(text.logits).sigmoid(), every(video.logits).sigmoid())
            found["triplet_concept"] = self._triplet(both, batch)
            targets = batch.targets.get("concepts")
            if targets is not None:
                targets = targets.to(self.device)
                found["concepts_video"] = concepts(video.logits, targets, self.config.reduction)
                found["concepts_text"] = concepts(text.logits, targets, self.config.reduction)
        return found

    def save_pretrained(self, folder: Path | str) -> None:
        """Write weights, settings and words; frozen models beside are named, not stored."""
        folder = Path(folder)
        write_card(folder, "dual-encoding", self._pinned().model_dump(mode="json"))
        self.vocabulary.write(folder / FILE)
        write_concept_names(folder, self.concept_names)
        write_tensors(folder / WEIGHTS, self.state_dict())

    def of_another_meaning(self, run: Path) -> tuple[str, set[str]]:
        """Weights of the concepts, unless those of the run are by name the ones here; and why."""
        names = read_concept_names(run)
        if names and names == self.concept_names:
            return "", set()
        why = "of other concepts there" if names else "of concepts whose names it does not say"
        return why, {name for name in self.state_dict() if ".space.concept" in name}

    @property
    def _hybrid(self) -> Hybrid:
        return Hybrid(self.config.latent, self.config.alpha, self.config.normalisation)

    def _triplet(self, scores: Tensor, batch: Batch) -> Tensor:
        group = sharing().gather(batch.video.to(scores.device))
        same = None if self.config.same_video_is_negative else group
        settings = self.config
        return triplet(scores, margin=settings.margin, reduction=settings.reduction, group=same)

    def _watch(self, frames: Tensor, mask: Tensor) -> Encoded:
        require_frames(mask)
        mask = mask.to(self.device)
        features = frames if frames.is_floating_point() else self._features(frames, mask)
        if features.shape[2] != self.config.features:
            raise DataError(
                f"frame features are {features.shape[2]} wide, and {self.name} reads "
                f"{self.config.features}; give the features that it was trained on"
            )
        return self.video(features.to(self.device, self.text.embedding.weight.dtype), mask)

    def _features(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Features of real frames only; those that the mask hides are not computed."""
        real = self.encode_frames(frames[mask.to(frames.device)])  # (frames in all, F)
        features = real.new_zeros(*mask.shape, real.shape[1])  # (B, T, F)
        features[mask] = real
        return features

    def _read(self, tokens: Tokens) -> Encoded:
        ids, mask = tokens.ids.to(self.device), tokens.mask.to(self.device)
        if self._sentences is None:
            return self.text(ids, mask)
        above = self.config.words + SPECIALS
        its, own = mask & (ids >= above), mask & (ids < above)
        inner, lengths = real_first(ids, its)
        seen = torch.arange(inner.shape[1], device=ids.device) < lengths[:, None]
        sentence = self._sentences.texts(Tokens((inner - above) * seen, seen), self.device)
        return self.text(ids.masked_fill(~own, PAD), own, sentence)

    def _pinned(self) -> Config:
        """The settings, with the fingerprints of the frozen models beside this one."""
        beside = {"encoder_fingerprint": self._frames, "sentence_fingerprint": self._sentences}
        pins = {field: one.fingerprint(self.device) for field, one in beside.items() if one}
        return self.config.model_copy(update=pins)


@torch.inference_mode(False)
def load(folder: Path | None, device: str | None = None, dtype: str | None = None) -> DualEncoding:
    """The model in `folder`, with its words; a frozen model beside it opens when it is needed.

    Errors: `CheckpointError` names the file, field or keys that do not fit.
    """
    if folder is None:
        raise CheckpointError(
            "dual-encoding has no weights of its own; give the folder that training wrote"
        )
    if precision_named(dtype) != torch.float32:
        raise ConfigError(f"dual-encoding runs in float32 alone, got dtype {dtype!r}; leave it out")
    config = card_settings(folder, Config)
    words = Vocabulary.read(folder / FILE)
    if len(words) != config.words:
        raise CheckpointError(
            f"{folder / FILE} has {counted(len(words), 'word')}, and {CARD} says {config.words}; "
            "take both from the same place"
        )
    names = read_concept_names(folder)
    if names and len(names) != config.concepts:
        raise CheckpointError(
            f"{folder} names {counted(len(names), 'concept')}, and {CARD} says {config.concepts}; "
            "take both from the same place"
        )
    model = config.build(words)
    model.concept_names = names
    load_weights(model, folder / WEIGHTS)
    return model.to(device_named(device)).eval()
