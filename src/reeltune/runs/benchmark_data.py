"""Checks whether the data are those that the name of a recipe promises, and says so if not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from reeltune.data.splits.part import Part
from reeltune.data.splits.published import Published
from reeltune.errors import counted
from reeltune.recipes.read import is_packaged, options_of
from reeltune.recipes.recipe import Recipe
from reeltune.types import Split


@runtime_checkable
class Collected(Protocol):
    """Settings of a dataset that names folders, which may be others where data lie elsewhere."""

    def with_what_is_there(self, promised: Mapping[str, Any]) -> dict[str, str]:
        """Options of the dataset that are others than those `promised`, because only others lie
        there.

        Errors: `DataError` where several lie there and none is the promised one.
        """
        ...


def on_data(recipe: Recipe, folder: Path | None) -> Recipe:
    """The recipe with the data that lie in `folder`, and with what is not as the benchmark has it.

    Where the benchmark's own collection or feature is absent and one other lies there alone, that
    one is taken. The figures of the paper stand beside the benchmark's own data only.
    Errors: `DataError` where none can be chosen.
    """
    promised = options_of(recipe.name) if is_packaged(recipe.name) else {}
    options, data = dict(recipe.options), recipe.dataset_config(folder=folder)
    if isinstance(data, Collected):
        options |= data.with_what_is_there(promised)
    place = recipe.name.partition("/")[0]
    differs = tuple(
        f"not the data of {place}: {name} is {options.get(name)}, and the benchmark's is {value}"
        for name, value in promised.items()
        if options.get(name) != value
    )
    changes: dict[str, Any] = {"options": options, "differs": differs}
    if differs:
        changes |= {"expected": {}, "expected_v2t": {}}
    return recipe.model_copy(update=changes)


def sizes_differ(data: object, splits: Mapping[Part, Split | None]) -> tuple[str, ...]:
    """A sentence for each split that is not as large as it was published, with what is absent."""
    known = data.published() if isinstance(data, Published) else {}
    found = []
    for part, split in splits.items():
        size = known.get(part)
        if split is None or size is None or size.videos is None:
            continue
        listed = split.videos + sum(
            one.count for one in split.left_out if one.what == "video" and one.missing
        )
        if listed != size.videos:
            found.append(f"{part} has {counted(listed, 'video')}, the benchmark {size.videos:,}")
    return tuple(found)
