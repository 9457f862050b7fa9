"""The command that says what a dataset needs."""

from typing import Annotated

import typer

from reeltune.cli.options import JsonOption, print_json
from reeltune.cli.terminal import say_lines

PLACE = 50  # in `--help`
app = typer.Typer()


@app.command()
def datasets(
    name: Annotated[str | None, typer.Argument(help="A dataset; all names if none.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a dataset needs: what to download from where, and how the folder must look.

    Example: `reeltune datasets msrvtt`
    """
    from reeltune.registry import find, given, names

    if name is None:
        print_json(names("data")) if as_json else say_lines("\n".join(names("data")))
        return
    how = find("data", given(name)).HOW
    print_json({"name": name, "how": how}) if as_json else say_lines(how)
