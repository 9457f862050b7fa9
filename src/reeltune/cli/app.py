"""The command line. Heavy imports are inside the commands, so that `--help` is instant."""

import errno
import json
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from reeltune.cli.convert import app as convert_app
from reeltune.cli.features import app as features_app
from reeltune.cli.losses import app as meltr_app
from reeltune.cli.prune import app as prune_app
from reeltune.cli.training import SetOption, changes_of
from reeltune.cli.training import app as training_app
from reeltune.errors import ReeltuneError

STOPPED = 130  # exit code after Ctrl-C, as shells have it
FULL = (errno.ENOSPC, errno.EDQUOT)  # the disk is
GOES_ON = frozenset({"index", "demo", "features", "train", "tune", "table"})


class Group(TyperGroup):
    """Commands whose errors, and those of the disk, are one line on standard error and exit code 1.

    What the user stops ends with exit code 130 and says whether the same command goes on.
    """

    def parse_args(self, context: Any, args: list[str]) -> Any:
        for place, given in enumerate(args, 1):
            if not given or (given.startswith("--") and given.endswith("=")):
                leave(
                    1,
                    f"error: argument {place} is empty, as that of a variable without a value; "
                    "give it, or leave its option out",
                )
        return super().parse_args(context, args)

    def invoke(self, context: Any) -> Any:
        try:
            return super().invoke(context)
        except ReeltuneError as error:
            leave(1, f"error: {error}", error)
        except KeyboardInterrupt as error:
            goes_on = context.invoked_subcommand in GOES_ON
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
library_app = typer.Typer(cls=Group, no_args_is_help=True, help="Look after a library.")
app.add_typer(library_app, name="library")
app.add_typer(convert_app, name="convert")
for more in (training_app, meltr_app, features_app, prune_app):
    app.add_typer(more)

DEFAULT = Path("reeltune.library")
LibraryOption = Annotated[Path, typer.Option("--library", "-l", help="Folder of the library.")]
LibraryArgument = Annotated[Path, typer.Argument(help="Folder of the library.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
DeviceOption = Annotated[
    str | None, typer.Option(help="cpu, cuda or cuda:1; by default a GPU where there is one.")
]


def print_json(data: object) -> None:
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False))


@app.command()
def index(
    paths: Annotated[list[str], typer.Argument(help="Videos, or folders of videos.")],
    library: LibraryOption = DEFAULT,
    model: Annotated[str | None, typer.Option(help="lite, a CLIP folder, or a hub id.")] = None,
    sampling: Annotated[
        str | None, typer.Option(help="gap S, keyframe, fps R, uniform N or shot.")
    ] = None,
    prune: Annotated[bool, typer.Option(help="Take out files that are gone from PATHS.")] = False,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make moments of videos searchable; run it again at any time to bring the library up to date.

    Example: `reeltune index ~/Videos --library holidays`
    """
    from reeltune.cli.output import Bar, show_report
    from reeltune.search.ingest import Choice
    from reeltune.search.ingest import index as run

    choice = Choice(model=model, sampling=sampling, prune=prune, device=device)
    with Bar(hidden=as_json) as bar:
        report = run(paths, library, choice, bar)
    print_json(report.as_dict()) if as_json else show_report(report)
    if report.interrupted:
        raise KeyboardInterrupt
    sys.exit(report.exit_code)


@app.command()
def search(
    text: Annotated[str | None, typer.Argument(help="What should be seen, in words.")] = None,
    library: LibraryOption = DEFAULT,
    k: Annotated[int, typer.Option("-k", min=1, help="How many moments.")] = 10,
    where: Annotated[
        str | None, typer.Option(help="Filter, e.g. \"duration > 60 and path like '%beach%'\".")
    ] = None,
    image: Annotated[Path | None, typer.Option(help="Search by a picture instead.")] = None,
    video: Annotated[Path | None, typer.Option(help="Search by a video instead.")] = None,
    fold: Annotated[bool, typer.Option(help="Show near-duplicates once.")] = True,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the moments that match words, a picture or a video.

    Example: `reeltune search "a dog catches a frisbee" -k 5 --where "date >= '2026-01-01'"`
    """
    from dataclasses import asdict

    from reeltune.cli.output import show_hits
    from reeltune.search.library import Library

    opened = Library(library, device)
    found = opened.search(text, image=image, video=video, k=k, where=where, fold=fold)
    print_json([asdict(hit) for hit in found]) if as_json else show_hits(found)


@library_app.command("info")
def library_info(library: LibraryArgument = DEFAULT, as_json: JsonOption = False) -> None:
    """Say what is in a library and what made it. Example: `reeltune library info holidays`"""
    from reeltune.cli.output import show_facts
    from reeltune.search.maintain import info

    facts = info(library)
    print_json(facts) if as_json else show_facts(facts)


@library_app.command("verify")
def library_verify(library: LibraryArgument = DEFAULT, as_json: JsonOption = False) -> None:
    """Check a library; exit code 1 if it has faults. Example: `reeltune library verify holidays`"""
    from dataclasses import asdict

    from reeltune.cli.output import show_health
    from reeltune.search.maintain import verify

    health = verify(library)
    print_json(asdict(health)) if as_json else show_health(health)
    sys.exit(1 if health.faults else 0)


@library_app.command("repair")
def library_repair(library: LibraryArgument = DEFAULT, as_json: JsonOption = False) -> None:
    """Mend what `verify` finds. Example: `reeltune library repair holidays`"""
    from reeltune.search.maintain import repair

    done = repair(library)
    print_json(done) if as_json else typer.echo("\n".join(done) or "nothing to mend")


@library_app.command("optimize")
def library_optimize(library: LibraryArgument = DEFAULT, as_json: JsonOption = False) -> None:
    """Compact a library and index its vectors. Example: `reeltune library optimize holidays`"""
    from reeltune.cli.output import show_facts
    from reeltune.search.maintain import optimize

    facts = optimize(library)
    print_json(facts) if as_json else show_facts(facts)


@app.command()
def describe(
    model: Annotated[
        str, typer.Argument(help="A recipe or its file, or a model's name, folder or hub id.")
    ] = "lite",
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count a model's parameters, by part, without reading its weights.

    Example: `reeltune describe msrvtt-9k/vop-fp --set config.frames=32 --json`
    """
    from reeltune.cli.output import console
    from reeltune.runs.describe import describe as run
    from reeltune.runs.describe import description_table

    found = run(model, changes_of(settings))
    print_json(found) if as_json else console.print(description_table(found))


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Say what works here and what does not: versions, models, decoder, cores, GPU.

    Example: `reeltune doctor --json`
    """
    from reeltune.cli.doctor import doctor as run
    from reeltune.cli.doctor import doctor_report
    from reeltune.cli.output import console

    facts = run()
    print_json(facts) if as_json else console.print(doctor_report(facts))


@app.command()
def version() -> None:
    """Print the version."""
    from reeltune import __version__

    typer.echo(__version__)


@app.command()
def demo(
    videos: Annotated[
        list[str] | None, typer.Argument(help="Your videos; sample clips if there are none.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where clips, library and sheet go.")] = Path("demo"),
) -> None:
    """Index some videos, answer three queries and draw the answers on one sheet.

    Example: `reeltune demo ~/Videos`
    """
    from reeltune.cli.demo_run import run
    from reeltune.cli.output import Bar, show_answers, show_next_steps, show_report

    with Bar() as bar:
        outcome = run(videos or [], folder, bar)
    show_report(outcome.report)
    show_answers([(answer.query, answer.hits) for answer in outcome.answers])
    show_next_steps(str(outcome.library), str(outcome.sheet))
    sys.exit(outcome.report.exit_code)
