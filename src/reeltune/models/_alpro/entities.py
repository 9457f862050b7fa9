"""Entities of our own: words that captions say often, where no list of a release is given."""

import re
from collections import Counter
from collections.abc import Iterable

from reeltune.features.concepts import stop_words
from reeltune.types import Pair

WORD = re.compile(r"[a-z]{2,}")


def frequent_words(pairs: Iterable[Pair], count: int) -> tuple[str, ...]:
    """The `count` most frequent words of captions, without stop words.

    Each caption of a video counts a word once; equally frequent words stand in the order of the
    alphabet. The release takes the most frequent nouns of its captions, which a tagger has to find.
    """
    counted: Counter[str] = Counter()
    for pair in pairs:
        counted.update(set(WORD.findall(pair.caption.lower())) - stop_words())
    order = sorted(counted, key=lambda word: (-counted[word], word))
    return tuple(order[:count])
