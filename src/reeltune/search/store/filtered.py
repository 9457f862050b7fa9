"""Rows of a table that pass a filter; what is wrong with a filter is told from a damaged table."""

import pyarrow as pa

from reeltune.errors import ConfigError, LibraryError
from reeltune.search.store.dataset import Table
from reeltune.search.store.schema import CAPTION, TAKEN
from reeltune.search.store.where import columns_of, refused_by_table, where


def scan(
    dataset: Table, filter: str | None, also: str | None = None, **options: object
) -> pa.Table:
    """Rows that pass a filter, or all; options are those of `lance.LanceDataset.scanner`.

    `also` is a condition of ours, in the table's own language, which rows must meet as well.

    Raises ConfigError for a filter that is wrong, and LibraryError for a table that is damaged.
    """
    names = dataset.schema.names
    checked = None if filter is None else where(filter, TAKEN in names)
    if filter is not None and CAPTION not in names and CAPTION in columns_of(filter):
        raise ConfigError(
            f"the filter {filter!r} is about captions, and no moment of the library has one; write "
            "them by: reeltune index VIDEOS --caption MODEL"
        )
    if also is not None:
        checked = also if checked is None else f"({checked}) AND ({also})"
    try:
        scanner = dataset.scanner(filter=checked, disable_scoring_autoprojection=True, **options)
        if filter is not None:
            scanner.explain_plan()  # which a filter that makes no sense does not have
    except LibraryError as error:
        if filter is None:
            raise
        raise refused_by_table(filter, error.__cause__ or error) from error
    try:
        return scanner.to_table()
    except LibraryError as error:
        if filter is None:
            raise
        wanted = {*columns_of(filter), TAKEN, "modified"} & {*names}
        dataset.scanner(columns=sorted(wanted)).to_table()  # raises if the table is at fault
        raise refused_by_table(filter, error.__cause__ or error) from error
