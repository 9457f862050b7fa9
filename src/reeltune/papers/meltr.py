"""Tables 1-6 and 12 of MELTR: each system and task, without and with it.

The rows are the recipes that come as three, such as `violet`, `violet-primary` and `violet-meltr`,
and a fourth, MELTR without its regulariser, where there is one.
Those on Toybox and its questions are trained; those on the paper's benchmarks are listed with its
figures, which stand with the recipes, because their data cannot be made here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from reeltune.errors import ConfigError
from reeltune.evaluation.tables import FINE
from reeltune.papers.table.contract import Beside, Found, Said, Section, Table
from reeltune.papers.table.entry import Entry
from reeltune.papers.table.markdown import Column, Grid, grid, less, mean_of, seeds
from reeltune.papers.table.plan import Plan
from reeltune.papers.table.row import Row
from reeltune.recipes.read import is_packaged, read_recipe, recipe_names
from reeltune.runs.paper import figures_of

MINUS = "MELTR-"  # without the regulariser, as Table 1 calls it
HOW = {"primary alone": "-primary", "sum": "", MINUS: "-meltr-minus", "MELTR": "-meltr"}
TOYBOX = "toybox"
CAPTION = "-caption"  # in the name of a method that writes


@dataclass(frozen=True)
class Task:
    """What is asked of a clip, on Toybox and on the benchmarks of the paper."""

    title: str
    toybox: str
    papers: Sequence[str]  # benchmarks
    figures: Sequence[str]
    writes: bool = False  # whether it is captioning

    @property
    def place(self) -> str:
        """What stands before a method's name: nothing on Toybox itself, whose runs are shared with
        the other tables of MELTR."""
        return "" if self.toybox == TOYBOX else f"{self.toybox}/"

    def trios(self, benchmark: str) -> list[str]:
        """Methods on a benchmark that come with the primary loss alone and melted."""
        there, needed = set(recipe_names()), [end for how, end in HOW.items() if how != MINUS]
        methods = [
            name.partition("/")[2] for name in recipe_names() if name.startswith(f"{benchmark}/")
        ]
        return [
            method
            for method in methods
            if (CAPTION in method) == self.writes
            and all(f"{benchmark}/{method}{end}" in there for end in needed)
        ]


ASKED = "accuracy"
TASKS = (
    Task(
        "Retrieval (Tables 1 and 2)",
        TOYBOX,
        ("youcook2", "msrvtt-7k", "msrvtt-9k"),
        ("t2v R@1", "SumR"),
    ),
    Task(
        "Captioning (Tables 4 and 5)",
        TOYBOX,
        ("youcook2", "msrvtt-full"),
        ("CIDEr-D", "BLEU-4"),
        writes=True,
    ),
    Task("Repeated action (Table 3)", "toybox-action", ("tgif-action",), (ASKED,)),
    Task("Transition (Table 3)", "toybox-transition", ("tgif-transition",), (ASKED,)),
    Task("What it is (Tables 3 and 12)", "toybox-what", ("tgif-frame", "msvd-qa"), (ASKED,)),
    Task("Sentiment (Table 6)", "toybox-mood", ("cmu-mosi",), ("BA", "F1", "MAE", "Corr")),
    Task(
        "Action recognition (Table 12)",
        "toybox-motion",
        ("kinetics-400",),
        ("top-1", "top-5"),
    ),
    Task("Pictures (Table 12)", "toybox-things", ("cifar-100",), ("top-1", "top-5")),
)


def _sections(plan: Plan) -> list[Section]:
    if plan.benchmark != TOYBOX:
        raise ConfigError(
            f"table meltr is measured on Toybox and its questions, not on {plan.benchmark}; leave "
            f"out --dataset, or train a recipe of {plan.benchmark} by itself"
        )
    return [_section(task) for task in TASKS]


def _section(task: Task) -> Section:
    return Section(
        name=task.title,
        entries=[entry for method in task.trios(task.toybox) for entry in _trio(task, method)],
        compared=task.figures,
        page=partial(_page, task),
    )


def _trio(task: Task, method: str) -> Iterator[Entry]:
    """Rows of a method, most of which are compared with those before them."""
    primary, summed = f"{method}, primary alone", f"{method}, sum"
    against: dict[str, Mapping[str, str]] = {
        "sum": {"primary alone": primary},
        MINUS: {"primary alone": primary, "sum": summed},
        "MELTR": {"primary alone": primary, "sum": summed},
    }
    for how, end in HOW.items():
        if is_packaged(f"{task.toybox}/{method}{end}"):
            yield Entry(
                name=f"{method}, {how}",
                method=f"{task.place}{method}{end}",
                paper={},
                against=against.get(how, {}),
            )


def _page(task: Task, found: Found) -> list[Grid | str]:
    """Ours on Toybox, then the recipes on the paper's benchmarks with its figures."""
    rule, name = found.rule, Column("row", lambda row: row.name)
    labels = ("primary alone", "sum")
    differences = [less(label, one, rule) for one in task.figures for label in labels]
    return [
        f"## {task.title}",
        f"Ours, on {task.toybox}.",
        Grid([name, *[mean_of(one, rule) for one in task.figures], _seeds(task)], found.rows),
        "Differences.",
        Grid([name, *differences], found.rows),
        f"The papers', on data that you have to bring ({', '.join(task.papers)}).",
        _of_papers(task),
    ]


def _seeds(task: Task) -> Column:
    def cell(row: Row) -> str:
        return seeds(row, task.figures[0])

    return Column("seeds", cell)


def _of_papers(task: Task) -> str:
    """A line for each method on each of the paper's benchmarks."""
    lines = [
        [f"{benchmark}/{method}", *[_papers(f"{benchmark}/{method}{how}") for how in HOW.values()]]
        for benchmark in task.papers
        for method in task.trios(benchmark)
    ]
    return grid(["recipe", "without MELTR", "sum", MINUS, "MELTR"], lines)


def _papers(name: str) -> str:
    """All figures that stand with a recipe, as text; a dash where there are none."""
    if not is_packaged(name):
        return "-"
    recipe = read_recipe(name)
    found = figures_of(recipe.expected, recipe.expected_v2t)
    return ", ".join(f"{one} {_shown(one, value)}" for one, value in found.items()) or "-"


def _shown(name: str, value: float) -> str:
    return f"{value:.3f}" if name in FINE else f"{value:g}"


def _beside(found: Sequence[Found], sweep: bool, said: Said) -> Beside:
    return Beside(
        page=(
            "Where papers' figures stand without MELTR, a system was trained as its own paper "
            "trained it. For UniVL-Align and for Violet's retrieval that is the primary loss "
            "alone; for the others it is not said, or not by the same settings, so those figures "
            "are no counterpart of our rows of the primary loss.",
            "The figures of MELTR's Table 3 are not available. Accuracies of Violet without MELTR "
            "are those of Violet's own paper, and those of All-in-one are of its release; whether "
            "Table 3 has the latter is not known. A dash is a figure that no paper gives.",
        )
    )


TABLE = Table(
    said="intervals (95 %) by bootstrap over test videos and seeds, differences on the same "
    "draws: those that contain 0 are noise.",
    sections=_sections,
    beside=_beside,
    under="tables",
    stem="systems",
    folder="meltr",
)
