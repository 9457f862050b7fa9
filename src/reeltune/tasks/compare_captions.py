"""Are the captions of one report better than those of another, or is it noise?"""

import numpy as np
from jaxtyping import Bool

from reeltune.evaluation.bootstrap import bounds
from reeltune.evaluation.compare import Comparison, Difference, alone, named, require_like
from reeltune.tasks.captioning import PTB, CaptioningReport, resampled_bleu, resampled_mean

SUFFIX = {"bert": "", "ptb": PTB}  # of figures, by the way to split words


def compare_captions(a: CaptioningReport, b: CaptioningReport, seed: int = 0) -> Comparison:
    """Difference of `b` from `a`, by a paired bootstrap: the same clips are drawn for both.

    Figures that only one of them has, such as METEOR, are named.
    Raises ConfigError where the protocols differ in more than model, fingerprint and seed.
    """
    require_like(a.protocol.unlike(b.protocol))
    found = _bleus(a, b, seed)
    for name in (name for name in a.segments if name in b.segments):
        before, after = (np.array([r.segments[name][c] for c in a.captions]) for r in (a, b))
        low, high = bounds(resampled_mean(after - before, seed))[0]
        found[name] = _difference(a, b, name, (low, high), after != before)
    return Comparison(
        a=named(a.protocol.model, a.protocol.seed),
        b=named(b.protocol.model, b.protocol.seed),
        differences={name: found[name] for name in a.scores if name in found},
        left_out={"a": a.protocol.left_out, "b": b.protocol.left_out},
        alone=alone(a.scores, b.scores),
    )


def _bleus(a: CaptioningReport, b: CaptioningReport, seed: int) -> dict[str, Difference]:
    found = {}
    for words in (words for words in a.counts if words in b.counts):
        counts = [np.array([r.counts[words][clip] for clip in a.captions]) for r in (a, b)]
        drawn = resampled_bleu(counts[1], seed) - resampled_bleu(counts[0], seed)
        changed = (counts[0] != counts[1]).any(axis=1)
        for order, interval in enumerate(bounds(drawn), 1):
            name = f"BLEU-{order}{SUFFIX[words]}"
            found[name] = _difference(a, b, name, interval, changed)
    return found


def _difference(
    a: CaptioningReport,
    b: CaptioningReport,
    name: str,
    interval: tuple[float, float],
    changed: Bool[np.ndarray, " N"],
) -> Difference:
    return Difference(
        a=a.scores[name],
        b=b.scores[name],
        low=interval[0],
        high=interval[1],
        changed=int(np.count_nonzero(changed)),
    )
