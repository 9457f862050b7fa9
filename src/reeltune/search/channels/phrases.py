"""All phrases of one channel of a library, and how well each answers a query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped, UInt8

from reeltune.search.channels import _likelihood
from reeltune.search.channels._stop_words import telling
from reeltune.search.channels._vocabulary import ABSENT, EXACT, Vocabulary
from reeltune.search.channels.question import Question

GAP = 2.0  # s; a sentence may go on in the next phrase, if that comes this soon
MEANING, QUOTATION = 0.1, 0.3  # chances that a match is one of meaning, and one of words
MOST_WORDS = 2 / 3  # of a query, that a quotation has
USUAL_WORDS, ZIPF = 8.0, 0.1  # in a phrase; a word's share of all words, times its rank
FORMS = 3.0  # times as common as a word is what has it in any form
MOST = 50.0  # natural logarithm of the greatest ratio

Levels = dict[str, UInt8[np.ndarray, " P"]]
Pairs = dict[tuple[str, str], Bool[np.ndarray, " P"]]


@dataclass(frozen=True)
class Weighed:
    """What P phrases say about one query."""

    ratio: Float[np.ndarray, " P"]  # how much likelier each is where a moment matches
    until: Int[np.ndarray, " P"]  # the last one of a sentence that each begins
    literal: Bool[np.ndarray, " P"]  # whether every word of the query is there as it is
    quoted: list[Bool[np.ndarray, " P"]]  # for each phrase in quotes, whether it is there
    quotes: tuple[tuple[str, ...], ...]  # the words of these phrases
    found: frozenset[str]  # words that count as words of the query and are more than stop words


def together(each: Sequence[tuple[float, Weighed]]) -> Weighed:
    """What phrases say about several queries at once, each of which counts so much; one that counts
    against a moment only lowers the ratio."""
    if len(each) == 1:
        return each[0][1]
    wanted = [weighed for counts, weighed in each if counts > 0]
    logarithm = sum(counts * np.log(weighed.ratio) for counts, weighed in each)
    none = np.zeros(len(each[0][1].ratio), bool)
    return Weighed(
        ratio=_exp(np.asarray(logarithm)),
        until=np.max([one.until for _, one in each], axis=0),
        literal=np.all([one.literal for one in wanted] or [none], axis=0),
        quoted=[quote for one in wanted for quote in one.quoted],
        quotes=tuple(quote for one in wanted for quote in one.quotes),
        found=frozenset().union(*(one.found for one in wanted)),
    )


@dataclass(frozen=True)
class Phrases:
    """P phrases in the order of their videos and times."""

    video: Int[np.ndarray, " P"]  # equal numbers are one video
    start: Float[np.ndarray, " P"]  # s
    end: Float[np.ndarray, " P"]  # s
    text: list[str]
    vector: Float[np.ndarray, "P 384"]
    vocabulary: Vocabulary = field(init=False)
    goes_on: Bool[np.ndarray, " P"] = field(init=False)  # whether the next may end its sentence

    def __post_init__(self) -> None:
        near = (self.video[1:] == self.video[:-1]) & (self.start[1:] - self.end[:-1] <= GAP)
        object.__setattr__(self, "goes_on", np.append(near, False)[: len(self.text)])
        object.__setattr__(self, "vocabulary", Vocabulary.of(self.text))

    def weigh(self, question: Question) -> Weighed:
        """Hold a query against every phrase, and against each with the next."""
        after = dict(pairwise(question.words))
        forms = {word: self.vocabulary.forms(word) for word in question.words}
        levels = {
            word: self.vocabulary.levels(word, after.get(word, ""), forms[word]) for word in forms
        }
        inside, across = self._pairs(question.words)
        alone, literal = self._quotation(question, levels, inside)
        both, whole = self._quotation(
            question,
            {word: np.maximum(level, self._ahead(level)) for word, level in levels.items()},
            {pair: one | self._ahead(one) | across[pair] for pair, one in inside.items()},
        )
        joined = self.goes_on & (
            both > np.maximum(alone, np.append(alone[1:], -np.inf)[: len(alone)])
        )
        quotation = (_exp(alone) + _exp(np.where(joined, both, -np.inf))) / (1 + self.goes_on)
        meaning = _exp(_likelihood.meant(self.vector @ question.vector, self.video))
        until, quoted = self._quoted(question)
        return Weighed(
            ratio=1 - MEANING + MEANING * meaning + QUOTATION * quotation,
            until=np.maximum(until, np.arange(len(self.text)) + joined),
            literal=literal | (joined & whole),
            quoted=quoted,
            quotes=tuple(map(tuple, question.quotes)),
            found=self._found({word: forms[word] for word in telling(question.words)}),
        )

    def _quotation(
        self, question: Question, levels: Levels, pairs: Pairs
    ) -> tuple[Float[np.ndarray, " P"], Bool[np.ndarray, " P"]]:
        """Logarithms of the ratios of phrases as quotations, and which have every word as it is."""
        ratio, had = np.zeros(len(self.text)), np.zeros(len(self.text), int)
        literal = np.full(len(self.text), bool(levels))
        for word, level in levels.items():
            ratio += _likelihood.had(level, self.video, _common(question.rank[word]))
            had += level != ABSENT
            literal &= level == EXACT
        for (one, other), follows in pairs.items():
            there = (levels[one] == EXACT) & (levels[other] == EXACT)
            ratio += _likelihood.followed(there, follows, self.video)
        enough = (had >= MOST_WORDS * len(levels)) & (had > 0)
        return np.where(enough, ratio, -np.inf), literal

    def _pairs(self, words: list[str]) -> tuple[Pairs, Pairs]:
        """Where words of the query follow each other: inside a phrase, and from it to the next."""
        inside, across = {}, {}
        for pair in dict.fromkeys(pairwise(words)):
            first, last = self._runs(pair)
            inside[pair], across[pair] = np.zeros((2, len(self.text)), bool)
            inside[pair][first[first == last]] = True
            across[pair][first[first < last]] = True
        return inside, across

    def _quoted(
        self, question: Question
    ) -> tuple[Int[np.ndarray, " P"], list[Bool[np.ndarray, " P"]]]:
        """The phrases up to which quotations reach, and where each quotation is."""
        until, found = np.arange(len(self.text)), []
        for quote in question.quotes:
            first, last = self._runs(quote)
            there = np.zeros(len(self.text), bool)
            for begin, end in zip(first, last, strict=True):
                there[begin : end + 1] = True
                until[begin] = max(until[begin], end)
            found.append(there)
        return until, found

    def _runs(
        self, words: tuple[str, ...] | list[str]
    ) -> tuple[Int[np.ndarray, " F"], Int[np.ndarray, " F"]]:
        """The first and the last phrase of each place where words follow each other, of phrases
        that go on."""
        places, phrase = self.vocabulary.having(words), self.vocabulary.phrase
        first, last = phrase[places], phrase[places + len(words) - 1]
        breaks = np.cumsum(np.append(0, ~self.goes_on))
        whole = breaks[first] == breaks[last]
        return first[whole], last[whole]

    def _ahead(self, values: Shaped[np.ndarray, " P"]) -> Shaped[np.ndarray, " P"]:
        """What the next phrase has, where it may end the sentence of one; else nothing."""
        return np.append(values[1:], np.zeros(1, values.dtype))[: len(values)] * self.goes_on

    def _found(self, forms: Mapping[str, set[int]]) -> frozenset[str]:
        """Words of a query, and those of phrases that are forms of these."""
        numbers = set().union(*forms.values())
        return frozenset(forms) | {self.vocabulary.words[number] for number in numbers}


def _common(rank: int) -> tuple[float, float]:
    """The shares of phrases that have a word of this rank as it is, and in another form."""
    exact = min(USUAL_WORDS * ZIPF / rank, 0.5)
    return exact, min(FORMS * exact, 0.5)


def _exp(logarithm: Float[np.ndarray, " P"]) -> Float[np.ndarray, " P"]:
    return np.exp(np.minimum(logarithm, MOST))
