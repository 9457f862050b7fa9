"""How good are the constants by which words count in a search, and what would data make of them?

    python scripts/fit_fusion.py --data ../shared/data --cache FOLDER

The scripts by which the constants of `search/channels/_likelihood.py` and `phrases.py` were chosen
were not kept, so this is made anew and does not repeat that choice, in which what is seen took part
as well. It does two things, without a picture.

It estimates each constant that is a share or a moment directly. Captions of Flickr8k's development
split stand for phrases: cosines and words of unrelated ones are those of different photos, and
matching ones are captions of one photo. Other captions of that split are spoken by espeak-ng in
seven voices and recognised by tiny.en; four words in a row of each are a quotation, which gives the
shares of words that are heard as they are, nearly, and one after the other.

Then it halves and doubles each constant in use, one at a time (a chance by its odds), and prints:
the share of quotations whose own sentence is the first of all spoken ones; R@1 of captions among
16 photos, each with another caption as its words; and the mean ratio of unrelated phrases to such
queries, which is to be about 1, for a moment shall gain nothing for having words.
"""

import argparse
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np

from fit_picture_confidence import regression
from reeltune.cli.speaker import RATE, VOICES, say
from reeltune.media.spoken import Piece
from reeltune.models.opening.sentences import Sentences
from reeltune.models.speech.weights import PACKAGED, Weights
from reeltune.models.speech.whisper import Whisper
from reeltune.search.channels import _likelihood, phrases
from reeltune.search.channels._vocabulary import EXACT, LOOSE, Vocabulary
from reeltune.search.channels.phrases import Phrases
from reeltune.search.channels.question import Question
from reeltune.search.channels.tokens import words
from train_lite_head import Flickr8k

MORE_VOICES = ("en-gb-scotland", "en-us+m3", "en-gb-x-rp+f2", "en-us+f4")
FEW, LONG = 4, (7, 14)  # words of a quotation, and of a sentence that is spoken
PHOTOS, GALLERY, DRAWS = 320, 16, 200
SAMPLES = 16_000  # a second, as Whisper takes them
# What is halved and doubled; chances are so by their odds.
CHANCES = {"HEARD", "HEARD_LOOSELY", "FOLLOWS", "BY_CHANCE", "MEANING", "QUOTATION", "MOST_WORDS"}
SHARED, MOST_THERE = ("HEARD", "HEARD_LOOSELY"), 0.99  # chances that are 1 with that of absence
CONSTANTS: dict[ModuleType, tuple[str, ...]] = {
    _likelihood: ("KNOWN", "HEARD", "HEARD_LOOSELY", "FOLLOWS", "BY_CHANCE", "KNOWN_PAIRS"),
    phrases: ("MEANING", "QUOTATION", "MOST_WORDS", "USUAL_WORDS", "ZIPF", "FORMS"),
}


@dataclass(frozen=True)
class Told:
    """Lines, each of a video of its own, with queries."""

    phrases: Phrases
    queries: list[Question]
    own: np.ndarray  # (Q,) the video that each query is about


@dataclass
class Sound:
    """A sound as Whisper takes it from the decoder."""

    samples: np.ndarray

    @property
    def duration(self) -> float:
        return len(self.samples) / SAMPLES

    def __iter__(self) -> Iterator[Piece]:
        yield Piece(0.0, self.samples)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--spoken", type=int, default=90, help="sentences that are spoken")
    given = parser.parse_args()
    given.cache.mkdir(parents=True, exist_ok=True)
    sentences, draw = Sentences(), random.Random(17)
    data = Flickr8k(given.data / "flickr8k")
    each = [data.captions[name] for name in data.split("dev")]
    draw.shuffle(each)
    heard = transcripts(given.cache, [one[0] for one in each[PHOTOS:]], given.spoken)
    spoken, captions = quotations(sentences, heard, draw), galleries(sentences, each[:PHOTOS])
    by_cosine(sentences, each[:PHOTOS])
    by_words(sentences, each[:PHOTOS])
    by_hearing(spoken)
    print(line("all constants as they are", spoken, captions))
    for module, names in CONSTANTS.items():
        for name in names:
            for factor in (0.5, 2.0):
                with changed(module, name, factor) as value:
                    print(line(f"{name} {value:.3g}", spoken, captions), flush=True)


def transcripts(cache: Path, texts: list[str], count: int) -> list[dict[str, str]]:
    """Sentences with what is heard of each, spoken and recognised once."""
    kept = cache / f"heard-{count}.json"
    if kept.is_file():
        return list(json.loads(kept.read_text()))
    whisper, found = Whisper(Weights(PACKAGED)), []
    fit = [one for one in texts if LONG[0] <= len(words(one)) <= LONG[1]][:count]
    voices = VOICES + MORE_VOICES
    for number, text in enumerate(fit):
        sound = Sound(slower(say(text, voices[number % len(voices)])))
        told = " ".join(one.text for one in whisper.hear(sound, lambda share: None)[0])  # type: ignore[arg-type]
        found.append({"said": text, "heard": told})
    kept.write_text(json.dumps(found))
    return found


def slower(sound: np.ndarray) -> np.ndarray:
    """A sound at Whisper's rate, by linear interpolation, with half a second of quiet around it."""
    at = np.arange(0, len(sound) - 1, RATE / SAMPLES)
    quiet = np.zeros(SAMPLES // 2)
    whole = np.concatenate([quiet, np.interp(at, np.arange(len(sound)), sound), quiet])
    return whole.astype(np.int16)


def quotations(sentences: Sentences, heard: list[dict[str, str]], draw: random.Random) -> Told:
    """Four words in a row of each spoken sentence, against what was heard."""
    texts = [one["heard"] for one in heard]
    asked = []
    for one in heard:
        said = words(one["said"])
        at = draw.randrange(len(said) - FEW + 1)
        asked.append(" ".join(said[at : at + FEW]))
    vectors = sentences.vectors(texts)
    return Told(as_phrases(texts, vectors), questions(sentences, asked), np.arange(len(texts)))


def galleries(sentences: Sentences, each: list[list[str]]) -> Told:
    """The second caption of each photo as its words, the first as a query."""
    texts = [one[1] for one in each]
    asked = questions(sentences, [one[0] for one in each])
    return Told(as_phrases(texts, sentences.vectors(texts)), asked, np.arange(len(texts)))


def as_phrases(texts: list[str], vectors: np.ndarray) -> Phrases:
    zeros = np.zeros(len(texts))
    return Phrases(np.arange(len(texts)), zeros, zeros + 1, texts, vectors)


def questions(sentences: Sentences, texts: list[str]) -> list[Question]:
    vectors = sentences.vectors(texts)
    return [Question.of(t, v, sentences.ranks) for t, v in zip(texts, vectors, strict=True)]


def by_cosine(sentences: Sentences, each: list[list[str]]) -> None:
    """Print what cosines are usual, and the logarithm of the ratio by a logistic fit to as many
    matching pairs as others."""
    one, other = (sentences.vectors([photo[n] for photo in each]) for n in (0, 1))
    cosines, same = one @ other.T, np.eye(len(one), dtype=bool)
    mean, spread = cosines[~same].mean(), cosines[~same].std()
    deviations = ((cosines - mean) / spread)[..., None]
    weight = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum()) * same.size
    fit = regression(deviations.reshape(-1, 1), same.ravel().astype(float), weight.ravel())
    show("COSINE", mean, _likelihood.COSINE)
    show("SPREAD", spread, _likelihood.SPREAD)
    show("MEANT, slope", fit[0], _likelihood.MEANT[0])
    show("MEANT, offset", fit[1], _likelihood.MEANT[1])
    ratio = np.exp(_likelihood.MEANT[0] * deviations[~same] + _likelihood.MEANT[1]).mean()
    print(f"mean ratio of unrelated cosines by MEANT in use: {ratio:.2f}")


def by_words(sentences: Sentences, each: list[list[str]]) -> None:
    """Print how common words are, in their own form and in others."""
    texts = [one[1] for one in each]
    vocabulary, apart = Vocabulary.of(texts), [words(text) for text in texts]
    asked = sorted({word for one in each for word in words(one[0])})
    levels = np.stack([vocabulary.levels(word) for word in asked])
    exact, loose = ((levels == level).mean(axis=1) for level in (EXACT, LOOSE))
    rank = np.array(sentences.ranks(asked))
    long = float(np.mean([len(one) for one in apart]))
    known = rank < rank.max()
    show("USUAL_WORDS", long, phrases.USUAL_WORDS)
    share = float((exact[known] / long).sum() / (1 / rank[known]).sum())
    show("ZIPF", share, phrases.ZIPF)
    show("FORMS", float(loose.sum() / exact.sum()), phrases.FORMS)
    pairs = [pair for one in each for pair in pairwise(words(one[0]))]
    both = follows = 0
    for photo, one in enumerate(each):
        other = apart[(photo + 1) % len(apart)]
        for first, last in dict.fromkeys(pairwise(words(one[0]))):
            if first in other and last in other:
                both, follows = both + 1, follows + ((first, last) in pairwise(other))
    show("BY_CHANCE", follows / max(both, 1), _likelihood.BY_CHANCE)
    print(f"  ({both} of {len(pairs)} pairs stand in a caption of another photo)")


def by_hearing(spoken: Told) -> None:
    """Print how the words of quotations were heard."""
    exact = loose = total = follows = both = 0
    for query, own in zip(spoken.queries, spoken.own, strict=True):
        vocabulary = Vocabulary.of([spoken.phrases.text[own]])
        after, heard = dict(pairwise(query.words)), words(spoken.phrases.text[own])
        levels = {one: vocabulary.levels(one, after.get(one, ""))[0] for one in query.words}
        total += len(levels)
        exact += sum(level == EXACT for level in levels.values())
        loose += sum(level == LOOSE for level in levels.values())
        for first, last in pairwise(query.words):
            if levels[first] == levels[last] == EXACT:
                both, follows = both + 1, follows + ((first, last) in pairwise(heard))
    show("HEARD", exact / total, _likelihood.HEARD)
    show("HEARD_LOOSELY", loose / total, _likelihood.HEARD_LOOSELY)
    show("FOLLOWS", follows / max(both, 1), _likelihood.FOLLOWS)


def show(name: str, estimate: float, used: float) -> None:
    print(f"{name}: {estimate:.3f} by this data, {used:.3f} in use")


@contextmanager
def changed(module: ModuleType, name: str, factor: float) -> Iterator[float]:
    """One constant with another value for a while."""
    before = getattr(module, name)
    odds = factor * before / (1 - before) if name in CHANCES else 0.0
    after = odds / (1 + odds) if name in CHANCES else factor * before
    if name in SHARED:  # a word may always be absent
        other = sum(getattr(module, one) for one in SHARED if one != name)
        after = min(after, MOST_THERE - other)
    setattr(module, name, after)
    try:
        yield after
    finally:
        setattr(module, name, before)


def line(name: str, spoken: Told, captions: Told) -> str:
    """What comes of the constants as they are."""
    first = [
        spoken.phrases.weigh(query).ratio.argmax() == own
        for query, own in zip(spoken.queries, spoken.own, strict=True)
    ]
    ratios = np.stack([captions.phrases.weigh(query).ratio for query in captions.queries])
    draw, found = np.random.default_rng(0), []
    for _ in range(DRAWS):
        some = draw.choice(len(ratios), GALLERY, replace=False)
        found.append((ratios[np.ix_(some, some)].argmax(axis=1) == np.arange(GALLERY)).mean())
    unrelated = ratios[~np.eye(len(ratios), dtype=bool)].mean()
    return (
        f"{name}: quotations first {100 * np.mean(first):.1f} %, captions R@1 "
        f"{100 * np.mean(found):.1f}, mean ratio of unrelated phrases {unrelated:.2f}"
    )


if __name__ == "__main__":
    main()
