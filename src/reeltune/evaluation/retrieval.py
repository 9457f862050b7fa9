"""Text-to-video and video-to-text retrieval from one matrix of scores."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from reeltune.errors import DataError, counted
from reeltune.evaluation._margin import mean_margin
from reeltune.evaluation._retrieval_report import Ranks, Report
from reeltune.evaluation.bootstrap import (
    FIGURES,
    bounds,
    recalls_of,
    resampled_means,
    sums_by_group,
)
from reeltune.evaluation.metrics import (
    average_precision,
    chunks,
    ranks,
    ranks_of_any,
    summary,
)
from reeltune.evaluation.protocols import ProtocolCard, split_hash
from reeltune.types import Pair

__all__ = ["Ranks", "Report", "report_beside", "retrieval_report"]

ROUNDING = 1e-6  # of the largest score: a difference that another order of sums may turn round


def retrieval_report(
    scores: Float[np.ndarray, "Q N"],
    split_pairs: Sequence[Pair],
    gallery: Sequence[str],
    protocol: ProtocolCard,
    seed: int = 0,
    v2t_scores: Float[np.ndarray, "Q N"] | None = None,
) -> Report:
    """Figures of both directions: query i is the caption of `split_pairs[i]`, column j a video id.

    Text to video, every caption is a query. Video to text, every video that has a caption is one,
    under the rule `protocol.v2t`. Gallery videos without a caption only compete. `seed` is that of
    the bootstrap. `v2t_scores` are the scores for video to text where post-processing makes them
    others (`rescore.rescored` gives both).

    Raises DataError where scores, pairs, gallery and protocol do not belong together.
    """
    if v2t_scores is None:
        v2t_scores = scores
    column = _columns(split_pairs, gallery)
    _require_protocol(protocol, split_pairs, gallery, v2t_scores is scores)
    for given in (scores, v2t_scores):
        _require_scores(given, len(split_pairs), len(gallery))

    target, first, video = np.unique(column, return_index=True, return_inverse=True)
    order = np.argsort(first)  # videos as the pairs first name them
    shown, video = target[order], np.argsort(order)[video]  # (V,) columns, (Q,) numbers

    found = ranks(scores, column)
    back, precision = _video_to_text(v2t_scores, video, shown, protocol.v2t)
    tagged = _tagged(split_pairs)
    nearly = ranks(scores, column, ROUNDING * float(max(scores.max(), -scores.min())))
    return Report(
        t2v=summary(found) | {"mAP": _percent(1 / found)},
        v2t=summary(back) | {"mAP": _percent(precision)},
        intervals=_intervals("t2v", found, video, seed)
        | _intervals("v2t", back, np.arange(len(back)), seed),
        subsets={tag: _subset(found[rows], video[rows], seed) for tag, rows in tagged.items()},
        protocol=protocol,
        ranks=Ranks(t2v=found.tolist(), video=video.tolist(), v2t=back.tolist(), tagged=tagged),
        margin=mean_margin(scores, column),
        near_ties=_near_ties(found, nearly),
    )


def _near_ties(found: Int[np.ndarray, " Q"], nearly: Int[np.ndarray, " Q"]) -> dict[str, float]:
    """The share of captions with another rank where near ties are ties, and R@1 as it is then."""
    if (found == nearly).all():
        return {}
    return {"queries": 100 * float(np.mean(found != nearly)), "t2v R@1": summary(nearly)["R@1"]}


def report_beside(report: Report, others: Mapping[str, Report]) -> Report:
    """The report with the figures of others, by name, under `beside`; they are of the same data."""
    ways = ("t2v", "v2t")
    figures = {f"{name} {way}": getattr(o, way) for name, o in others.items() for way in ways}
    found = {f"{name} {way}": getattr(o.ranks, way) for name, o in others.items() for way in ways}
    ranks_beside = {**report.ranks.beside, **found}
    return replace(
        report,
        beside={**report.beside, **figures},
        ranks=replace(report.ranks, beside=ranks_beside),
    )


def _video_to_text(
    scores: Float[np.ndarray, "Q N"],
    video: Int[np.ndarray, " Q"],
    shown: Int[np.ndarray, " V"],
    rule: str,
) -> tuple[Int[np.ndarray, " V"], Float[np.ndarray, " V"]]:
    """Rank and average precision of each video; column `shown[v]` is video number v."""
    if rule == "grouped":
        found = ranks(_best_captions(scores, video)[:, shown].T, np.arange(len(shown)))
        return found, 1 / found
    found, precision = np.empty(len(shown), np.int64), np.empty(len(shown))
    for block in chunks(len(shown), len(scores)):
        columns = np.ascontiguousarray(scores[:, shown[block]].T)  # (b, Q)
        own = video[None, :] == np.arange(len(shown))[block, None]  # (b, Q)
        found[block] = ranks_of_any(columns, own)
        precision[block] = average_precision(columns, own)
    return found, precision


def _best_captions(
    scores: Float[np.ndarray, "Q N"], video: Int[np.ndarray, " Q"]
) -> Float[np.ndarray, "V N"]:
    """Highest score of each video's captions against every gallery video."""
    starts = np.cumsum(np.bincount(video))[:-1]
    members = np.split(np.argsort(video, kind="stable"), starts)
    return np.stack([scores[rows].max(axis=0) for rows in members])


def _intervals(
    way: str, found: Int[np.ndarray, " Q"], video: Int[np.ndarray, " Q"], seed: int
) -> dict[str, tuple[float, float]]:
    sums, sizes = sums_by_group(recalls_of(found), video)
    means = resampled_means(sums, sizes, np.random.default_rng(seed))
    return {f"{way} {name}": b for name, b in zip(FIGURES, bounds(means), strict=True)}


def _subset(
    found: Int[np.ndarray, " Q"], video: Int[np.ndarray, " Q"], seed: int
) -> dict[str, float]:
    low, high = _intervals("t2v", found, video, seed)["t2v R@1"]
    figures = summary(found) | {"mAP": _percent(1 / found)}
    return {**figures, "R@1 low": low, "R@1 high": high, "queries": float(len(found))}


def _percent(shares: Float[np.ndarray, " Q"]) -> float:
    return 100 * float(np.mean(shares))


def _tagged(pairs: Sequence[Pair]) -> dict[str, list[int]]:
    tags = sorted({tag for pair in pairs for tag in pair.tags})
    return {tag: [i for i, pair in enumerate(pairs) if tag in pair.tags] for tag in tags}


def _columns(pairs: Sequence[Pair], gallery: Sequence[str]) -> Int[np.ndarray, " Q"]:
    """The place of each pair's video in the gallery."""
    if not pairs:
        raise DataError("the split has no pairs; an evaluation needs at least one caption")
    place = {video: j for j, video in enumerate(gallery)}
    if len(place) < len(gallery):
        twice = next(video for j, video in enumerate(gallery) if place[video] != j)
        raise DataError(f"video {twice!r} is in the gallery twice; give each video once")
    absent = sorted({pair.video for pair in pairs} - place.keys())
    if absent:
        raise DataError(
            f"the gallery lacks {counted(len(absent), 'video')} of the split, the first is "
            f"{absent[0]!r}; encode them, or leave out their captions and say so in the split"
        )
    return np.array([place[pair.video] for pair in pairs])


def _require_scores(scores: Float[np.ndarray, "Q N"], queries: int, gallery: int) -> None:
    if scores.shape != (queries, gallery):
        raise DataError(
            f"scores have shape {scores.shape}, but there are {queries} pairs and {gallery} "
            f"gallery videos; give one row a pair and one column a video"
        )
    if scores.dtype == np.float16:
        raise DataError(
            "scores are float16, whose rounding makes ties; compute the similarity in float32"
        )
    if not np.issubdtype(scores.dtype, np.floating):
        raise DataError(f"scores are {scores.dtype}; give floats, as by scores.astype(np.float32)")


def _require_protocol(
    protocol: ProtocolCard, pairs: Sequence[Pair], gallery: Sequence[str], same_scores: bool
) -> None:
    """A card must describe these very data, or its number would carry a wrong protocol."""
    true = {
        "queries": len(pairs),
        "gallery": len(gallery),
        "split_hash": split_hash(pairs, gallery),
    }
    for name, value in true.items():
        if (stated := getattr(protocol, name)) != value:
            raise DataError(
                f"protocol.{name} is {stated!r}, but the data evaluated have {value!r}; "
                f"make the card from the same pairs and gallery"
            )
    if protocol.postprocessing != "none" and same_scores:
        raise DataError(
            f"{protocol.postprocessing!r} changes each direction by its own; pass v2t_scores too "
            f"(rescore.rescored gives both)"
        )
