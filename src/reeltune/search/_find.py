"""Makes of the terms of a query what one version of a library is asked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from reeltune.errors import ConfigError, in_shell
from reeltune.media.decoder import Decoder
from reeltune.media.paths import each_of
from reeltune.media.sampling import Sampling
from reeltune.models.opening.sentences import Sentences
from reeltune.records import Channel, Pixels
from reeltune.search._composed import Part, composed, slope
from reeltune.search._confidence import confidence, kind_of
from reeltune.search._rescore import Score, score_of
from reeltune.search.channels.channel import Words
from reeltune.search.channels.question import Question, quotes_of
from reeltune.search.encoder import Encoder
from reeltune.search.files import contents_of
from reeltune.search.query import Ask, Chance
from reeltune.search.script import Evidence, Script
from reeltune.search.store.gallery import Gallery
from reeltune.search.store.manifest import Manifest
from reeltune.search.store.only import Only
from reeltune.search.terms import Term
from reeltune.search.texts import SWITCHES
from reeltune.storage.place import Place

QUERY_SAMPLING = "uniform 12"  # frames of a video that is itself a query


@dataclass(frozen=True)
class Sought:
    """A query as a gallery is asked it, see `answer`."""

    vector: Float[np.ndarray, " E"]
    chance: Chance | None
    own: Score | None
    words: Evidence | None
    only: Only


@dataclass(frozen=True)
class Finder:
    """One version of a library, and what reads queries for it."""

    folder: Place
    manifest: Manifest
    encoder: Encoder
    sentences: Sentences
    gallery: Gallery
    script: Script | None  # None: no table of words

    def require(self, terms: Sequence[Term], channels: Sequence[Channel]) -> None:
        """Raise ConfigError where nothing counts for a moment, and where words are asked for by
        name and were never looked for."""
        if not any(term.counts > 0 for term in terms):
            raise ConfigError(
                "a search needs something that counts for a moment; give a text, an image, a video "
                "or a moment to be like"
            )
        words = [term for term in terms if term.kind == "words"]
        here = in_shell(self.folder)
        for channel in channels:
            if channel != "seen" and channel not in self._told:
                raise ConfigError(
                    f"no video of {self.folder} has words that are {channel}, as --in asks; find "
                    f"them with: reeltune index VIDEOS --library {here} {SWITCHES[channel]}"
                )
        quoted = next((term for term in words if quotes_of(term.value)), None)
        if quoted and not self._told:
            raise ConfigError(
                f"{quoted.value} asks for words that are said or shown, and {self.folder} has "
                f"none; find them with: reeltune index VIDEOS --library {here} --hear "
                "--read, or leave the quotes out"
            )
        if channels and "seen" not in channels and not any(term.counts > 0 for term in words):
            raise ConfigError("words alone are asked for by --in, and the query has none; add some")

    def sought(
        self, terms: Sequence[Term], ask: Ask, vectors: Mapping[Term, Float[np.ndarray, " D"]]
    ) -> "Sought":
        """All terms as one vector, and what the library knows about them; `vectors` are those of
        the words among the terms. Raises as `Library.search`."""
        words = [term for term in terms if term.kind == "words"]
        parts = [self._part(term, vectors) for term in terms]
        own = None
        if self.manifest.indexed and len(terms) == len(words) == 1:
            own = score_of(self.encoder.model, vectors[words[0]])
        usual = self.encoder.usual_in(self.folder, self.manifest.fingerprint)
        usual = usual.halfway_to(self.gallery.usual)
        vector, kind, usual = composed(parts, usual)
        return Sought(
            vector,
            None if own else partial(confidence, usual=usual, kind=kind),
            own,
            self._evidence(words, len(terms), ask, (1 / slope(kind, usual), usual.texts)),
            self._only(ask, [term.value for term in terms if term.kind == "moment"]),
        )

    def _part(self, term: Term, vectors: Mapping[Term, Float[np.ndarray, " D"]]) -> Part:
        width = self.manifest.width
        if term.kind == "words":
            return Part(vectors[term][:width], kind_of(term.value), term.counts)
        if term.kind == "moment":
            vector = self.gallery.moment(term.value).vector
            return Part(vector, kind_of(None), term.counts)
        read = _picture if term.kind == "picture" else _frames
        frames = read(self.encoder.arrays.pixels, term.value)
        return Part(self.encoder.clip(frames)[:width], kind_of(None), term.counts)

    def _evidence(
        self, words: Sequence[Term], count: int, ask: Ask, scale: tuple[float, float]
    ) -> Evidence | None:
        """What the words of the library say, None where they are not asked or there are none."""
        if self.script is None or not words or ask.channels == ("seen",):
            return None
        alone = bool(ask.channels) and "seen" not in ask.channels
        quoted = any(quotes_of(term.value) for term in words)
        if not (self.script.tracks or alone or quoted):
            return None
        vectors = self.sentences.vectors([term.value for term in words])
        questions = [
            (
                term.counts / math.sqrt(count),
                Question.of(term.value, vector, self.sentences.ranks),
            )
            for term, vector in zip(words, vectors, strict=True)
        ]
        channels: list[Channel] = [*ask.channels] or ["seen", *self.script.tracks]
        return self.script.hold(questions, channels, *scale)

    @property
    def _told(self) -> set[Words]:
        """The channels whose words are known, though no video may have any."""
        return set() if self.script is None else {*self.script.tracks, *self.manifest.channels}

    def _only(self, ask: Ask, like: Sequence[str]) -> Only:
        folders = [] if ask.inside is None else each_of(ask.inside)
        inside = None if ask.inside is None else contents_of(self.folder, *folders)
        given = [self.gallery.moment(id) for id in like]
        return Only(
            videos=None if inside is None else tuple(inside),
            after=ask.between[0],
            before=ask.between[1],
            apart=tuple((one.video, one.start, one.end) for one in given),
        )


def _picture(pixels: Pixels, path: str) -> UInt8[np.ndarray, "1 3 S S"]:
    with Decoder(pixels) as decoder:
        return decoder.image(Path(*each_of(path))).pixels[None]


def _frames(pixels: Pixels, path: str) -> UInt8[np.ndarray, "T 3 S S"]:
    sampling = Sampling.parse(QUERY_SAMPLING)
    with Decoder(pixels, sampling) as decoder, decoder.open(Path(*each_of(path))) as reading:
        return np.stack([frame.pixels for frame in reading])
