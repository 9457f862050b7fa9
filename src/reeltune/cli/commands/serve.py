"""The command that serves a library: its page and its API."""

import os
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from reeltune.cli.loudness import QuietOption, VerboseOption
from reeltune.cli.options import LIBRARY, DeviceOption, LibraryArgument, ModelOption
from reeltune.cli.terminal import say

PLACE = 14  # in `--help`
app = typer.Typer()
VIDEOS = Path("~/Videos")  # whose videos may be brought in, where no other folder is named
RUNS = Path("runs")  # whose training runs are shown, where no other folder is named


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
    runs: Annotated[
        list[Path] | None,
        typer.Option(help="A folder whose training runs are shown; ./runs by default; repeatable."),
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

    leave_cores()
    with Spinner(hidden=quiet):
        from reeltune.serve.hosts import is_here
        from reeltune.serve.run import bound
        from reeltune.serve.run import serve as run
        from reeltune.serve.settings import Settings
        from reeltune.serve.tokens import Tokens

        here = is_here(host)
        given = (os.environ.get("REELTUNE_TOKEN"), os.environ.get("REELTUNE_READ_TOKEN"))
        tokens = Tokens.drawn(*given) if token or not here else None
        settings = Settings(
            library=library.absolute(),
            roots=tuple(folders("--root", root, VIDEOS, "videos")),
            runs=tuple(folders("--runs", runs, RUNS, "training runs")),
            device=device,
            model=model,
            tokens=tokens,
            names=(host, *(name or ())),
            is_open=not here,
        )
        taken = bound(host, port)

    shown = f"[{host}]" if ":" in host else host
    place = f"http://{shown}:{taken.getsockname()[1]}/"
    drawn = (tokens.write, tokens.read) if tokens else ()
    run(settings, taken, partial(ready, place, drawn, given))


def leave_cores() -> None:
    """Have each product of numpy be made by one thread, unless the environment says otherwise;
    numpy looks once, when it is imported. Large products are shared out by threads of our own.

    Threads of OpenBLAS that wait for each other keep their cores busy, so where anything else needs
    one of these, such as another search, a search takes several times as long.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def ready(place: str, tokens: tuple[str, ...], given: tuple[str | None, ...]) -> None:
    """Say where the server is, and its tokens for all and for reading, but for those `given`."""
    say(f"Reeltune is at {place} and Ctrl-C ends it")
    names = ("all", "REELTUNE_TOKEN"), ("reading", "REELTUNE_READ_TOKEN")
    for (what, name), token, known in zip(names, tokens, given, strict=False):
        say(f"token for {what}: {f'as {name} says' if known else token}")


def folders(switch: str, given: list[Path] | None, usual: Path, holding: str) -> list[Path]:
    """The folders that a switch names, or else the usual one if it is there, without links; raises
    ConfigError for a named one that is none."""
    from reeltune.errors import ConfigError
    from reeltune.storage.home import from_home

    paths = [from_home(path) for path in given or [usual]]
    for path in paths:
        if given and not path.is_dir():
            raise ConfigError(f"{switch} {path} is no folder; give one with {holding} in it")
    return [path.resolve() for path in paths if path.is_dir()]
