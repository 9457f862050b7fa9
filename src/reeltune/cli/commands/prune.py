"""The command that makes models smaller."""

from pathlib import Path
from typing import Annotated

import typer

from reeltune.cli.exits import exit_incomplete
from reeltune.cli.loudness import QuietOption, VerboseOption
from reeltune.cli.options import JsonOption, print_json
from reeltune.cli.terminal import say, say_lines

PLACE = 70  # in `--help`
app = typer.Typer()


@app.command()
def prune(
    checkpoint: Annotated[
        str, typer.Argument(help="A checkpoint folder, a component or a hub id.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the smaller model; a new one.")],
    amount: Annotated[float, typer.Option(help="Share of weights that become zero.")] = 0.36,
    units: Annotated[
        float, typer.Option(help="Share of hidden units to take out first (dual-encoding).")
    ] = 0.0,
    bias: Annotated[bool, typer.Option(help="Prune biases too.")] = False,
    embedding: Annotated[bool, typer.Option(help="Prune tables of embeddings too.")] = False,
    bf16: Annotated[bool, typer.Option("--bf16", help="Round what is left to bfloat16.")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="Round to int8, and compute in it.")] = False,
    merge: Annotated[
        int, typer.Option(min=0, help="Tokens of a frame to merge in each layer of a CLIP.")
    ] = 0,
    data: Annotated[Path | None, typer.Option(help="Folder of the recipe's dataset.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Make a model smaller: size on disk, non-zeros, latency and accuracy before and after.

    Example: `reeltune prune runs/toybox/dual-encoding/seed0 --amount 0.36 --bf16 --out small`

    Faster on a CPU: `reeltune prune runs/toybox/dual-encoding/seed0 --amount 0 --int8 --out fast`

    A CLIP that reads fewer tokens: `reeltune prune CLIP --amount 0 --merge 2 --out fast`
    """
    from reeltune.cli.bars import TrainingBar
    from reeltune.cli.output import show_remarks, show_said
    from reeltune.errors import ConfigError
    from reeltune.runs.place import RunPlace
    from reeltune.runs.prune import prune_checkpoint
    from reeltune.runs.pruned_files import Amounts

    if bf16 and int8:
        raise ConfigError("--bf16 and --int8 both say how weights are rounded; give one of them")
    amounts = Amounts(
        weights=amount,
        units=units,
        biases=bias,
        embeddings=embedding,
        values="int8" if int8 else "bfloat16" if bf16 else "float32",
        merge=merge,
    )
    with TrainingBar(hidden=as_json) as bar:
        found = prune_checkpoint(checkpoint, amounts, RunPlace(out=out, data=data, watcher=bar))
    if as_json:
        print_json(found.as_dict())
    else:
        say_lines(found.comparison.text())
        say("")
        say(f"{found.census.zeros:,} of {found.census.prunable:,} weights are zero; {out}")
        if found.report is not None:
            show_said(found.report.protocol.differs)
            show_remarks(found.report)
    if found.report is not None:
        exit_incomplete(found.report.protocol.incomplete)
