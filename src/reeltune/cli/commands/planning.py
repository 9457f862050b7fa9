"""The command that plans: cost, storage and time of libraries of any size."""

from typing import Annotated

import typer

from reeltune.cli.options import JsonOption, print_json
from reeltune.cli.terminal import say, show

PLACE = 95  # in `--help`
app = typer.Typer()


@app.command()
def plan(
    hours: Annotated[float, typer.Option(help="Of video.")] = 1000.0,
    gpu: Annotated[str | None, typer.Option(help="h100, a100 or l4, which runs CLIP.")] = None,
    cpu: Annotated[bool, typer.Option("--cpu", help="Processors alone, as by default.")] = False,
    model: Annotated[
        str | None, typer.Option(help="lite or clip; by default lite, and clip on a GPU.")
    ] = None,
    moments_per_hour: Annotated[float, typer.Option(help="Of a video.")] = 900.0,
    frames_per_hour: Annotated[float, typer.Option(help="That are encoded.")] = 1800.0,
    width: Annotated[int, typer.Option(help="Numbers of a vector.")] = 512,
    bytes_beside: Annotated[float, typer.Option(help="Of a moment, beside its vector.")] = 10_500.0,
    gpu_share: Annotated[float, typer.Option(help="Of the vendor's peak that is reached.")] = 0.3,
    cores: Annotated[int, typer.Option(help="That work at once.")] = 64,
    gpus: Annotated[int, typer.Option(help="That work at once.")] = 8,
    shard: Annotated[int, typer.Option(help="Moments that one process searches.")] = 1_000_000,
    core_price: Annotated[float, typer.Option(help="Of a core's hour.")] = 0.04,
    gpu_price: Annotated[float, typer.Option(help="Of a GPU's hour.")] = 2.5,
    storage_price: Annotated[float, typer.Option(help="Of a TB in a month.")] = 23.0,
    as_json: JsonOption = False,
) -> None:
    """Say what indexing and searching so much video costs, by formulas and measured constants.

    Example: `reeltune plan --hours 1e6 --gpu h100`
    """
    from reeltune.cli.planned import plan_lines, plan_table
    from reeltune.errors import ConfigError
    from reeltune.search.planning import Inputs
    from reeltune.search.planning import plan as make

    if cpu and gpu is not None:
        raise ConfigError(f"--cpu and --gpu {gpu} are both given; give one of them")
    found = make(
        Inputs(
            hours=hours,
            gpu=gpu,
            model=model,
            moments_per_hour=moments_per_hour,
            frames_per_hour=frames_per_hour,
            width=width,
            bytes_beside=bytes_beside,
            gpu_share=gpu_share,
            cores=cores,
            gpus=gpus,
            shard=shard,
            core_price=core_price,
            gpu_price=gpu_price,
            storage_price=storage_price,
        )
    )
    if as_json:
        print_json(found)
        return
    show(plan_table(found))
    for line in plan_lines(found):
        say(line)
