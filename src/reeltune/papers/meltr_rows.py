"""What the tables of MELTR consist of: rows as changes of recipes, and the paper's figures.

Tables 8 to 10 of the paper are of retrieval (MSR-VTT 7k, text to video), 7 and 11 of captioning
(YouCook2, video and transcript), all with UniVL and without a word on seeds.
"""

from dataclasses import dataclass, field
from typing import Any

from reeltune.models.univl import TASKS

Changes = dict[str, Any]

SUM, PRIMARY, MELTR = "univl", "univl-primary", "univl-meltr"
CAPTION_SUM, CAPTION_PRIMARY = "univl-caption-speech", "univl-caption-speech-primary"
CAPTION_MELTR = "univl-caption-speech-meltr"
RETRIEVAL = ("t2v R@1", "t2v R@5", "t2v R@10", "SumR")
CAPTIONS = ("BLEU-3", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr-D")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row: a recipe, what is changed in it, and the row of the paper."""

    name: str
    method: str
    changes: Changes = field(default_factory=dict)
    paper: dict[str, float] = field(default_factory=dict)
    origin: str | None = None  # the row that it adds losses to
    summed: str | None = None  # the row of the same losses, summed


@dataclass(frozen=True, kw_only=True)
class Section:
    """A table of the paper."""

    title: str
    said: str  # below the title
    benchmark: str  # that the paper measured on
    figures: tuple[str, ...]
    compared: tuple[str, ...]  # figures of which differences are given
    base: str  # the row of the plain sum
    primary: str  # the row of the primary loss alone
    entries: tuple[Entry, ...]


def _recall(value: float, seconds: float | None = None) -> dict[str, float]:
    return {"t2v R@1": value} | ({"s/epoch": seconds} if seconds is not None else {})


def _retrieval(title: str, said: str, *entries: Entry) -> Section:
    """Entries behind the rows of the sum and of the primary loss."""
    first = (
        Entry(name="sum", method=SUM, paper=_recall(26.1, 547.0)),
        Entry(name="primary loss alone", method=PRIMARY),
    )
    return Section(
        title=title,
        said=said,
        benchmark="msrvtt-7k",
        figures=RETRIEVAL,
        compared=("SumR", "t2v R@1"),
        base="sum",
        primary="primary loss alone",
        entries=(*first, *entries),
    )


SCHEMES = {  # figures of Table 8
    "meta-weight-net": (27.3, 1296.0),
    "stocbio": (26.8, 686.0),
    "conjugate-gradient": (28.0, 624.0),
    "neumann": (27.9, 638.0),
    "aid-fp-lite": (28.5, 574.0),
}
GAMMAS = {0.0: 27.6, 0.001: 27.8, 0.01: 28.1, 0.1: 28.4, 1.0: 28.6, 10.0: 28.6, 100.0: 28.5}
# MELTR as in the paper, which adds to nothing, and whose regulariser acts through the weights alone
ALONE = {"meltr.sizes.residual": False, "meltr.step.direct_term": False}

_SCHEMES = _retrieval(
    "Optimisation schemes (Table 8)",
    "Every scheme takes a meta step as often as the recipe says. They are compared without the "
    "regulariser, whose direct term weighs more the smaller a scheme's own hypergradient is: that "
    "of StocBiO and Meta-Weight-Net has the factor of their rate. Seconds are of the runs' logs; "
    "runs of one table share the machine, so what a scheme costs is in the table below.",
    *[
        Entry(
            name=name,
            method=MELTR,
            changes={"meltr.scheme": name, "meltr.step.gamma": 0.0},
            paper=_recall(*figures),
        )
        for name, figures in SCHEMES.items()
    ],
    Entry(name="aid-fp-lite, regularised", method=MELTR),
)
_GAMMA = _retrieval(
    "Strength of the regulariser (Table 9)",
    "gamma weighs |L_aux - sum of losses| in the loss that MELTR is judged by.",
    *[
        Entry(
            name=f"gamma {gamma:g}",
            method=MELTR,
            changes={"meltr.step.gamma": gamma},
            paper=_recall(figure),
        )
        for gamma, figure in GAMMAS.items()
    ],
)
_ARCHITECTURE = _retrieval(
    "What melts the losses (Table 10)",
    "SE: tokens say how large a loss is; TE: which loss it is. The recipe's MELTR adds to the sum "
    "(residual) and is held near it by the direct term; a warm start fits it to the sum instead. "
    "That of the paper has none of these, and with TE alone its slopes are zero, so that the model "
    "stays as it was at the start. A residual MELTR with TE alone is the sum.",
    Entry(name="linear", method=MELTR, changes={"meltr.kind": "linear"}, paper=_recall(27.6)),
    Entry(name="SE + TE", method=MELTR),
    Entry(name="SE", method=MELTR, changes={"meltr.sizes.task": False}),
    Entry(
        name="SE + TE, warm start",
        method=MELTR,
        changes={"meltr.sizes.residual": False, "meltr.warm_start": 500},
    ),
    Entry(name="SE + TE, as in the paper", method=MELTR, changes=ALONE, paper=_recall(28.6)),
    Entry(
        name="SE, as in the paper",
        method=MELTR,
        changes={**ALONE, "meltr.sizes.task": False},
        paper=_recall(27.9),
    ),
    Entry(
        name="TE, as in the paper",
        method=MELTR,
        changes={**ALONE, "meltr.sizes.scale": False},
    ),
)


def _captions(*values: float) -> dict[str, float]:
    """B-3, B-4, METEOR, ROUGE-L and, in Table 7, CIDEr."""
    return dict(zip(CAPTIONS, values, strict=False))


def _tasks(*left_out: str) -> Changes:
    return {"config.tasks": [task for task in TASKS if task not in left_out]}


EIGHTFOLD = {"scheme": "multi-task", "weights": {"decoder": 8.0, "m_decoder": 8.0}}
_MANUAL = Section(
    title="Coefficients by hand (Table 7)",
    said="Each row is a sum of UniVL's eight losses with the weights 0, 1 or 8; MELTR learns it.",
    benchmark="youcook2",
    figures=CAPTIONS,
    compared=("CIDEr-D", "BLEU-4"),
    base="(C) all eight",
    primary="(A) decoder alone",
    entries=(
        Entry(
            name="(A) decoder alone",
            method=CAPTION_PRIMARY,
            paper=_captions(22.79, 16.54, 21.73, 45.85, 178.0),
        ),
        Entry(
            name="(B) both decoders",
            method=CAPTION_SUM,
            changes={"config.tasks": ["decoder", "m_decoder"]},
            paper=_captions(23.42, 17.14, 22.27, 46.65, 185.0),
        ),
        Entry(
            name="(C) all eight",
            method=CAPTION_SUM,
            paper=_captions(21.72, 15.93, 20.89, 45.16, 179.0),
        ),
        Entry(
            name="(D) all but CMFM",
            method=CAPTION_SUM,
            changes=_tasks("cmfm"),
            paper=_captions(21.99, 16.10, 21.09, 45.35, 185.0),
        ),
        Entry(
            name="(E) as (D), decoders by 8",
            method=CAPTION_SUM,
            changes={**_tasks("cmfm"), "meltr": EIGHTFOLD},
            paper=_captions(23.31, 17.23, 21.98, 46.26, 185.0),
        ),
        Entry(
            name="MELTR",
            method=CAPTION_MELTR,
            paper=_captions(24.12, 17.92, 22.56, 47.04, 190.0),
        ),
    ),
)

# Table 11; which of the second and third is M-Joint and which M-Align is not printed any more.
EXTRAS = {
    "": ((20.68, 14.95, 20.18, 44.25), (23.47, 17.29, 22.25, 45.67)),
    "m_decoder": ((21.51, 15.69, 20.73, 45.05), (23.86, 17.59, 22.34, 46.76)),
    "m_joint": ((21.00, 15.19, 20.46, 44.63), (23.76, 17.53, 22.22, 46.63)),
    "m_align": ((20.76, 15.01, 20.27, 44.29), (23.55, 17.45, 22.16, 46.56)),
    "all three": ((21.72, 15.93, 20.89, 45.16), (24.12, 17.92, 22.56, 47.04)),
}
MASKED = ("m_joint", "m_align", "m_decoder")


def _extra(added: str, trained: str, method: str, figures: tuple[float, ...]) -> Entry:
    losses = f"five losses + {added}" if added else "five losses"
    left_out = () if added == "all three" else tuple(task for task in MASKED if task != added)
    return Entry(
        name=f"{losses}, {trained}",
        method=method,
        changes=_tasks(*left_out),
        paper=_captions(*figures),
        origin=f"five losses, {trained}" if added else None,
        summed=f"{losses}, sum" if trained == "MELTR" else None,
    )


_MASKED = Section(
    title="The masked losses (Table 11)",
    said="Five losses are UniVL's own; the paper adds those of masked inputs. Which of its columns "
    "is m_joint and which m_align is our reading.",
    benchmark="youcook2",
    figures=CAPTIONS,
    compared=("CIDEr-D", "BLEU-4"),
    base="five losses + all three, sum",
    primary="decoder alone",
    entries=(
        Entry(name="decoder alone", method=CAPTION_PRIMARY),
        *[
            _extra(added, trained, method, figures)
            for added, both in EXTRAS.items()
            for trained, method, figures in zip(
                ("sum", "MELTR"), (CAPTION_SUM, CAPTION_MELTR), both, strict=True
            )
        ],
    ),
)

# On which batch the regulariser is taken, and how phi feels it; the paper has no such table.
REGULARISERS: dict[str, Changes] = {
    "no regulariser": {"meltr.step.gamma": 0.0},
    "upper, both ways": {"meltr.step.regularise": "upper"},
    "upper, through the weights alone": {
        "meltr.step.regularise": "upper",
        "meltr.step.direct_term": False,
    },
    "lower, both ways": {"meltr.step.regularise": "lower"},
    "lower, through the weights alone": {
        "meltr.step.regularise": "lower",
        "meltr.step.direct_term": False,
    },
}
_BATCH = (
    "Lower: on the batch of L_aux, as in the paper's releases; upper: on the batch that judges."
)


def _regularised(method: str) -> list[Entry]:
    return [Entry(name=n, method=method, changes=some) for n, some in REGULARISERS.items()]


_ON_RETRIEVAL = _retrieval("The regulariser in retrieval", _BATCH, *_regularised(MELTR))
_ON_CAPTIONS = Section(
    title="The regulariser in captions with speech",
    said=_BATCH,
    benchmark="youcook2",
    figures=CAPTIONS,
    compared=("CIDEr-D", "BLEU-4"),
    base="sum of all eight",
    primary="decoder alone",
    entries=(
        Entry(name="sum of all eight", method=CAPTION_SUM),
        Entry(name="decoder alone", method=CAPTION_PRIMARY),
        *_regularised(CAPTION_MELTR),
    ),
)

TABLES: dict[str, tuple[Section, ...]] = {
    "meltr-schemes": (_SCHEMES,),
    "meltr-gamma": (_GAMMA,),
    "meltr-architecture": (_ARCHITECTURE,),
    "meltr-regulariser": (_ON_RETRIEVAL, _ON_CAPTIONS),
    "meltr-losses": (_MANUAL, _MASKED),
}
