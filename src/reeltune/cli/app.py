"""The command line. Heavy imports are inside the commands, so that `--help` is instant."""

import atexit
import errno
import gc
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from reeltune.errors import ReeltuneError
from reeltune.registry import find, names

STOPPED = 130  # exit code after Ctrl-C, as shells have it
FULL = (errno.ENOSPC, errno.EDQUOT)  # the disk is
PLUGINS = "reeltune.commands"  # group of entry points, each of which is a typer.Typer
atexit.register(gc.freeze)  # or else the interpreter looks through all of torch before it ends


class Group(TyperGroup):
    """Commands whose errors, and those of the disk, are one line on standard error and exit code 1.

    What the user stops ends with exit code 130 and says whether the same command goes on.
    """

    def parse_args(self, context: Any, args: list[str]) -> Any:
        """The arguments as click parses them, once an empty one has been refused."""
        for place, given in enumerate(args, 1):
            if not given or (given.startswith("--") and given.endswith("=")):
                leave(
                    1,
                    f"error: argument {place} is empty, as that of a variable without a value; "
                    "give it, or leave its option out",
                )
        return super().parse_args(context, args)

    def invoke(self, context: Any) -> Any:
        """Run the command; what it raises becomes one line and an exit code."""
        try:
            return super().invoke(context)
        except ReeltuneError as error:
            leave(1, f"error: {error}", error)
        except KeyboardInterrupt as error:
            goes_on = context.invoked_subcommand in goes_on_again()
            more = "run the same command again to go on where it stopped" if goes_on else ""
            leave(STOPPED, "; ".join(filter(None, ["stopped", more])), error)
        except OSError as error:
            if error.filename is None and error.errno not in FULL:
                raise  # not of the user's files, so it is a fault of ours
            place = error.filename or "a file"
            said = (
                f"{place} cannot be read or written ({error.strerror}); mend that, or give another"
            )
            leave(1, f"error: {said}", error)


def leave(code: int, said: str, cause: BaseException | None = None) -> NoReturn:
    """Print one line on standard error, and end with this exit code."""
    typer.echo(said, err=True)
    raise SystemExit(code) from cause


app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Search your own videos with words.\n\n"
    "`reeltune index ~/Videos` and then `reeltune search 'a dog catches a frisbee'`.",
)


@cache
def groups() -> list[ModuleType]:
    """The files of `cli/commands`, in the order in which `--help` shows them."""
    return sorted((find("cli.commands", name) for name in names("cli.commands")), key=place_of)


def place_of(group: ModuleType) -> tuple[int, str]:
    """By its `PLACE`; a file that has none comes last."""
    return getattr(group, "PLACE", 1000), group.__name__


def goes_on_again() -> frozenset[str]:
    """Commands that go on where they stopped when they are called again."""
    return frozenset(name for group in groups() for name in getattr(group, "GOES_ON", ()))


for found in [*(group.app for group in groups()), *(e.load() for e in entry_points(group=PLUGINS))]:
    app.add_typer(found, cls=Group)
