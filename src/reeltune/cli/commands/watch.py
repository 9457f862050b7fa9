"""The command that keeps a library fresh."""

from typing import Annotated

import typer

from reeltune.cli.loudness import QuietOption, VerboseOption
from reeltune.cli.options import LIBRARY, DeviceOption, JsonOption, LibraryOption

PLACE = 13  # in `--help`
GOES_ON = ("watch",)  # with what changed meanwhile, when it is called again
app = typer.Typer()


@app.command()
def watch(
    paths: Annotated[list[str], typer.Argument(help="Folders of videos.")],
    library: LibraryOption = LIBRARY,
    settled: Annotated[
        float, typer.Option(min=0.1, help="Seconds without a change until a file is complete.")
    ] = 3.0,
    polls: Annotated[
        bool, typer.Option("--poll", help="Look again and again: for drives of a network.")
    ] = False,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Keep a library fresh: index what is new or changed in folders until Ctrl-C.

    Files that are still being written wait, files that are gone are taken out, and a drive that
    goes away is waited for. With `--json` each run prints one line.

    Example: `reeltune watch ~/Videos --library holidays`
    """
    from reeltune.cli.bars import Spinner
    from reeltune.cli.model_question import model_for_new

    model = model_for_new(library, quiet or as_json)
    with Spinner(hidden=as_json):
        from reeltune.cli.news import Teller
        from reeltune.search.creation import manifest_of
        from reeltune.search.library import Library
        from reeltune.search.watching import Watcher

        is_new = manifest_of(library) is None
        opened = (
            Library.create(library, model, device=device) if is_new else Library(library, device)
        )
        opened.prepare()
    teller = Teller(as_json)
    teller.begin(paths, opened.folder)
    Watcher(opened, paths, teller.tell, settled=settled, polls=polls).run()
