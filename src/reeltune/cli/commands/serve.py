"""The command that serves a library: its page and its API."""

import os
from pathlib import Path
from typing import Annotated

import typer

from reeltune.cli.loudness import QuietOption, VerboseOption
from reeltune.cli.options import LIBRARY, DeviceOption, LibraryArgument, ModelOption
from reeltune.cli.terminal import say

PLACE = 14  # in `--help`
app = typer.Typer()
VIDEOS = Path("~/Videos")  # whose videos may be brought in, where no other folder is named


@app.command()
def serve(
    library: LibraryArgument = LIBRARY,
    host: Annotated[str, typer.Option(help="Address to listen at; off loopback with tokens.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8420,
    root: Annotated[
        list[Path] | None,
        typer.Option(help="A folder whose videos the page may bring in; repeatable."),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="A name by which others call this machine; repeatable."),
    ] = None,
    token: Annotated[bool, typer.Option(help="Ask for a token on loopback too.")] = False,
    model: ModelOption = None,
    device: DeviceOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Search a library in the browser, and by programs over HTTP.

    Example: `reeltune serve holidays --root ~/Videos`

    For other machines, with the tokens that it prints: `reeltune serve --host 0.0.0.0 --name nas`
    """
    from reeltune.cli.bars import Spinner

    with Spinner(hidden=quiet):
        from reeltune.serve.hosts import is_here
        from reeltune.serve.run import bound
        from reeltune.serve.run import serve as run
        from reeltune.serve.settings import Settings
        from reeltune.serve.tokens import Tokens

        here = is_here(host)
        given = (os.environ.get("REELTUNE_TOKEN"), os.environ.get("REELTUNE_READ_TOKEN"))
        tokens = Tokens.drawn(*given) if token or not here else None
        taken = bound(host, port)
        settings = Settings(
            library=library.expanduser().absolute(),
            roots=tuple(found_roots(root)),
            device=device,
            model=model,
            tokens=tokens,
            names=(host, *(name or ())),
            is_open=not here,
        )

    def ready() -> None:
        shown = f"[{host}]" if ":" in host else host
        say(f"Reeltune is at http://{shown}:{taken.getsockname()[1]}/ and Ctrl-C ends it")
        if tokens is not None:
            kept = "as REELTUNE_TOKEN says", "as REELTUNE_READ_TOKEN says"
            new = tokens.write, tokens.read
            write, read = (k if g else n for k, g, n in zip(kept, given, new, strict=True))
            say(f"token for all: {write}")
            say(f"token for reading: {read}")

    run(settings, taken, ready)


def found_roots(given: list[Path] | None) -> list[Path]:
    """The folders whose videos may be brought in, without links; raises ConfigError for a named one
    that is none."""
    from reeltune.errors import ConfigError

    folders = [path.expanduser() for path in given or [VIDEOS]]
    for folder in folders:
        if given and not folder.is_dir():
            raise ConfigError(f"--root {folder} is no folder; give one with videos in it")
    return [folder.resolve() for folder in folders if folder.is_dir()]
