"""How tables look in a terminal."""

from rich.markup import escape
from rich.table import Table


def titled(title: str) -> Table:
    """An empty table without lines; the title is shown as it is, not as markup."""
    return Table(
        title=escape(title), box=None, pad_edge=False, header_style="dim", title_justify="left"
    )
