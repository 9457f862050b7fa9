"""Short phrases of captions, as people type them: "dog", "red ball", "man on bike".

A phrase is one to three words of a caption in a row without words of grammar, or two words around a
preposition. It is true of a photo if one caption of that has all its words, compared by stems.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from short_queries import stem, words

LONGEST = 3  # words
BETWEEN = frozenset(("on", "in", "with", "at", "of", "to"))
OTHER_GRAMMAR = """
a an the and or but is are was were be been being am by for from his her their its it he she they we
you i them him this that these those there here some one two three four five six seven eight nine
ten other another while as into up down out over through near next behind around off who whom whose
which what where when has have had do does did about above across against along away before below
beneath beside between inside outside onto under very several many both each all no not can during
together same more most own only just like something someone s t
"""
GRAMMAR = BETWEEN | frozenset(OTHER_GRAMMAR.split())


def phrases(caption: str) -> Iterator[str]:
    """The phrases of one caption."""
    said = words(caption)
    for start in range(len(said)):
        for end in range(start + 1, min(start + LONGEST, len(said)) + 1):
            some = said[start:end]
            if GRAMMAR.isdisjoint(some) and (len(some) > 1 or len(some[0]) > 2):
                yield " ".join(some)
        around = said[start : start + 3]
        if len(around) == 3 and around[1] in BETWEEN and GRAMMAR.isdisjoint(around[::2]):
            yield " ".join(around)


def key(phrase: str) -> frozenset[str]:
    """What a photo must have in one caption for a phrase to be true of it."""
    return frozenset(stem(word) for word in phrase.split() if word not in BETWEEN)


def true_phrases(
    captions: Sequence[Sequence[str]], fewest: int, most: int
) -> tuple[list[str], np.ndarray]:
    """Phrases that are true of `fewest` to `most` photos, and of which they are (P, N).

    Of phrases of the same stems the most frequent one is taken.
    """
    forms: dict[frozenset[str], Counter[str]] = defaultdict(Counter)
    having: dict[str, set[tuple[int, int]]] = defaultdict(set)  # captions that have a stem
    for photo, some in enumerate(captions):
        for number, caption in enumerate(some):
            for word in words(caption):
                having[stem(word)].add((photo, number))
            for phrase in phrases(caption):
                forms[key(phrase)][phrase] += 1
    kept, rows = [], []
    for stems, found in forms.items():
        photos = {photo for photo, _ in set.intersection(*(having[one] for one in stems))}
        if fewest <= len(photos) <= most:
            kept.append(found.most_common(1)[0][0])
            rows.append(np.isin(np.arange(len(captions)), list(photos)))
    return kept, np.stack(rows)
