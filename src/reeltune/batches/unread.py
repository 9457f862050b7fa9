"""Finds texts that a model does not read, or not to their end, and those that count twice."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from reeltune.batches.in_order import text_batches
from reeltune.types import LeftOut, Pair, Tokens, collect_left_out

REPEATED = "more than once for one video, and counted each time"
UNKNOWN, CUT = "no word that the model knows", "longer than the model reads, and cut"
TEXTS_AT_ONCE = 256
SHOWN = 60  # letters of a text by which it is named


def unread(
    tokenize: Callable[[Sequence[str]], Tokens], texts: Iterable[tuple[str, str]], what: str
) -> tuple[LeftOut, ...]:
    """Texts in which `tokenize` finds no known word, or which it cuts, each with the id of its
    video.

    They stay in the figures: a text without a known word has the vector of an empty one.
    """
    texts = list(texts)
    reasons: dict[str, str] = {}
    for some in text_batches([text for _, text in texts], TEXTS_AT_ONCE):
        tokens = tokenize(some)
        unknown = None if tokens.known is None else ~tokens.known
        for reason, rows in ((CUT, tokens.cut), (UNKNOWN, unknown)):
            if rows is not None:
                reasons |= {some[row]: reason for row in rows.nonzero().flatten().tolist()}
    named = ((f"{video}: {t:.{SHOWN}}", reasons[t]) for video, t in texts if t in reasons)
    return collect_left_out(what, named, missing=False)


def repeated(pairs: Iterable[Pair]) -> tuple[LeftOut, ...]:
    """Texts that a split has again for the same video, with the same answer where it asks.

    They stay in the figures, in which such a text weighs as much as so many others.
    """
    counts = Counter((pair.video, pair.caption, pair.answer) for pair in pairs)
    named = (f"{video}: {text:.{SHOWN}}" for (video, text, _), n in counts.items() if n > 1)
    return collect_left_out("text", ((name, REPEATED) for name in named), missing=False)
