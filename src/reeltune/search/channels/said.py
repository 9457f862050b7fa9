"""What is said in a video: its subtitles if it has any, or else what is heard."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from reeltune.errors import ConfigError, DataError, MediaError
from reeltune.media import languages
from reeltune.media.decoder import Decoder
from reeltune.media.limits import Limits
from reeltune.models.speech.weights import PACKAGED, Weights
from reeltune.models.speech.whisper import Whisper
from reeltune.search.channels._cues import as_phrases
from reeltune.search.channels._sidecars import read_sidecar, sidecars, state
from reeltune.search.channels.channel import Told, Words

RULES = 2  # counts the changes of how subtitles are chosen and read
NO_SPEECH = "none"  # in the place of a model: subtitles alone
USUAL = ("en",)  # which the packaged encoder of sentences reads best


class Said:
    """Tells what is said: by files of subtitles, by subtitles inside, by speech, in this order.

    `speech` names a Whisper model (`--speech`), or is "none" for subtitles alone; `language` (BCP
    47) is what subtitles are taken in, where there are several, and what is spoken. Raises
    ConfigError where a model is named that there cannot be, or the extra is missing.
    """

    channel: Words = "said"

    def __init__(
        self, speech: str | None = None, language: str | None = None, limits: Limits = Limits()
    ) -> None:
        spoken = languages.tag(language or "")
        if language and not spoken:
            raise ConfigError(f"{language!r} is no language; write it like en or pt-BR")
        self._asked = tuple(dict.fromkeys((*filter(None, [spoken.partition("-")[0]]), *USUAL)))
        name = speech or PACKAGED
        self._whisper = None if name == NO_SPEECH else Whisper(_weights(name), spoken)
        self.name = f"speech: {name}"
        heard = self._whisper.fingerprint if self._whisper else NO_SPEECH
        said = "\n".join((str(RULES), *self._asked, heard))
        self.fingerprint = hashlib.sha256(said.encode()).hexdigest()[:32]
        self._decoder = Decoder(limits=limits)

    def beside(self, path: Path) -> str:
        """Names, sizes and times of the subtitles that lie beside a video; empty without any."""
        found = "\n".join(sorted(state(one) for one in sidecars(path, self._asked)))
        return hashlib.sha256(found.encode()).hexdigest()[:16] if found else ""

    def tell(self, path: Path, done: Callable[[float], None]) -> Told:
        """All that is said in a video; `done` takes the share (0 to 1) that is finished.

        Raises MediaError for sound that cannot be decoded, and where subtitles that cannot be used
        are all there is to go by, and CheckpointError for a speech model that cannot be opened.
        """
        notes: list[str] = []
        told = self._beside(path, notes) or self._inside(path, notes)
        if told is None and notes and self._whisper is None:
            raise MediaError(str(path), "; ".join(notes))
        told = told or self._heard(path, done)
        done(1.0)
        note = "; ".join(filter(None, [*notes, told.note]))
        return Told(phrases=told.phrases, source=told.source, language=told.language, note=note)

    def close(self) -> None:
        """End the decoder and let go of the model."""
        self._decoder.close()
        if self._whisper:
            self._whisper.close()

    def _beside(self, path: Path, notes: list[str]) -> Told | None:
        """By the first file of subtitles that can be read; forced ones hold too little."""
        for sidecar in sidecars(path, self._asked):
            if sidecar.is_forced:
                break
            try:
                cues, wrong = read_sidecar(sidecar)
            except DataError as error:
                notes.append(str(error))
                continue
            said = "; ".join(filter(None, [wrong, cues.note()]))
            if said or not cues.found:
                notes.append(f"{sidecar.path.name}: {said or 'no subtitles in it'}")
            if cues.found:
                language = sidecar.language
                return Told(phrases=cues.found, source="sidecar", language=language)
        return None

    def _inside(self, path: Path, notes: list[str]) -> Told | None:
        with self._decoder.subtitles(path, self._asked) as stream:
            timed = [(cue.start, cue.end, cue.text) for cue in stream]
        if stream.note:
            notes.append(f"its subtitles are {stream.note}")
        found = as_phrases(timed)
        if not found:
            return None
        return Told(phrases=found, source="embedded", language=stream.language)

    def _heard(self, path: Path, done: Callable[[float], None]) -> Told:
        if self._whisper is None:
            return Told(phrases=[], source="")
        with self._decoder.sound(path) as sound:
            found, language = self._whisper.hear(sound, done)
        note = f"its sound is {sound.note}" if sound.note else ""
        if not found:
            return Told(phrases=[], source="", note=note)
        return Told(phrases=found, source="speech", language=language, note=note)


def subtitles_of(video: Path) -> list[Path]:
    """The file of subtitles beside a video by which its words are told, if it has one."""
    usable = [one.path for one in sidecars(video, USUAL) if not one.is_forced]
    return usable[:1]


def _weights(name: str) -> Weights:
    try:
        return Weights(name)
    except ConfigError as error:
        raise ConfigError(f"{error}; --speech {NO_SPEECH} reads subtitles alone") from error
