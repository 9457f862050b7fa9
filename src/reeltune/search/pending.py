"""Searches that have begun: the costly parts of many are done together."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
from jaxtyping import Float

from reeltune.records import Hit
from reeltune.search._find import Finder, Sought
from reeltune.search.encoder import FEW
from reeltune.search.query import BRIEF, Ask, answer
from reeltune.search.terms import Term


@dataclass
class Pending:
    """A search of one version of a library, whose words are to be read and whose vector is to be
    compared with the moments; `hits` does whatever of that is not done yet."""

    finder: Finder
    terms: Sequence[Term]
    ask: Ask
    _sought: Sought | None = None
    _scores: Float[np.ndarray, " N"] | None = None

    def __post_init__(self) -> None:
        """Raise ConfigError where nothing counts for a moment, and for words in what has none."""
        self.finder.require(self.terms, self.ask.channels)

    @property
    def texts(self) -> list[str]:
        """The words that are to be read."""
        return [term.value for term in self._words]

    @property
    def keeps_others_waiting(self) -> bool:
        """Whether an answer takes so long that others had better not wait for it."""
        return self.finder.gallery.on_disk or self.ask.k > BRIEF

    def read(self, vectors: Iterable[Float[np.ndarray, " D"]]) -> Sought:
        """What the gallery is to be asked, given the vectors of `texts`; raises as
        `Library.search`."""
        read = dict(zip(self._words, vectors, strict=True))
        self._sought = self.finder.sought(self.terms, self.ask, read)
        return self._sought

    @property
    def vector(self) -> Float[np.ndarray, " E"] | None:
        """What is to be compared, once the words have been read."""
        return None if self._sought is None else self._sought.vector

    def compared(self, scores: Float[np.ndarray, " N"]) -> None:
        """Take the cosines of what is sought with all moments of the gallery."""
        self._scores = scores

    def hits(self) -> list[Hit]:
        """The best moments; raises as `Library.search`."""
        sought = self._sought or self.read(
            self.finder.encoder.texts([one])[0] for one in self.texts
        )
        return answer(
            self.finder.gallery,
            sought.vector,
            self.ask,
            sought.chance,
            sought.own,
            sought.words,
            sought.only,
            self._scores,
        )

    @property
    def _words(self) -> list[Term]:
        return [term for term in self.terms if term.kind == "words"]


def read(searches: Sequence[Pending]) -> None:
    """Read the words of searches in one pass.

    What cannot be read is left to `hits` of each, which then says what is wrong with it.
    """
    for some in _by_gallery(searches):
        with suppress(Exception):  # of one of them
            texts = [text for one in some for text in one.texts]
            encoder = some[0].finder.encoder
            parts = [encoder.texts(texts[at : at + FEW]) for at in range(0, len(texts), FEW)]
            vectors = chain.from_iterable(parts)
            for one in some:
                one.read(islice(vectors, len(one.texts)))


def compare(searches: Sequence[Pending]) -> None:
    """Compare what is sought by searches, whose words have been read, with all moments at once."""
    for some in _by_gallery(searches):
        known = [(one, one.vector) for one in some if one.vector is not None]
        with suppress(Exception):  # which `hits` says
            scores = some[0].finder.gallery.scores([vector for _, vector in known])
            for (one, _), own in zip(known, () if scores is None else scores, strict=False):
                one.compared(own)


def _by_gallery(searches: Sequence[Pending]) -> list[list[Pending]]:
    """Those of one gallery, and so of one model, together."""
    found: dict[int, list[Pending]] = {}
    for one in searches:
        found.setdefault(id(one.finder.gallery), []).append(one)
    return [*found.values()]
