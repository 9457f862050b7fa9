"""The command that makes the tables of papers."""

from pathlib import Path
from typing import Annotated

import typer

from reeltune.cli.exits import exit_incomplete
from reeltune.cli.options import DataOption, SetOption, changes_of
from reeltune.cli.terminal import say, say_each, say_lines

PLACE = 45  # in `--help`
GOES_ON = ("table",)  # where they stopped, when they are called again
app = typer.Typer()


@app.command()
def table(
    family: Annotated[
        str, typer.Argument(help="Which: vop, dual-encoding-pp, meltr-schemes, ...")
    ] = "vop",
    dataset: Annotated[str, typer.Option(help="A benchmark: toybox, msrvtt-9k, ...")] = "toybox",
    size: Annotated[str | None, typer.Option(help="Of Toybox: tiny, small, base.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each method.")] = 3,
    jobs: Annotated[int, typer.Option(help="Runs at once; 0: one per core.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder of all runs.")] = None,
    data: DataOption = None,
    settings: SetOption = None,
    sweep: Annotated[bool, typer.Option(help="Also the curves: K_s; alpha, zeros; costs.")] = True,
    method: Annotated[
        list[Path] | None, typer.Option(help="A recipe of your own, as one more row; repeatable.")
    ] = None,
) -> None:
    """Train what is missing of a paper's table and print it, with intervals and plots.

    Example: `reeltune table vop --dataset toybox --size small`
    """
    from reeltune.papers.table.make import make_table, table_named
    from reeltune.papers.table.plan import Plan

    kind = table_named(family).folder or family
    out = out or Path("runs", "tables", "-".join([kind, dataset, *([size] if size else [])]))
    plan = Plan(
        family=family,
        benchmark=dataset,
        out=out,
        seeds=seeds,
        jobs=jobs,
        data=data,
        changes=changes_of(settings, **{"options.size": size}),
        own=tuple(method or ()),
    )
    made = make_table(plan, sweep, lambda said: say((said, "dim")))
    say_lines(made.text)
    say_each(made.pages)
    exit_incomplete(made.incomplete)
