"""How well, how fast and how near in time is speech recognised, and what is invented in music?

Fifty sentences of our own, spoken by espeak-ng in three voices, each in a clip; then all of them in
one clip, for the speed; then two minutes of music and of noise. Processor seconds include decoding
of the sound; run it with OMP_NUM_THREADS=1 for seconds of one core.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from _line import emit
from _own_speech import errors, music, own_speech, talk, words, write
from reeltune.cli.speaker import RATE
from reeltune.search.channels.channel import Told
from reeltune.search.channels.said import Said

FIGURES = {
    "word_error_rate": ("lower", "words wrong"),
    "times_real_time": ("higher", "times real time of one core"),
}

FEW = 4  # words of a phrase that is looked for


def main() -> None:
    speech = sys.argv[1] if len(sys.argv) > 1 else "tiny.en"
    with tempfile.TemporaryDirectory() as name:
        folder, said = Path(name), Said(speech)
        clips = own_speech(folder)
        wrong = of = found = 0
        late: list[float] = []
        for clip in clips:
            phrases = tell(said, clip.path).phrases
            heard = [word for phrase in phrases for word in words(phrase.text)]
            wrong, of = wrong + errors(words(clip.text), heard), of + len(words(clip.text))
            found += has_four(words(clip.text), heard)
            if phrases:
                late += [phrases[0].start - clip.start, phrases[-1].end - clip.end]
        seconds, spent = speed(said, folder)
        emit(
            "speech recognised",
            model=speech,
            word_error_rate=round(wrong / of, 3),
            clips_with_four_words_right=round(found / len(clips), 2),
            time_error_median_s=round(float(np.median(np.abs(late))), 2),
            time_error_worst_s=round(float(np.abs(late).max()), 2),
            times_real_time=round(seconds / spent, 1),
            words_in_music=invented(said, folder, music(120, seed=1)),
            words_in_noise=invented(said, folder, noise(120)),
        )
        said.close()


def has_four(said: list[str], heard: list[str]) -> bool:
    """Whether four words of a sentence were heard in a row."""
    runs = {tuple(heard[i : i + FEW]) for i in range(len(heard))}
    return any(tuple(said[i : i + FEW]) in runs for i in range(len(said) - FEW + 1))


def tell(said: Said, path: Path) -> Told:
    return said.tell(path, lambda share: None)


def speed(said: Said, folder: Path) -> tuple[float, float]:
    """Seconds of a talk, and of processor time that its words cost."""
    sound = talk()
    write(folder / "talk.mp4", sound)
    said.close()  # so that the decoder's time is counted from here on
    before, children = time.process_time(), spent_by_children()
    tell(said, folder / "talk.mp4")
    said.close()
    return len(sound) / RATE, time.process_time() - before + spent_by_children() - children


def spent_by_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def noise(seconds: int) -> np.ndarray:
    loud = np.random.default_rng(1).normal(0, 4000, seconds * RATE)
    return np.clip(loud, -32768, 32767).astype(np.int16)


def invented(said: Said, folder: Path, sound: np.ndarray) -> int:
    """Words heard where nobody speaks."""
    write(folder / "nobody.mp4", sound)
    return sum(len(words(phrase.text)) for phrase in tell(said, folder / "nobody.mp4").phrases)


if __name__ == "__main__":
    main()
