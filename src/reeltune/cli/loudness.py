"""How much a command says beside its results, which `--quiet` and `--verbose` choose."""

import logging
from typing import Annotated

import typer

from reeltune.cli.terminal import say

_chosen = {"quiet": False}


def is_shown(hidden: bool) -> bool:
    """Whether progress is shown that a command would not hide."""
    return not (hidden or _chosen["quiet"])


def _choose_quiet(quiet: bool) -> None:
    _chosen["quiet"] = quiet


def _choose_verbose(verbose: bool) -> None:
    messages = logging.getLogger("reeltune")
    messages.handlers = [one for one in messages.handlers if not isinstance(one, _ToErrors)]
    messages.setLevel(logging.DEBUG if verbose else logging.NOTSET)
    if verbose:
        messages.addHandler(_ToErrors())


class _ToErrors(logging.Handler):
    """Prints messages on the error stream as it is now: bars let lines pass above them there."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage(), err=True)


QuietOption = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        callback=_choose_quiet,
        expose_value=False,
        help="Show no progress.",
    ),
]
VerboseOption = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        callback=_choose_verbose,
        expose_value=False,
        help="Print what decoders say of files, too.",
    ),
]
