"""Whether a paper's figures may stand beside ours."""

from collections.abc import Sequence

from reeltune.config import Recipe
from reeltune.evaluation.reports import AnyReport


def paper_beside(
    recipe: Recipe, report: AnyReport, differs: Sequence[str] = ()
) -> tuple[dict[str, float], tuple[str, ...]]:
    """The paper's figures where the split measured is the published one, and what is to be said.

    The published one is known by the hash of its captions; where that is not, by size alone.
    What `differs` in size has been said already.
    """
    card = report.protocol
    if differs or not recipe.expected:
        return {}, ()
    if card.incomplete or recipe.test_hash not in ("", card.split_hash):
        return {}, (
            f"the paper's figures are not set beside these: {card.split} of {card.dataset} as it "
            f"was measured (hash {card.split_hash}) is not the whole split that was published",
        )
    if not recipe.test_hash:
        return recipe.expected, (
            "the paper's test split is known by its size alone, not caption by caption",
        )
    return recipe.expected, ()
