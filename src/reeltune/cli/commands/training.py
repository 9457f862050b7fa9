"""Commands that train, tune, measure and compare."""

from pathlib import Path
from typing import Annotated

import typer

from reeltune.cli.completion import recipes
from reeltune.cli.exits import exit_incomplete
from reeltune.cli.loudness import QuietOption, VerboseOption
from reeltune.cli.options import (
    DataOption,
    DeviceOption,
    JsonOption,
    SetOption,
    changes_of,
    print_json,
)
from reeltune.cli.terminal import say, show

PLACE = 40  # in `--help`
GOES_ON = ("train", "tune")  # where they stopped, when they are called again
SHARED = ("train",)  # among the processes that torchrun starts
app = typer.Typer()


@app.command()
def train(
    recipe: Annotated[
        str,
        typer.Argument(
            help="A benchmark and a method, toybox/vop-fp; or a YAML file.", autocompletion=recipes
        ),
    ],
    data: DataOption = None,
    out: Annotated[Path | None, typer.Option(help="Where to; runs/RECIPE by default.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of weights, order and captions; the recipe's by default.")
    ] = None,
    settings: SetOption = None,
    init: Annotated[
        Path | None,
        typer.Option(help="A run of the same component, to start from its weights."),
    ] = None,
    tensorboard: Annotated[bool, typer.Option(help="Write TensorBoard files too.")] = False,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Train a recipe, choose by validation, test once; run it again to go on where it stopped.

    Example: `reeltune train toybox/vop-fp --set training.epochs=10`

    On several GPUs: `torchrun --nproc-per-node 4 -m reeltune train msrvtt-9k/vop --data MSRVTT`
    """
    from reeltune.cli.bars import TrainingBar
    from reeltune.cli.output import show_figures, show_trained
    from reeltune.cli.ranked import is_first
    from reeltune.recipes.own import is_path
    from reeltune.recipes.read import read_recipe
    from reeltune.runs.feature_maker import why_not_to_index
    from reeltune.runs.place import RunPlace
    from reeltune.runs.train import run_recipe

    named = {"training.seed": seed, "init": init and str(init)}
    chosen = read_recipe(recipe, changes_of(settings, **named))
    parts = [Path(recipe).stem] if is_path(recipe) else recipe.split("/")
    out = out or Path("runs", *parts, f"seed{chosen.training.seed}")
    with TrainingBar(hidden=as_json or not is_first()) as bar:
        place = RunPlace(out=out, data=data, device=device, watcher=bar, tensorboard=tensorboard)
        trained = run_recipe(chosen, place)
    if not trained.leads:
        return
    if as_json:
        print_json({"folder": str(out), "said": trained.said, **trained.report.figures()})
    else:
        show_figures(trained.report)
        why_not = why_not_to_index(trained.folder) if trained.report.finds else None
        show_trained(trained.folder, trained.expected, why_not)
    exit_incomplete(trained.report.protocol.incomplete)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A checkpoint folder, a component or a hub id.")],
    benchmark: Annotated[
        str | None,
        typer.Option(help="toybox, msrvtt-9k, ...; by default that of the run, or else toybox."),
    ] = None,
    data: DataOption = None,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    out: Annotated[Path | None, typer.Option(help="Also write the report to this file.")] = None,
    scores: Annotated[Path | None, typer.Option(help="Also write the scores: FILE.npy.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace these files.")] = False,
    post: Annotated[
        list[str] | None, typer.Option(help="Figures beside: dsl:0.01, qb-norm:20:1; repeatable.")
    ] = None,
    rerank: Annotated[
        int | None, typer.Option(help="Of a pair scorer: score only the best so many by vectors.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="The model whose vectors choose them; itself by default.")
    ] = None,
    alone: Annotated[bool, typer.Option(help="Score no pair but those of --rerank.")] = False,
    settings: SetOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Measure a model under a benchmark's protocol.

    Example: `reeltune evaluate runs/toybox/vop-fp/seed0 --benchmark toybox --post dsl:0.01`
    """
    from reeltune.cli.bars import TrainingBar
    from reeltune.cli.output import show_figures, show_said
    from reeltune.data.splits.part import split_named
    from reeltune.evaluation.beside import Asked, require_scores_file
    from reeltune.evaluation.protocols import postprocessing_named
    from reeltune.evaluation.rerank import rerank_asked
    from reeltune.runs.evaluate import evaluate_checkpoint
    from reeltune.runs.evaluation_recipe import evaluation_recipe
    from reeltune.runs.place import RunPlace
    from reeltune.storage.outputs import require_file

    part = split_named(split)
    named = tuple(map(postprocessing_named, dict.fromkeys(post or [])))
    asked = Asked(scores, named, rerank=rerank_asked(rerank, by, alone))
    beside = [] if scores is None else require_scores_file(scores)
    for path in filter(None, (out, *beside)):
        require_file(path, force)
    recipe = evaluation_recipe(model, benchmark, changes_of(settings))
    with TrainingBar(hidden=as_json) as bar:
        place = RunPlace(out=Path("."), data=data, device=device, watcher=bar)
        report = evaluate_checkpoint(model, recipe, place, part, asked)
    if out is not None:
        report.write(out)
    if as_json:
        print_json({"said": report.protocol.differs, **report.figures()})
    else:
        show_said(report.protocol.differs)
        show_figures(report)
    exit_incomplete(report.protocol.incomplete)


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(help="A report, or the folder of a run.")],
    b: Annotated[Path, typer.Argument(help="Another one, of the same protocol.")],
    as_json: JsonOption = False,
) -> None:
    """Say whether B differs from A by more than noise; refuses numbers of unlike protocols.

    Example: `reeltune compare runs/toybox/vop/seed0 runs/toybox/vop-fp/seed0`
    """
    from reeltune.tasks.finding.reports import compare_files

    found = compare_files(a, b)
    if as_json:
        print_json(found.as_dict())
        return
    show(found.table())
    for sentence in found.lacks():
        say(sentence)


@app.command()
def tune(
    captions: Annotated[Path, typer.Argument(help="CSV or JSONL: path, caption, start, end.")],
    videos: Annotated[Path, typer.Option(help="Folder that the paths start from.")] = Path("."),
    model: Annotated[str, typer.Option(help="lite, tiny-clip, a CLIP folder or hub id.")] = "lite",
    out: Annotated[Path, typer.Option(help="Where the tuned model goes.")] = Path("tuned"),
    seed: Annotated[int, typer.Option(help="Of weights, order and captions.")] = 0,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Tune a model on your own captions, and say what it was worth on pairs it never saw.

    Example: `reeltune tune captions.csv --videos ~/Videos --model openai/clip-vit-base-patch32`
    """
    from reeltune.cli.bars import TrainingBar
    from reeltune.cli.output import show_tuning
    from reeltune.runs.place import RunPlace
    from reeltune.runs.tune import tune as run

    with TrainingBar(hidden=as_json) as bar:
        place = RunPlace(out=out, device=device, watcher=bar)
        tuning = run(captions, videos, model, place, seed)
    if as_json:
        print_json(tuning.as_dict())
    else:
        verdict = tuning.verdict()
        if tuning.wrong is not None:
            say(tuning.wrong.sentence())
        show_tuning(out, tuning.after, tuning.comparison, verdict, tuning.is_better)
    exit_incomplete(tuning.after.protocol.incomplete)
