"""Fit what turns scores of texts into confidence, and check it on data that took no part.

    python scripts/fit_confidence.py --data ../shared/data --cache /tmp/confidence

Photos of Flickr8k stand for moments, in galleries of several sizes, and clips of MSR-VTT, MSVD and
others for small libraries. Queries are captions, and words on which the captions of a photo agree.
A query is present (half of the weight), removed (what it is of is not in the gallery) or far (of
MSVD, with nothing like it here). An answer matches a word that any of its captions has, and a
caption if it is its own or its captions agree with it as much as three of four captions agree with
another one of their own photo.

What takes part in what: development photos are split into those of the fit and of the validation,
test photos only test; the clips of MSVD and TGIF validate, the others test; words are split by a
hash, and those of the tested clips are of the test. The features and the threshold are chosen by
the validation. The background is training photos, of which only the mean vector is shipped.

Prints the log loss of each choice of features on the validation, the weights and the threshold, and
the figures of the test as they were before and are now.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from confidence_data import Encoder, Shown, clips, photos
from fit_picture_confidence import area, chance, regression
from reeltune.search._confidence import GOOD, KNOWN, MOST, WEIGHTS
from short_queries import UNTOLD, stem, words

BEFORE = (1.739, -0.786, -3.686)  # weights of strength and log count, and the bias, on captions
SIZES, DRAWS = (4, 16, 60, 300), 150  # moments of a gallery; queries of each sort and size
BOOTSTRAPS = 1000
SORTS = ("word", "caption")
STATES = {"present": 0.5, "removed": 0.25, "far": 0.25}  # weight
Columns = dict[str, np.ndarray]


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

    def drawn(self, sizes: tuple[int, ...]) -> Iterator[Question]:
        """Questions about random galleries of photos."""
        for size in sizes:
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


def asked(shown: Shown, questions: Iterator[Question], encoder: Encoder) -> Columns:
    """The best answer to each question, a row each."""
    rows, background = [], encoder.background
    for question in questions:
        query = encoder.vectors([question.text])[0]
        scores, far = shown.vectors[question.members] @ query, background @ query
        best = int(np.argmax(scores))
        rows.append(
            {
                "sort": question.sort,
                "state": question.state,
                "about": question.about,
                "match": bool(question.match[best]),
                "score": scores[best],
                "count": len(scores),
                "mean": far.mean(),
                "std": far.std(),
                "low": np.median(far) - np.quantile(far, 0.16),
            }
        )
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def crowd(found: Columns) -> np.ndarray:
    return np.log(np.minimum(found["count"], MOST))


def strength(found: Columns, of: str = "score") -> np.ndarray:
    return (found[of] - KNOWN["lite"].texts) / KNOWN["lite"].spread


def z(found: Columns, spread: str) -> np.ndarray:
    return (found["score"] - found["mean"]) / found[spread]


CHOICES: dict[str, Callable[[Columns], list[np.ndarray]]] = {
    "score": lambda found: [strength(found)],
    "score, mean of the query": lambda found: [strength(found), strength(found, "mean")],
    "score, mean and deviation of the query": lambda found: [
        *(strength(found), strength(found, "mean")),
        found["std"] / KNOWN["lite"].spread,
    ],
    "z of the query's own distribution": lambda found: [z(found, "std")],
    "z by its lower half": lambda found: [z(found, "low")],
    "z, score": lambda found: [z(found, "std"), strength(found)],
}
CHOSEN = "score"  # the others gain less than 0.01 on both validation sets


def inputs(found: Columns, choice: str) -> np.ndarray:
    return np.column_stack([*CHOICES[choice](found), crowd(found)])


def weight(found: Columns) -> np.ndarray:
    """Words and captions count the same, and so do present queries and others."""
    total = np.zeros(len(found["match"]))
    for sort in SORTS:
        for state, share in STATES.items():
            inside = (found["sort"] == sort) & (found["state"] == state)
            total[inside] = share / max(inside.sum(), 1)
    return total


def log_loss(found: Columns, sure: np.ndarray) -> float:
    sure = np.clip(sure, 1e-4, 1 - 1e-4)
    losses = -np.where(found["match"], np.log(sure), np.log(1 - sure))
    return float(np.average(losses, weights=weight(found)))


def figures(found: Columns, sure: np.ndarray, threshold: float) -> np.ndarray:
    """Right first answers called bad, first answers to what is absent called good, and AUC."""
    present = found["state"] == "present"
    right, absent = present & found["match"], ~present & ~found["match"]
    if not right.any() or not absent.any():
        return np.full(3, np.nan)
    return np.array(
        [
            (sure[right] < threshold).mean(),
            (sure[absent] >= threshold).mean(),
            area(sure, present.astype(float)),
        ]
    )


def only(found: Columns, sort: str) -> np.ndarray:
    return found["sort"] == sort


def best_threshold(checked: list[tuple[Columns, np.ndarray]]) -> float:
    """Where right answers called good less absent ones called good are most, to a twentieth, by
    the mean over words and captions of each set."""

    def balance(step: float) -> float:
        each = [
            1 - figures({k: v[m] for k, v in found.items()}, sure[m], step)[:2].sum()
            for found, sure in checked
            for m in (only(found, sort) for sort in SORTS)
        ]
        return float(np.mean(each))

    return float(max(np.arange(1, 20) / 20, key=balance))


def interval(found: Columns, sure: np.ndarray) -> np.ndarray:
    """95 % interval (2, 3) of the figures: words, photos and clips are drawn anew as wholes."""
    source, drawn = np.random.default_rng(0), []
    names, codes = np.unique(found["about"], return_inverse=True)
    rows = [np.flatnonzero(codes == code) for code in range(len(names))]
    for _ in range(BOOTSTRAPS):
        some = np.concatenate([rows[i] for i in source.integers(len(names), size=len(names))])
        drawn.append(figures({k: v[some] for k, v in found.items()}, sure[some], GOOD))
    return np.nanquantile(drawn, (0.025, 0.975), axis=0)


def report(name: str, found: Columns, sure: np.ndarray) -> None:
    for sort in dict.fromkeys(found["sort"].tolist()):
        inside = only(found, sort)
        some = {key: column[inside] for key, column in found.items()}
        mid, (low, high) = figures(some, sure[inside], GOOD), interval(some, sure[inside])
        right = int(((some["state"] == "present") & some["match"]).sum())
        shown = [f"{m:.3f} ({a:.3f} to {b:.3f})" for m, a, b in zip(mid, low, high, strict=True)]
        print(f"{name}, {sort}: right first {right}, bad {shown[0]}, absent good {shown[1]}, "
              f"AUC {shown[2]}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, required=True)
    chosen = parser.parse_args()
    encoder = Encoder(chosen.data, chosen.cache)
    fit, val, test = (photos(encoder, part) for part in ("fit", "val", "test"))
    val_clips, test_clips = (clips(encoder, part) for part in ("val", "test"))
    agreement = encoder.own_agreement(fit)
    sizes = {len(shown.vectors): SIZES for shown in (fit, val, test)}
    found = {
        name: asked(
            shown, Asker(shown, encoder, agreement).drawn(sizes[len(shown.vectors)]), encoder
        )
        for name, shown in (("fit", fit), ("val", val), ("test", test))
    } | {
        name: asked(shown, Asker(shown, encoder, agreement).about_clips(), encoder)
        for name, shown in (("val clips", val_clips), ("test clips", test_clips))
    }
    for choice in CHOICES:
        train = found["fit"]
        weights = regression(inputs(train, choice), train["match"].astype(float), weight(train))
        sure = {n: chance(inputs(one, choice), weights) for n, one in found.items()}
        losses = [f"{log_loss(found[name], sure[name]):.4f}" for name in ("val", "val clips")]
        print(f"{choice}: weights {weights.round(3).tolist()}, log loss {', '.join(losses)}")
        if choice == CHOSEN:
            kept = sure
            in_use = best_threshold([(found[n], sure[n]) for n in ("val", "val clips")])
    print(f"in use {CHOSEN}: {WEIGHTS['text']}, threshold {GOOD}; best {in_use}")
    for name in ("test", "test clips"):
        before = np.column_stack([strength(found[name]), crowd(found[name])])
        report(f"before, {name}", found[name], chance(before, np.array(BEFORE)))
        report(f"now, {name}", found[name], kept[name])


if __name__ == "__main__":
    main()
