"""Runs one recipe from its data to its report: trains, chooses by validation, tests once."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from reeltune.evaluation.report import AnyReport
from reeltune.ranks.ranks import Ranks
from reeltune.recipes.recipe import Recipe
from reeltune.recipes.stored import as_stored
from reeltune.runs.finished import METRICS, finished_run, model_card, stands_on, write_run
from reeltune.runs.learning import learn
from reeltune.runs.paper import figures_of, paper_beside
from reeltune.runs.place import RunPlace
from reeltune.runs.ready import left_out_of
from reeltune.runs.setup import Setup, open_data, open_setup
from reeltune.storage.outputs import naming, require_folder
from reeltune.storage.sole_run import sole_run
from reeltune.tasks.finding.judge import judge
from reeltune.training import distributed
from reeltune.training.checkpoint import remove_state
from reeltune.training.loop import Outcome


@dataclass
class TrainedRun:
    """What a run left in its folder."""

    folder: Path
    report: AnyReport  # on test
    outcome: Outcome | None = None  # none where nothing was trained
    leads: bool = True  # whether this process is the first of several
    said: tuple[str, ...] = ()  # what is not as the benchmark has it, and what the model was given
    expected: dict[str, float] = field(default_factory=dict)  # of the paper, of these very data


def run_recipe(recipe: Recipe, place: RunPlace) -> TrainedRun:
    """Train what the recipe tunes, keep the weights that validate best, and test them once.

    A run that was stopped goes on where it stopped; one that is finished is not run again.
    """
    if not (place.out / METRICS).is_file():  # for a finished run may lie where nothing is written
        require_folder(place.out)
    with naming(place.out), distributed.joined() as ranks:
        return _run(recipe, place, ranks)


def _run(recipe: Recipe, place: RunPlace, ranks: Ranks) -> TrainedRun:
    with distributed.one_by_one():
        recipe, dataset = open_data(recipe, place)
    test = dataset.read("test")
    settings = as_stored(recipe)
    outcome, report = None, finished_run(settings, place.out, test)
    if report is not None:
        if ranks.leads:
            remove_state(place.out)  # of a run that was stopped between its last two files
        said = report.protocol.differs
    else:
        with open_setup(recipe, dataset, test, place) as setup, _writing(place.out, ranks):
            outcome, report = _train_and_test(setup, place)
            said = setup.said
            if ranks.leads:
                below = stands_on(recipe.config, recipe.init, recipe.init_pin)
                card = model_card(recipe.name, setup.named.seed, below, report, said)
                setup.inputs.model.save_pretrained(place.out)
                write_run(place.out, settings, card, report)
                remove_state(place.out)
            ranks.wait()  # or another process would end while this one writes
    expected, papers = paper_beside(figures_of(recipe.expected), recipe.test_hash, report)
    return TrainedRun(place.out, report, outcome, ranks.leads, (*said, *papers), expected)


def _writing(out: Path, ranks: Ranks) -> AbstractContextManager[None]:
    return sole_run(out) if ranks.leads else nullcontext()


def _train_and_test(setup: Setup, place: RunPlace) -> tuple[Outcome | None, AnyReport]:
    inputs, learning = setup.inputs, setup.learning
    outcome, left_out = None, {}
    if learning is not None:
        outcome = learn(learning, place)
        left_out = left_out_of(inputs.model, learning.splits, learning.settings, outcome)
    test = inputs.taken(setup.test, place)
    report = judge(inputs.model, inputs.clips, test, setup.named, inputs.texts)
    return outcome, report.also_without(left_out)
