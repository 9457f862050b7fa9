"""Words that people may type, with what they are true of, for `fit_confidence.py`.

A word is told by its stem. Words take part in the fit, in the validation or in the test, never in
two of them; those of the clips that the test has are words of the test.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

# Words that name nothing to look for, or that are true of most pictures without being said.
VAGUE = [
    "a",
    "an",
    "the",
    "of",
    "in",
    "on",
    "at",
    "to",
    "with",
    "and",
    "or",
    "is",
    "are",
    "be",
    "being",
    "by",
    "for",
    "from",
    "his",
    "her",
    "their",
    "its",
    "it",
    "he",
    "she",
    "they",
    "we",
    "you",
    "i",
    "them",
    "him",
    "this",
    "that",
    "there",
    "some",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "other",
    "another",
    "while",
    "as",
    "into",
    "up",
    "down",
    "out",
    "over",
    "through",
    "near",
    "next",
    "front",
    "behind",
    "around",
    "back",
    "off",
    "who",
    "which",
    "what",
    "where",
    "when",
    "has",
    "have",
    "had",
    "do",
    "does",
    "doing",
    "about",
    "above",
    "across",
    "against",
    "along",
    "away",
    "before",
    "below",
    "beneath",
    "beside",
    "between",
    "inside",
    "outside",
    "onto",
    "under",
    "very",
    "several",
    "many",
    "group",
    "small",
    "large",
    "big",
    "little",
    "young",
    "old",
    "older",
    "black",
    "white",
    "red",
    "blue",
    "green",
    "brown",
    "yellow",
    "orange",
    "pink",
    "purple",
    "grey",
    "gray",
    "tan",
    "dark",
    "light",
    "colored",
    "wearing",
    "standing",
    "looking",
    "look",
    "holding",
    "getting",
    "get",
    "go",
    "make",
    "making",
    "take",
    "taking",
    "show",
    "showing",
    "something",
    "someone",
    "people",
    "person",
    "man",
    "woman",
    "men",
    "women",
    "guy",
    "lady",
    "boy",
    "girl",
    "child",
    "children",
    "kid",
    "kids",
    "adult",
    "toddler",
    "baby",
    "male",
    "female",
    "face",
    "side",
    "top",
    "background",
    "day",
    "middle",
    "area",
    "set",
    "pair",
    "piece",
    "lot",
    "high",
    "air",
    "various",
    "different",
    "using",
    "use",
    "used",
    "seen",
    "part",
    "just",
    "like",
    "way",
    "all",
    "no",
    "not",
    "can",
    "during",
    "each",
    "together",
    "same",
    "both",
    "more",
    "most",
    "own",
    "only",
]
# Said of a clip or not, these may be seen in it.
UNTOLD = [
    "smiling",
    "sitting",
    "talking",
    "playing",
    "wall",
    "table",
    "eating",
    "mouth",
    "hit",
    "walking",
    "life",
    "pushing",
    "peace",
    "coach",
    "gallery",
    "hot",
    "pointing",
    "tree",
    "catch",
    "counter",
    "machine",
    "shaking",
    "writing",
    "painted",
    "track",
    "video",
    "window",
    "letters",
    "call",
    "clip",
    "applying",
    "adding",
    "placing",
]
RELATED = """
bicycle bike biker cyclist bicyclist cycling|dog puppy poodle retriever greyhound terrier
ocean sea water lake pool river beach wave surf|soccer football ball|motorcycle motorbike bike
snowboard snowboarder ski skier snow|rock cliff mountain climb climber|street road sidewalk city
forest woods tree|cook cooking fry prepare cut chop slice kitchen pan food ingredient
car truck vehicle|couch sofa|sing singer song music concert band|movie film|game play
run race runner|grass field lawn|jump leap|swim swimmer pool|horse rider ride|shop store market
""".replace("\n", "|").split("|")
# What the clips show, in one word or two; named by hand, before any score of them was looked at.
SHOWN = {
    "video7010.mp4": "computer|download|tutorial|screen",
    "video7012.mp4": "talking|glasses|interview|chair",
    "video7014.mp4": "judges|singing contest|stage",
    "video7016.mp4": "eggs|easter|paint|easter eggs",
    "video7018.mp4": "rap|sports|dancing",
    "video7348.mp4": "products|beauty|makeup",
    "video8812.mp4": "music",
    "video9348.mp4": "runway|models|fashion|fashion show",
    "0lh_UWF9ZP4_62_69.avi": "rice|bowl|stirring|cooking|food",
    "5HAf_INrFy0_3_25.gif": "cat|boxing|television",
    "Je3V7U5Ctj4_569_576.gif": "cheese|tortilla|cooking|food",
    "TZ860P4iTaM_15_28.avi": "cat|piano|playing piano",
    "WTf5EgVY5uU_124_128.avi": "garlic|pan|frying pan|cooking|food",
    "klteYv1Uv9A_27_33.avi": "motorcycle|riding|riding a motorcycle",
    "ufFT2BWh3BQ_0_8.avi": "pandas|panda",
    "big_buck_bunny_0_30.webm": "cartoon|animation",
    "bigbuckbunny.mp4": "rabbit|bunny|cartoon|animation",
    "bikes.mp4": "bicycle|bike|cycling|traffic|riding a bike",
    "flipping_a_pancake.mkv": "pancake|kitchen|cooking|flipping a pancake|frying pan",
    "hitting_baseball.mp4": "baseball|batting|hitting a baseball",
    "jesse_dance.mp4": "dancing|kitchen|dance",
    "making_cake.mp4": "cake|baking|making a cake",
    "mmaction2_demo.mp4": "arm wrestling|wrestling",
    "paddle_example.avi": "archery|bow|bow and arrow|gym",
    "v_ZNVhz7ctTq0.mp4": "dog|sidewalk|walking the dog",
    "count_1.gif": "trampoline|somersault",
    "frameqa_1.gif": "dancing|singing",
    "transition_1.gif": "woman",
}
TEST_FOLDERS = ("msrvtt", "misc")  # clips of the test; those of the other folders validate
OFTEN, AGREED, FAR = 6, 0.35, 60  # photos; share of the captions of these; captions of MSVD


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def stem(word: str) -> str:
    for end in ("ing", "ers", "er", "es", "ed", "s"):
        if word.endswith(end) and len(word) - len(end) >= 3:
            word = word[: -len(end)]
            word = word[:-1] if len(word) > 3 and word[-1] == word[-2] else word
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


NO_QUERY = {stem(word) for word in VAGUE}
GROUPS: dict[str, set[str]] = defaultdict(set)
for group in RELATED:
    for member in group.split():
        GROUPS[stem(member)] |= {stem(word) for word in group.split()}


class Said:
    """How many of the captions of each picture have a word."""

    def __init__(self, captions: Sequence[Sequence[str]]) -> None:
        self.forms: dict[str, Counter[str]] = defaultdict(Counter)
        self.shares: list[dict[str, float]] = []
        for some in captions:
            count = Counter(word for text in some for word in {stem(w) for w in words(text)})
            self.shares.append({word: n / len(some) for word, n in count.items()})
            for word in (word for text in some for word in words(text)):
                self.forms[stem(word)][word] += 1

    def of(self, word: str) -> np.ndarray:
        """Share of the captions of each picture that have the word."""
        return np.array([shares.get(word, 0.0) for shares in self.shares])

    def related(self, word: str) -> np.ndarray:
        """Which pictures have the word, or one of nearly the same things, in any caption."""
        alike = GROUPS.get(word, set()) | {word}
        return np.array([not alike.isdisjoint(shares) for shares in self.shares])

    def form(self, word: str) -> str:
        return self.forms[word].most_common(1)[0][0]


def agreed_words(photos: Said) -> dict[str, str]:
    """Stem and usual form of words on which people agree: where one caption has it, others do."""
    total: Counter[str] = Counter()
    share: Counter[str] = Counter()
    for shares in photos.shares:
        total.update(shares.keys())
        share.update(shares)
    return {
        word: photos.form(word)
        for word, n in total.items()
        if n >= OFTEN and share[word] / n >= AGREED and word not in NO_QUERY and len(word) > 2
    }


def far_words(photos: Said, captions: Said) -> dict[str, str]:
    """Stem and usual form of words that captions of videos have and those of photos do not."""
    rare = Counter(word for shares in photos.shares for word in shares)
    often = Counter(word for shares in captions.shares for word in shares)
    return {
        word: captions.form(word)
        for word, n in often.items()
        if n >= FAR and rare[word] <= 3 and word not in NO_QUERY and len(word) > 3
    }


def part_of(word: str, tested: set[str]) -> str:
    """`fit`, `val` or `test`, by a hash of the word; those in `tested` are of the test."""
    number = int(hashlib.md5(word.encode()).hexdigest(), 16) % 5
    return "test" if word in tested else ("fit", "fit", "val", "test", "test")[number]
