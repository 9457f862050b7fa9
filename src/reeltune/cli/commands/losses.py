"""The command that shows what MELTR learned."""

from pathlib import Path
from typing import Annotated

import typer

from reeltune.cli.options import JsonOption, print_json
from reeltune.cli.terminal import say_each, show

PLACE = 55  # in `--help`
app = typer.Typer()


@app.command()
def losses(
    run: Annotated[
        Path,
        typer.Argument(help="Folder of a run that melts losses, of a recipe or of your loop."),
    ],
    beside: Annotated[
        Path | None, typer.Option(help="Another such run, for slopes beside these.")
    ] = None,
    over: Annotated[
        list[str] | None,
        typer.Option(
            help="A loss of the surface, given twice; by default the primary loss and the "
            "one that was trained most strongly."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where to; RUN/losses by default.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show how strongly MELTR trained each loss, and what it makes of their sizes.

    Example: `reeltune losses runs/toybox/univl-meltr/seed0`
    """
    from reeltune.papers.slopes.pages import slopes_table, write_pages
    from reeltune.papers.slopes.read import melted

    found = melted(run, over or ())
    pages = write_pages(found, out or run / "losses", melted(beside) if beside else None)
    if as_json:
        print_json(found.as_dict())
        return
    show(slopes_table(found))
    say_each(found.sentences())
    say_each(pages)
