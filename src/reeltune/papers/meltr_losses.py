"""Tables 7 and 11 of MELTR: coefficients by hand, and the losses of masked inputs."""

from typing import Any

from reeltune.models.univl import TASKS
from reeltune.papers._meltr import (
    CAPTION_MELTR,
    CAPTION_PRIMARY,
    CAPTION_SUM,
    ORIGIN,
    SUMMED,
    captions,
    entry,
    scores,
    table,
)
from reeltune.papers.table.entry import Entry


def without(*tasks: str) -> dict[str, Any]:
    """The change that leaves losses out."""
    return {"config.tasks": [task for task in TASKS if task not in tasks]}


EIGHTFOLD = {"scheme": "multi-task", "weights": {"decoder": 8.0, "m_decoder": 8.0}}
BY_HAND = captions(
    "Coefficients by hand (Table 7)",
    "Each row is a sum of UniVL's eight losses with the weights 0, 1 or 8; MELTR learns it.",
    base="(C) all eight",
    primary="(A) decoder alone",
    entries=[
        entry(
            "(A) decoder alone", CAPTION_PRIMARY, paper=scores(22.79, 16.54, 21.73, 45.85, 178.0)
        ),
        entry(
            "(B) both decoders",
            CAPTION_SUM,
            {"config.tasks": ["decoder", "m_decoder"]},
            scores(23.42, 17.14, 22.27, 46.65, 185.0),
        ),
        entry("(C) all eight", CAPTION_SUM, paper=scores(21.72, 15.93, 20.89, 45.16, 179.0)),
        entry(
            "(D) all but CMFM",
            CAPTION_SUM,
            without("cmfm"),
            scores(21.99, 16.10, 21.09, 45.35, 185.0),
        ),
        entry(
            "(E) as (D), decoders by 8",
            CAPTION_SUM,
            {**without("cmfm"), "meltr": EIGHTFOLD},
            scores(23.31, 17.23, 21.98, 46.26, 185.0),
        ),
        entry("MELTR", CAPTION_MELTR, paper=scores(24.12, 17.92, 22.56, 47.04, 190.0)),
    ],
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


def extra(added: str, trained: str, method: str, figures: tuple[float, ...]) -> Entry:
    """UniVL's own five losses with one or all of the masked ones, trained by their sum or by
    MELTR."""
    losses = f"five losses + {added}" if added else "five losses"
    left_out = () if added == "all three" else tuple(task for task in MASKED if task != added)
    against = {ORIGIN: f"five losses, {trained}"} if added else {}
    against |= {SUMMED: f"{losses}, sum"} if trained == "MELTR" else {}
    return entry(f"{losses}, {trained}", method, without(*left_out), scores(*figures), against)


MASKED_LOSSES = captions(
    "The masked losses (Table 11)",
    "Five losses are UniVL's own; the paper adds those of masked inputs. Which of its columns "
    "is m_joint and which m_align is our reading.",
    base="five losses + all three, sum",
    primary="decoder alone",
    entries=[
        entry("decoder alone", CAPTION_PRIMARY),
        *[
            extra(added, trained, method, figures)
            for added, both in EXTRAS.items()
            for trained, method, figures in zip(
                ("sum", "MELTR"), (CAPTION_SUM, CAPTION_MELTR), both, strict=True
            )
        ],
    ],
)

TABLE = table("losses", BY_HAND, MASKED_LOSSES)
