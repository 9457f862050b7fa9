"""Commands that say what is here: models, this machine, the version."""

from typing import Annotated

import typer

from reeltune.cli.options import DeviceOption, JsonOption, SetOption, changes_of, print_json
from reeltune.cli.terminal import say, show

PLACE = 90  # in `--help`
app = typer.Typer()


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
    from reeltune.runs.describe import describe as run
    from reeltune.runs.describe import description_table

    found = run(model, changes_of(settings))
    print_json(found) if as_json else show(description_table(found))


@app.command()
def models(
    speed: Annotated[
        bool, typer.Option("--speed", help="Measure those that are on this machine.")
    ] = False,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List models by short names: size, licence, languages, and what is known of them.

    Example: `reeltune models --json`
    """
    from reeltune.cli.model_list import model_list, model_table

    found = model_list(speed, device)
    print_json(found) if as_json else show(model_table(found))


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Say what works here and what does not: versions, models, decoder, cores, GPU.

    Example: `reeltune doctor --json`
    """
    from reeltune.cli.doctor import doctor as run
    from reeltune.cli.doctor import doctor_report

    facts = run()
    print_json(facts) if as_json else show(doctor_report(facts))


@app.command()
def version() -> None:
    """Print the version."""
    from reeltune import __version__

    say(__version__)
