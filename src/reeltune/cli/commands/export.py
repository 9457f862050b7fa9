"""The command that writes a model for other runtimes."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from reeltune.cli.loudness import QuietOption, VerboseOption
from reeltune.cli.options import DataOption, JsonOption, print_json
from reeltune.cli.terminal import say, say_lines

PLACE = 71  # in `--help`
app = typer.Typer()


@app.command()
def export(
    model: Annotated[str, typer.Argument(help="lite, a CLIP folder, a run of tuned or a hub id.")],
    to: Annotated[
        Literal["onnx", "sentence-transformers"],
        typer.Option(help="onnx, which needs no torch; or a folder of this library, of a CLIP."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the export; a new one.")],
    int8: Annotated[bool, typer.Option("--int8", help="Round to int8, by onnxruntime.")] = False,
    benchmark: Annotated[
        str | None, typer.Option(help="Measure both forms by it: toybox, msrvtt-9k ...")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Write a model for onnxruntime or sentence-transformers; say what it is beside the original.

    Example: `reeltune export lite --to onnx --out lite-onnx`

    Smaller, and measured: `reeltune export lite --to onnx --int8 --benchmark toybox --out small`
    """
    from reeltune.cli.bars import TrainingBar
    from reeltune.cli.output import show_said
    from reeltune.errors import ConfigError, in_shell
    from reeltune.runs.export import Wanted, export_onnx
    from reeltune.runs.export_sentences import export_sentences
    from reeltune.runs.place import RunPlace

    if to != "onnx" and (int8 or benchmark):
        raise ConfigError("--int8 and --benchmark go with --to onnx; leave them out")
    if data is not None and benchmark is None:
        raise ConfigError(f"--data {data} goes with --benchmark, which reads it; leave it out")
    with TrainingBar(hidden=as_json) as bar:
        place = RunPlace(out=out, data=data, watcher=bar)
        if to == "onnx":
            found = export_onnx(model, place, Wanted(int8=int8, benchmark=benchmark))
        else:
            found = export_sentences(model, place)
    if as_json:
        print_json(found.as_dict())
    else:
        show_said(found.said)
        say_lines(found.text())
        say(f"{out}: reeltune index VIDEOS --model {in_shell(out)}")
