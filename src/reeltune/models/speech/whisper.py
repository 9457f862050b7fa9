"""Hears speech by Whisper (Radford et al., 2022), run by CTranslate2 in 8 bits on the CPU."""

import hashlib
import json
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

from reeltune.batches.in_threads import usable_cores
from reeltune.errors import CheckpointError, in_short
from reeltune.media.spoken import Sound
from reeltune.models.speech._packing import LONGEST, VOICE, Packed, packed
from reeltune.models.speech._phrases import Word, phrases, without_loops
from reeltune.models.speech._window import AFTER, SHORTEST, shortened
from reeltune.models.speech.weights import PACKAGED, Weights
from reeltune.types import Phrase

RULES = 2  # counts the changes of what is kept of a transcript, and how it is cut
THREADS = 4  # at most; more of them gain nothing with the small models
DECODING: dict[str, Any] = {
    "beam_size": 5,
    "temperature": [0.0],  # no second try at random: the same sound gives the same words
    "condition_on_previous_text": False,  # else one wrong phrase begets the next
    "word_timestamps": True,
    "vad_filter": False,  # done before
}
# What is more likely invented than heard is dropped.
LEAST_SURE = -1.0  # mean log-probability of a segment's tokens
UNSURE, NO_VOICE = -0.6, 0.5  # a segment less sure, of a window where probably nobody speaks
REPETITIVE = 2.4  # times that a segment's text can be compressed
LEAST_WORD = 0.35  # mean probability of its words


class Whisper:
    """A Whisper model, which is opened by the first voice that is heard.

    `language` (BCP 47) is taken as said; else a model of many languages finds it out.
    """

    def __init__(self, weights: Weights, language: str = "") -> None:
        self._weights, self.language = weights, language.partition("-")[0]
        self._model: Any = None

    @property
    def name(self) -> str:
        """What the user calls the model."""
        return self._weights.name

    @property
    def fingerprint(self) -> str:
        """A hash of all that decides what is heard."""
        decides = {
            "weights": self._weights.identity(),
            "by": [version("faster-whisper"), version("ctranslate2")],
            "language": self.language,
            "rules": [RULES, DECODING, VOICE, LONGEST, SHORTEST, AFTER],
            "doubt": [LEAST_SURE, UNSURE, NO_VOICE, REPETITIVE, LEAST_WORD],
        }
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:32]

    def hear(self, sound: Sound, done: Callable[[float], None]) -> tuple[list[Phrase], str]:
        """What is said, in the order of time, and its language; `done` takes the share heard.

        Raises MediaError for sound that cannot be decoded, and CheckpointError for weights that
        cannot be opened.
        """
        languages: list[str] = []

        def words() -> Iterator[Word]:
            for voices in packed(sound):
                yield from self._words(voices, languages)
                if sound.duration:
                    done(min(1.0, voices.end / sound.duration))

        found = list(without_loops(phrases(words())))
        done(1.0)
        return found, languages[0] if found and languages else ""

    def close(self) -> None:
        """Let go of the model."""
        self._model = None

    def _words(self, voices: Packed, languages: list[str]) -> Iterator[Word]:
        """Words that were heard rather than invented."""
        language = self.language or (languages[0] if languages else None)
        segments, info = self._opened().transcribe(voices.samples, language=language, **DECODING)
        languages.append(info.language)
        for segment in segments:
            if is_heard(segment):
                for word in segment.words:
                    yield Word(*voices.original(word.start, word.end), word.word)

    def _opened(self) -> Any:
        if self._model is None:
            from faster_whisper import WhisperModel

            folder = self._weights.folder()
            threads = min(THREADS, usable_cores())
            try:
                self._model = WhisperModel(
                    str(folder), device="cpu", compute_type="int8", cpu_threads=threads
                )
            except Exception as error:
                raise CheckpointError(
                    f"the speech model {self.name} cannot be opened ({in_short(error)}); it must "
                    "be a Whisper model that was converted for CTranslate2"
                ) from error
            if self.name == PACKAGED:  # with others it was not measured
                _shorten(self._model)
        return self._model


def _shorten(model: Any) -> None:
    """Let a model of faster-whisper read windows that are no longer than need be."""
    whole = model.encode
    model.encode = lambda features: whole(shortened(features))


def is_heard(segment: Any) -> bool:
    """Whether a segment is more likely heard than invented."""
    words = segment.words or []
    if not words or segment.avg_logprob < LEAST_SURE or segment.compression_ratio > REPETITIVE:
        return False
    if segment.no_speech_prob > NO_VOICE and segment.avg_logprob < UNSURE:
        return False
    return bool(sum(word.probability for word in words) / len(words) >= LEAST_WORD)
