"""The command that shows what Reeltune does."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from reeltune.cli.loudness import QuietOption, VerboseOption

PLACE = 30  # in `--help`
GOES_ON = ("demo",)  # where they stopped, when they are called again
app = typer.Typer()


@app.command()
def demo(
    videos: Annotated[
        list[str] | None, typer.Argument(help="Your videos; sample clips if there are none.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where clips, library and sheet go.")] = Path("demo"),
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Index some videos, answer three queries and draw the answers on one sheet.

    Example: `reeltune demo ~/Videos`
    """
    from reeltune.cli.bars import Bar

    with Bar() as bar:
        from reeltune.cli.demo_run import run
        from reeltune.cli.output import show_answers, show_next_steps, show_report, show_said

        outcome = run(videos or [], folder, bar)
    show_report(outcome.report)
    show_said(outcome.missing)
    show_answers([(answer.query, answer.hits) for answer in outcome.answers])
    show_next_steps(str(outcome.library), str(outcome.sheet))
    sys.exit(outcome.report.exit_code)
