"""How a model is judged: by its captions, by its scores of pairs, or by its vectors."""

from collections.abc import Callable
from typing import Any

from reeltune.batches.loader import ClipReader, Text
from reeltune.errors import ConfigError
from reeltune.evaluation.beside import NOTHING, Asked
from reeltune.evaluation.bleu import ORDERS
from reeltune.evaluation.protocols import V2tRule
from reeltune.evaluation.retrieval import Report
from reeltune.evaluation.trivial import shown, trivial, trivial_said
from reeltune.tasks.captioning import Writer, evaluate_captions
from reeltune.tasks.pair_retrieval import PairScorer, evaluate_pairs
from reeltune.tasks.reports import AnyReport
from reeltune.tasks.retrieval import Named, evaluate
from reeltune.tasks.unread import unread
from reeltune.types import LeftOut, Split

HIGHER = ("R@1", "R@5", "R@10", "SumR", "mAP")  # is better; of ranks, MdR and MnR, lower is
OF_RETRIEVAL = ("SumR", *(f"{way} {name}" for way in ("t2v", "v2t") for name in HIGHER))
OF_CAPTIONS = (*(f"BLEU-{order}" for order in range(1, ORDERS + 1)), "ROUGE-L", "CIDEr-D")
SPOKEN = "transcript"  # by this name batches bring what is said, and datasets say it


def judge(
    model: Any,
    reader: ClipReader,
    split: Split,
    named: Named,
    texts: dict[str, Text] | None = None,
    quick: bool = False,
    asked: Asked = NOTHING,
) -> AnyReport:
    """Figures of a model on a split, of the kind that it is made for; `quick` is for validation.

    What is `asked` for beside them a model has that is judged by scores (`require_scores`).
    """
    if is_writer(model):
        return evaluate_captions(model, reader, split, named, (texts or {}).get(SPOKEN), quick)
    if isinstance(model, PairScorer) and model.scores_pairs:
        return evaluate_pairs(model, reader, split, named, quick, asked)
    return evaluate(model, reader, split, named, quick, asked)


def require_scores(model: Any, asked: Asked) -> None:
    """Raise ConfigError where scores are asked for of a model that is judged by its captions."""
    if asked != NOTHING and is_writer(model):
        raise ConfigError(
            f"{model.name} writes captions, which have no scores; leave out --scores and --post"
        )


def validation(
    model: Any,
    reader: ClipReader,
    split: Split,
    texts: dict[str, Text] | None = None,
    v2t: V2tRule = "grouped",
) -> Callable[[], dict[str, float]]:
    """Figures of a split by which weights are chosen; `v2t` is the rule that they are tested by."""
    named = Named("validation", "val", v2t=v2t)

    def validate() -> dict[str, float]:
        return figures_of(judge(model, reader, split, named, texts, True))

    return validate


def require_judged_by(name: str, writes: bool, videos: int) -> None:
    """Raise ConfigError unless validation on so many videos gives a figure of that name, of which
    more is better; `writes` says whether it is of captions."""
    margin = ("margin",) if videos > 1 else ()
    known = OF_CAPTIONS if writes else (*OF_RETRIEVAL, *margin)
    if name not in known:
        lower = ", of which less is better" if name.endswith((" MdR", " MnR")) else ""
        raise ConfigError(
            f"training.judged_by is {name}{lower}, and an epoch is chosen by the highest of a "
            f"figure that validation gives; give --set training.judged_by=NAME with one of "
            f"{', '.join(known)}"
        )


def highest_of(name: str) -> float | None:
    """The highest that a figure of validation can be; None for those without a bound, the margin
    and CIDEr-D."""
    if name in ("margin", "CIDEr-D"):
        return None
    recalls = {"SumR": 6}.get(name, 3 if name.endswith(" SumR") else 1)
    return 100.0 * recalls


def figures_of(report: AnyReport) -> dict[str, float]:
    """Of captions their scores; of retrieval all recalls, SumR of both directions and the margin,
    where there is one."""
    if not isinstance(report, Report):
        return report.scores
    both = (("t2v", report.t2v), ("v2t", report.v2t))
    figures = {f"{way} {name}": value for way, found in both for name, value in found.items()}
    margin = {} if report.margin is None else {"margin": report.margin}
    return {"SumR": report.t2v["SumR"] + report.v2t["SumR"], **figures, **margin}


def texts_of(model: Any, options: Any, dataset: str) -> dict[str, Text]:
    """What the losses of a model want said of each pair beside its caption, by name.

    Errors: `ConfigError` for a model that reads transcripts on a dataset without.
    """
    if not (isinstance(model, Writer) and model.hears):
        return {}
    if not hasattr(options, SPOKEN):
        raise ConfigError(
            f"the model reads transcripts, and dataset {dataset} has none; measure it on one that "
            "has, or train it with --set config.reads=nothing"
        )
    return {SPOKEN: options.transcript}


def unread_of(
    model: Any, split: Split, texts: dict[str, Text] | None = None, learned: bool = False
) -> tuple[LeftOut, ...]:
    """Captions and transcripts of a split that the model cannot read to their end, or at all.

    A model that writes captions reads only those that it learns from (`learned`).
    """
    captions = [] if is_writer(model) and not learned else split.pairs
    found = unread(model.tokenize, ((pair.video, pair.caption) for pair in captions), "caption")
    for name, text in (texts or {}).items():
        said = {pair.video: text(pair) for pair in split.pairs}
        found += unread(model.tokenize, ((video, t) for video, t in said.items() if t), name)
    return found


def is_writer(model: Any) -> bool:
    """Whether a model is judged by the captions that it writes."""
    return isinstance(model, Writer) and model.writes


def figures_table(report: AnyReport) -> list[str]:
    """Rows of Markdown, and the interval of the figure that counts."""
    if not isinstance(report, Report):
        names = [name for name in report.scores if not name.endswith(" ptb")]
        low, high = report.intervals["CIDEr-D"]
        return [
            "| " + " | ".join(names) + " |",
            "|---" * len(names) + "|",
            "| " + " | ".join(f"{report.scores[name]:.1f}" for name in names) + " |",
            "",
            f"95 % interval of CIDEr-D, over clips: {low:.1f} to {high:.1f}.",
        ]
    rule = report.protocol.v2t
    known = trivial(report)
    ways = [("t2v", "text to video", report.t2v), ("v2t", f"video to text ({rule})", report.v2t)]
    for name, found in report.beside.items():
        way = name.split()[-1]
        ways.append((way, f"{name} ({rule})" if way == "v2t" else name, found))
    rows = [
        f"| {name} | "
        + " | ".join(shown(found, figure, known, way) for figure in ("R@1", "R@5", "R@10", "MdR"))
        for way, name, found in ways
    ]
    low, high = report.intervals["t2v R@1"]
    return [
        "| direction | R@1 | R@5 | R@10 | MdR |",
        "|---|---|---|---|---|",
        *[f"{row} |" for row in rows],
        "",
        f"95 % interval of text-to-video R@1, over videos: {low:.1f} to {high:.1f}.",
        *[f"{sentence[0].upper()}{sentence[1:]}." for sentence in trivial_said(report)],
    ]
