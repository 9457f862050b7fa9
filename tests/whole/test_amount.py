"""How much a recipe trains, beside what its source does."""

import re
from pathlib import Path

import pytest

from reeltune.batches.loader import Order
from reeltune.recipes.read import read_recipe, recipe_names
from reeltune.runs.amount import amount_of
from reeltune.runs.describe import describe
from reeltune.training.settings import Settings
from reeltune.types import Pair

DOCS = Path(__file__).parents[2] / "docs" / "training.md"
ROW = re.compile(r"^\| `([\w-]+/[\w-]+)` \| ([\d,]+) \| ([\d,]+) \| ([\d,]*) \|", re.M)
# pairs of an epoch, batch, epochs, and whether a last batch that is not full is trained
SOURCES = {
    "msrvtt-9k/vop": (180_000, 32, 5, False),  # CLIP4Clip, X-Pool, DGL: 20 captions unfolded
    "msrvtt-7k/vop": (140_200, 32, 5, False),
    "lsmdc/vop": (101_079, 32, 5, False),
    "didemo/vop": (8_395, 32, 5, False),
    "activitynet/vop": (10_009, 32, 5, False),
    "msrvtt-official/dual-encoding": (130_260, 128, 50, True),  # hybrid_space
    "msrvtt-yu/dual-encoding": (140_200, 128, 50, True),
    "msrvtt-miech/dual-encoding": (133_120, 128, 50, True),
    "vatex/dual-encoding": (259_910, 128, 50, True),
    "msvd/dual-encoding-latent": (48_774, 128, 50, True),
}


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_the_table_of_the_docs_is_what_recipes_do_and_sources_did() -> None:
    rows = ROW.findall(DOCS.read_text())
    assert {row[0] for row in rows} >= SOURCES.keys()
    for name, pairs, steps, of_source in rows:
        told = describe(name)
        assert (told["pairs"], told["steps"]) == (number(pairs), number(steps)), name
        if name in SOURCES:
            each, batch, epochs, whole = SOURCES[name]
            batches = -(-each // batch) if whole else each // batch
            assert number(of_source) == batches * epochs, name


@pytest.mark.parametrize(("name", "steps"), [("msrvtt-9k", 28_125), ("activitynet", 1_560)])
def test_with_nothing_held_out_the_steps_are_those_of_the_source(name: str, steps: int) -> None:
    assert describe(f"{name}/vop", {"options.hold_out": 0})["steps"] == steps


UNFOLDED = [
    name
    for name in recipe_names()
    if name.startswith(("msrvtt-9k/", "msrvtt-7k/", "lsmdc/"))
    and "all-in-one" not in name  # whose 200 epochs see one caption of each video
]


@pytest.mark.parametrize("name", UNFOLDED)
def test_every_caption_is_trained_on_where_the_source_does(name: str) -> None:
    assert read_recipe(name).training.every_caption


def test_an_epoch_is_counted_as_it_is_gone_through() -> None:
    pairs = [
        Pair(video=f"v{n}", path=Path(f"v{n}.mp4"), caption=f"{k}")
        for n in range(10)
        for k in range(n % 3 + 1)
    ]
    for every in (False, True):
        settings = Settings(batch=3, epochs=4, accumulate=2, every_caption=every)
        order = Order(pairs, 3, 0, every)
        much = amount_of(order, settings)
        batches = [len(order.epoch(epoch)) for epoch in range(4)]
        assert much.steps == sum(count // 2 for count in batches)
        assert much.pairs == (len(pairs) if every else 10)
    assert much.said(settings) == "19 pairs of 10 videos an epoch, 12 steps of 6 in 4 epochs"
    assert "at most 12 steps" in much.said(Settings(batch=3, epochs=4, patience=2))
