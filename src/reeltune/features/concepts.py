"""Concepts of videos, taken from their captions: what a dual encoder's concept space predicts.

The recipe is that of hybrid_space (Dong et al., TPAMI 2021): adjectives, verbs and nouns of all
captions of a video, as lemmas, without stop words; those that a video has more than once are its
tags, and the most frequent 512 tags of all videos are the concepts. A video's target for a concept
is its count of the tag over the count of its most frequent tag.

hybrid_space tags with NLTK and WordNet, whose data have to be downloaded. Here HanTa does both
(Wartena, KONVENS 2019): its wheel holds its English model, so nothing is fetched when it runs.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from importlib import import_module, resources
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from reeltune.errors import ConfigError, DataError, counted
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.text_file import read_text
from reeltune.types import Caption

SIZE = 512  # concepts, as published
AT_LEAST = 2  # times that a word must be in the captions of a video to be a tag of it
KEPT = ("AJ", "NN", "NP", "VB", "VD", "VH", "VV")  # beginnings of BNC's names of word classes
Tags = Mapping[str, Mapping[str, int]]  # video -> tag -> count
Annotate = Callable[[str], Sequence[str]]


class Concepts:
    """The soft targets of each video, over `names`, the concepts in order of frequency.

    `largest` says whose count is 1: "video", that of the video's most frequent tag, even one that
    is no concept (hybrid_space), or "concepts", that of its most frequent concept (the authors of
    Dual Encoding++).
    """

    def __init__(
        self,
        names: Sequence[str],
        tags: Tags,
        largest: Literal["video", "concepts"] = "video",
    ) -> None:
        self.names, self._tags, self._largest = tuple(names), tags, largest
        self._number = {name: number for number, name in enumerate(self.names)}
        if len(self._number) < len(self.names) or not self.names:
            raise DataError(
                f"{len(self.names)} concepts are given, of which {len(self._number)} differ; "
                "give each name once, and one name at least"
            )

    @property
    def videos(self) -> tuple[str, ...]:
        """Videos that have tags, in the order of their file."""
        return tuple(self._tags)

    def targets(self, video: str) -> Float[np.ndarray, " K"]:
        """Targets between 0 and 1, all 0 for a video without tags.

        Raises DataError for an unknown video.
        """
        if video not in self._tags:
            raise DataError(
                f"there are no tags of {video!r}, only of "
                f"{counted(len(self._tags), 'other video')}; take tags from the captions of this "
                "split too"
            )
        tags = self._tags[video]
        known = {self._number[tag]: count for tag, count in tags.items() if tag in self._number}
        found = np.zeros(len(self.names), np.float32)
        if known:
            largest = max((tags if self._largest == "video" else known).values())
            found[list(known)] = np.array(list(known.values())) / largest
        return found


def annotate(captions: Iterable[Caption], words_of: Annotate, at_least: int = AT_LEAST) -> Tags:
    """Tags of each video with their counts, the most frequent first.

    Words that occur less than `at_least` times in a video's captions are no tags of it; videos
    whose id begins with "tgif" have few captions, and keep every word (as in hybrid_space).
    """
    counted: dict[str, Counter[str]] = {}
    for video, text in captions:
        counted.setdefault(video, Counter()).update(words_of(text))
    return {
        video: {
            tag: count
            for tag, count in counts.most_common()
            if count >= (1 if video.startswith("tgif") else at_least)
        }
        for video, counts in counted.items()
    }


def most_frequent(tags: Tags, size: int = SIZE) -> list[str]:
    """The `size` tags with the highest sums of counts; of equal ones, the one that came first."""
    sums: Counter[str] = Counter()
    for counts in tags.values():
        sums.update(counts)
    return [tag for tag, _ in sums.most_common(size)]


def words_of(caption: str) -> list[str]:
    """Lemmas of a caption's adjectives, verbs and nouns, without stop words."""
    words = re.sub(r"[^A-Za-z0-9]", " ", caption).lower().split()
    return list(_lemmas(tuple(words))) if words else []


@lru_cache(maxsize=1 << 16)
def _lemmas(words: tuple[str, ...]) -> tuple[str, ...]:
    """Remembered, for captions recur, and a run asks for those of its split more than once."""
    tagged = _tagger().tag_sent(words)
    lemmas = [lemma.lower() for _, lemma, kind in tagged if kind.startswith(KEPT)]
    return tuple(lemma for lemma in lemmas if lemma not in stop_words())


@cache
def stop_words() -> frozenset[str]:
    """English words that are too common to be a concept."""
    lines = (
        resources.files("reeltune.features").joinpath("_stop_words.txt").read_text().splitlines()
    )
    return frozenset(w for line in lines if not line.startswith("#") for w in line.split())


@cache
def _tagger() -> Any:
    try:
        tagger = import_module("HanTa.HanoverTagger")
    except ImportError:
        raise ConfigError(
            "taking concepts from captions needs HanTa, a tagger of words; "
            "install it: pip install 'reeltune[concepts]'"
        ) from None
    return tagger.HanoverTagger("morphmodel_en.pgz")


def read_concepts(
    labels: Path, vocabulary: Path, largest: Literal["video", "concepts"] = "video"
) -> Concepts:
    """Concepts from the files of hybrid_space, `video_label_th_1.txt` and `tag_vocab_512.json`."""
    return Concepts(read_names(vocabulary), read_tags(labels), largest)


def read_names(vocabulary: Path) -> list[str]:
    """Names of concepts in a JSON list, the most frequent first."""
    try:
        names = json.loads(read_text(vocabulary, "give a list of words, the most frequent first"))
    except ValueError as error:
        raise DataError(
            f"{vocabulary} is not JSON ({error}); give a list of words, the most frequent first"
        ) from None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{vocabulary} is not a list of words; give one, the most frequent first")
    return names


def read_tags(labels: Path) -> Tags:
    """Tags by video from lines of a video, a tab, and `tag:count` with spaces between; a video
    may have no tags."""
    tags: dict[str, dict[str, int]] = {}
    for number, line in enumerate(read_text(labels, "copy it again").split("\n"), start=1):
        if line.strip():
            video, _, rest = line.strip().partition("\t")
            pairs = [part.rpartition(":") for part in rest.split()]
            try:
                counts = [(tag, _count(count)) for tag, _, count in pairs if tag or count]
            except ValueError:
                raise DataError(
                    f"{labels}, line {number}: {rest!r:.60} is not tag:count with spaces between; "
                    "mend it, or copy the file again"
                ) from None
            if twice := [name for name, n in Counter(tag for tag, _ in counts).items() if n > 1]:
                raise DataError(
                    f"{labels}, line {number}: tag {twice[0]!r} of {video} is there twice; keep "
                    "one count of it"
                )
            if video in tags:
                raise DataError(
                    f"{labels}, line {number}: tags of {video} are there twice; keep one line of "
                    "each video"
                )
            tags[video] = dict(counts)
    return tags


def write_concepts(folder: Path, tags: Tags, size: int = SIZE) -> tuple[Path, Path]:
    """Write both files as hybrid_space keeps them, below its folder `TextData/tags`; return
    their paths."""
    labels = folder / f"video_label_th_{AT_LEAST - 1}.txt"
    vocabulary = folder / labels.stem / f"tag_vocab_{size}.json"
    vocabulary.parent.mkdir(parents=True, exist_ok=True)
    lines = (
        f"{video}\t{' '.join(f'{tag}:{count}' for tag, count in counts.items())}\n"
        for video, counts in tags.items()
    )
    write_atomically(labels, "".join(lines).encode())
    write_atomically(vocabulary, json.dumps(most_frequent(tags, size)).encode())
    return labels, vocabulary


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError
    return count
