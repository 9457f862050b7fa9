"""The command line. Heavy imports are inside the commands, so that `--help` is instant."""

import atexit
import errno
import gc
import os
import sys
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType
from typing import Annotated, Any, Literal, NoReturn

import typer
from typer.core import TyperGroup

from reeltune._version import __version__
from reeltune.cli.options import print_json
from reeltune.cli.ranked import is_mine_to_say, processes
from reeltune.cli.stopping import STOPPED, was_stopped
from reeltune.cli.terminal import say
from reeltune.errors import ConfigError, ReeltuneError
from reeltune.registry import find, names

AS_JSON = "reeltune.as_json"  # whether scripts read what is printed, among a context's notes
MISUSE: Any = typer.BadParameter.__bases__[0]  # every error in how a command is called
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # a disk, or one's share of it
PLUGINS = "reeltune.commands"  # group of entry points, each of which is a typer.Typer
atexit.register(gc.freeze)  # or else the interpreter looks through all of torch before it ends


class Group(TyperGroup):
    """Commands whose errors, and those of the system, are one line on standard error, or with
    `--json` an object on standard output, and exit code 1; or 2, as usual, for a call that no
    command takes.

    What the user stops ends with exit code 130 and says whether the same command goes on.
    """

    def parse_args(self, context: Any, args: list[str]) -> Any:
        """The arguments as click parses them, once an empty one has been refused."""
        options = args[: args.index("--")] if "--" in args else args
        context.meta[AS_JSON] = context.meta.get(AS_JSON) or "--json" in options
        for place, given in enumerate(args, 1):
            if not given or (given.startswith("--") and given.endswith("=")):
                error = ConfigError(
                    f"argument {place} is empty, as that of a variable without a value; "
                    "give it, or leave its option out"
                )
                leave(context, 1, str(error), error)
        try:
            return super().parse_args(context, args)
        except MISUSE as error:
            misused(context, error)
        except KeyboardInterrupt as error:
            end(context, error)

    def resolve_command(self, context: Any, args: list[str]) -> Any:
        """The command that is called, where as many processes as there are may run it."""
        name, command, left = super().resolve_command(context, args)
        if processes() > 1 and context.parent is None and name not in marked("SHARED"):
            raise ConfigError(
                f"torchrun has started {processes()} processes, each of which would do all of "
                f"reeltune {name}; start it without torchrun, or use that for "
                f"{' and '.join(sorted(marked('SHARED')))}"
            )
        return name, command, left

    def invoke(self, context: Any) -> Any:
        """Run the command; what it raises becomes one line and an exit code."""
        try:
            try:
                return super().invoke(context)
            finally:
                flush()
        except (Exception, KeyboardInterrupt) as error:
            end(context, error)


def end(context: Any, error: BaseException) -> NoReturn:
    """Say in one line why a command ends that raised an error; what is no error of the user's goes
    on."""
    if was_stopped(error):
        goes_on = context.invoked_subcommand in marked("GOES_ON")
        more = "run the same command again to go on where it stopped" if goes_on else ""
        said = "; ".join(filter(None, ["stopped", more]))
        if is_mine_to_say(said):
            say(said, err=True)
        # Once one came within exec, Python ends by the signal unless another exec ends well.
        exec("")
        raise SystemExit(STOPPED) from error
    if isinstance(error, ReeltuneError):
        leave(context, 1, str(error), error)
    if isinstance(error, MISUSE):
        misused(context, error)
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        leave(context, 1, said_of(error), error)
    raise error  # such as of a broken pipe, whose reader has gone and is told nothing


def leave(context: Any, code: int, said: str, cause: Exception) -> NoReturn:
    """Say in one line what is wrong, and end with this exit code.

    The line goes to the error stream; with `--json` it is an object on standard output.
    """
    if not is_mine_to_say(said):
        pass
    elif context.meta[AS_JSON]:
        print_json({"error": said, "kind": type(cause).__name__, "exit_code": code})
    else:
        say(f"error: {said}", err=True)
    raise SystemExit(code) from cause


def said_of(error: OSError) -> str:
    """What the system says of a file, with its name where it is known."""
    place = error.filename if error.filename is not None else "a file"
    place = os.fsdecode(place) if isinstance(place, bytes) else place
    why = error.strerror or " ".join(str(error).split()) or type(error).__name__
    if error.errno in FULL:
        return f"{place} cannot be written ({why}); make room there, and run the command again"
    return f"{place} cannot be read or written ({why}); mend that, or give another"


def misused(context: Any, error: Any) -> NoReturn:
    """End with what is wrong in how a command is called, and where it is said how to."""
    if type(error).__name__ == "NoArgsIsHelpError":
        raise error  # which prints the help
    called = error.ctx or context
    said = " ".join(error.format_message().split()).rstrip(".")
    leave(context, error.exit_code, f"{said}; see: {called.command_path} --help", error)


def flush() -> None:
    """Hand over what is printed while it can still be said that this fails."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tries once more
        say(f"error: what is printed cannot be written ({error.strerror})", err=True)
        raise SystemExit(1) from error


app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Search your own videos with words.\n\n"
    "`reeltune index ~/Videos` and then `reeltune search 'a dog catches a frisbee'`.",
)


def tell_version(wanted: bool) -> None:
    """Print the version and end, where it is asked for."""
    if wanted:
        say(f"reeltune {__version__}")
        raise typer.Exit()


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=tell_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Options of the program itself, whichever command follows."""


@cache
def groups() -> list[ModuleType]:
    """The files of `cli/commands`, in the order in which `--help` shows them."""
    return sorted((find("cli.commands", name) for name in names("cli.commands")), key=place_of)


def place_of(group: ModuleType) -> tuple[int, str]:
    """By its `PLACE`; a file that has none comes last."""
    return getattr(group, "PLACE", 1000), group.__name__


def marked(mark: Literal["GOES_ON", "SHARED"]) -> frozenset[str]:
    """Commands that go on where they stopped when they are called again, or whose work `torchrun`
    shares out among processes; their files say so."""
    files = [*groups(), *(import_module(found.module) for found in entry_points(group=PLUGINS))]
    return frozenset(name for file in files for name in getattr(file, mark, ()))


for found in [*(group.app for group in groups()), *(e.load() for e in entry_points(group=PLUGINS))]:
    app.add_typer(found, cls=Group)
