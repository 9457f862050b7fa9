"""Questions about photos and clips whose answers are known, for `fit_confidence.py`."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from confidence_data import Encoder, Shown
from short_queries import UNTOLD, stem, words

SIZES, DRAWS = (4, 16, 60, 300), 150  # moments of a gallery; queries of each sort and size
STATES = ("present", "removed", "far")


@dataclass(frozen=True)
class Question:
    """A query against a gallery, and which of its moments match."""

    sort: str
    state: str
    text: str
    members: np.ndarray  # (M,), rows of the set
    match: np.ndarray  # (M,)
    about: str  # what is drawn anew as a whole in the bootstrap


class Asker:
    """Draws questions about one set of photos or clips."""

    def __init__(self, shown: Shown, encoder: Encoder, agreement: float, seed: int = 0) -> None:
        self.shown, self.encoder, self.agreement = shown, encoder, agreement
        self.source = np.random.default_rng(seed)

    def agrees(self, caption: str) -> np.ndarray:
        vector = self.encoder.sentences([caption])[0]
        return np.array([(own @ vector).max(initial=-1) for own in self.shown.sentences]) >= (
            self.agreement
        )

    def about_photos(self) -> Iterator[Question]:
        """Questions about random galleries of photos."""
        for size in SIZES:
            for _ in range(DRAWS):
                for state in STATES:
                    yield self._caption(state, size)
                    yield from self._word(state, size)

    def _members(self, allowed: np.ndarray, size: int, own: int) -> np.ndarray:
        members = self.source.permutation(allowed[allowed != own])[:size]
        if own >= 0:
            members[0] = own
        return members

    def _caption(self, state: str, size: int) -> Question:
        every = np.arange(len(self.shown.vectors))
        if state == "far":
            text, own = str(self.source.choice(self.shown.far_captions)), -1
            about = text
        else:
            own = int(self.source.integers(len(every)))
            text, about = str(self.source.choice(self.shown.captions[own])), str(own)
        match = self.agrees(text) | (every == own)
        members = self._members(every[every != own], size, own if state == "present" else -1)
        return Question("caption", state, text, members, match[members], about)

    def _word(self, state: str, size: int) -> Iterator[Question]:
        forms = self.shown.far_words if state == "far" else self.shown.words
        word = str(self.source.choice(sorted(forms)))
        share = self.shown.said.of(word)
        if state == "present":
            owners = np.flatnonzero(share >= 0.4)
            if len(owners) == 0:
                return
            members = self._members(np.arange(len(share)), size, int(self.source.choice(owners)))
        else:
            members = self._members(np.flatnonzero(~self.shown.said.related(word)), size, -1)
            if len(members) < size / 2:
                return
        yield Question("word", state, forms[word], members, share[members] > 0, word)

    def about_clips(self) -> Iterator[Question]:
        """Every question about a handful of clips: what is shown, and what is nowhere."""
        every, shown = np.arange(len(self.shown.vectors)), self.shown
        for text in sorted({text for texts in shown.labels for text in texts}):
            match = np.array([text in texts for texts in shown.labels]) | shown.mentions(text)
            sort = "word" if len(text.split()) == 1 else "phrase"
            yield Question(sort, "present", text, every, match, text)
            yield Question(sort, "removed", text, every[~match], match[~match], text)
        labelled = {stem(word) for texts in shown.labels for text in texts for word in words(text)}
        for word, form in (shown.words | shown.far_words).items():
            if word in labelled | {stem(one) for one in UNTOLD} or shown.is_related(word, labelled):
                continue
            yield Question("word", "far", form, every, np.zeros(len(every), bool), word)
        for own, captions in enumerate(shown.captions):
            for text in map(str, self.source.permutation(captions)[:20]):
                match, rest = self.agrees(text) | (every == own), every[every != own]
                yield Question("caption", "present", text, every, match, str(own))
                yield Question("caption", "removed", text, rest, match[rest], str(own))
        for text in shown.far_captions[:150]:
            if not (match := self.agrees(text)).any():
                yield Question("caption", "far", text, every, match, text)
