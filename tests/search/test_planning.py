"""What a plan says: every number from a formula and constants that name their sources."""

import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.errors import ConfigError
from reeltune.search.planning import CONSTANTS, ROWS, Inputs, merged, plan, row, slowest_of

ROOT = Path(__file__).parents[2]
Scored = list[tuple[float, str]]


@given(st.lists(st.lists(st.integers(0, 6), max_size=8), min_size=1, max_size=6), st.integers(1, 9))
def test_the_best_of_the_best_of_shards_are_the_best_of_all(
    scores: list[list[int]], k: int
) -> None:
    """With ties within shards and between them."""
    shards: list[Scored] = [
        sorted(
            ((float(s), f"{at}-{i}") for i, s in enumerate(some)), key=lambda one: (-one[0], one[1])
        )
        for at, some in enumerate(scores)
    ]
    every = sorted((one for some in shards for one in some), key=lambda one: (-one[0], one[1]))
    assert merged(shards, k) == every[:k]
    assert merged([some[:k] for some in shards], k) == every[:k]


@pytest.mark.parametrize("shards", [1, 10, 1000])
@pytest.mark.parametrize("quantile", [0.5, 0.99])
def test_the_slowest_shard_is_as_slow_as_in_a_simulation(shards: int, quantile: float) -> None:
    source = np.random.default_rng(0)
    deviation = np.log(1.6) / 2.3263
    times = 20 * np.exp(deviation * source.standard_normal((4000, shards)))
    wanted = float(np.quantile(times.max(axis=1), quantile))
    assert slowest_of(shards, 20.0, 1.6, quantile) == pytest.approx(wanted, rel=0.05)


def test_work_is_that_of_the_formulas_by_hand() -> None:
    """A million hours, as in the first line of docs/plan.md."""
    asked = row(900e6, Inputs(hours=1e6, gpu="h100"))
    assert asked.hours == 1e6
    assert asked.core_hours == pytest.approx(1e6 / 24)
    assert asked.gpu_hours == pytest.approx(1.8e9 * 8.82e9 / (989e12 * 0.3) / 3600)
    assert asked.storage_gb == pytest.approx(900e6 * (4 * 512 + 10_500) / 1e9)
    assert asked.shards == 900
    assert asked.build_core_hours == pytest.approx(2 * 37.8 * 900 / 3600)
    assert asked.index_gb == pytest.approx(900e6 * (192 + 22) / 1e9)
    alone = row(900e6, Inputs(hours=1e6))
    assert alone.gpu_hours == 0
    assert alone.core_hours == pytest.approx(1e6 / 24 + 1.8e9 / 12.3 / 3600)


def test_more_moments_never_cost_less() -> None:
    rows = [row(moments, Inputs()) for moments in ROWS]
    for less, more in pairwise(rows):
        for name in ("core_hours", "days", "storage_gb", "index_gb", "p50_ms", "p99_ms", "cost"):
            assert getattr(less, name) <= getattr(more, name), name


def test_the_work_of_a_frame_is_that_of_the_sizes_of_clip() -> None:
    width, layers, places = 768, 12, 50
    blocks = layers * (places * 12 * width**2 + 2 * places**2 * width)
    patches = 49 * 3 * 32**2 * width
    assert CONSTANTS["clip_work"].value == pytest.approx(2 * (blocks + patches), rel=2e-3)


def test_every_constant_says_where_it_comes_from() -> None:
    for name, one in CONSTANTS.items():
        assert one.unit, name
        if one.kind == "measured":
            script = one.source.split()[0].rstrip(",;")
            assert (ROOT / script).is_file(), name
            assert "of commit " in one.source, name
        else:
            assert "NVIDIA, data sheet" in one.source or "2103.00020" in one.source, name


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"hours": 0}, r"^--hours is 0; give a number above 0$"),
        ({"shard": -1}, r"^--shard is -1; give a number above 0$"),
        ({"hours": 1e300}, r"^--hours is 1e\+300; give a number above 0, from 1e-15 to 1e\+15$"),
        (
            {"gpu": "l4", "model": "lite"},
            r"^--model is 'lite', and a plan has --gpu l4 run clip; l",
        ),
        ({"gpu": "tpu"}, r"^--gpu is 'tpu', and known are h100, a100 and l4; give one$"),
        ({"model": "x"}, r"^--model is 'x', and known are lite and clip; give one$"),
        ({"gpu_share": 2.0}, r"^--gpu-share is 2.0; give a part of 1, such as 0.3$"),
        ({"gpus": 4}, r"^--gpus is 4, and no GPU is planned with; give --gpu h100, a100 or l4 as"),
    ],
)
def test_what_no_plan_can_be_made_of_is_refused(inputs: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(Inputs(**inputs))  # type: ignore[arg-type]


@pytest.mark.parametrize("told", [{}, {"gpu": "h100"}, {"model": "clip"}])
def test_every_constant_of_a_formula_is_shown_with_the_model_that_is_read(
    told: dict[str, str],
) -> None:
    found = plan(Inputs(**told))  # type: ignore[arg-type]
    words = {word for formula in found["formulas"].values() for word in re.findall(r"\w+", formula)}
    assert words & CONSTANTS.keys() <= found["constants"].keys() | {"clip_work"}
    assert found["inputs"]["model"] == ("clip" if told else "lite")


def test_the_largest_and_the_smallest_plan_can_be_made() -> None:
    for number in (1e-15, 1e15):
        found = plan(Inputs(hours=number, moments_per_hour=number, shard=1))
        assert 0 < found["asked"]["p50_ms"] <= found["asked"]["p99_ms"]


def test_the_command_shows_table_formulas_sources_and_assumptions() -> None:
    done = CliRunner().invoke(app, ["plan", "--hours", "1e6", "--gpu", "h100"])
    assert done.exit_code == 0, done.output
    for said in ("900,000,000", "hours x moments_per_hour", "NVIDIA", "--gpu-price 2.5"):
        assert said in done.stdout
    done = CliRunner().invoke(app, ["plan", "--cpu", "--json"])
    found = json.loads(done.stdout)
    assert [one["moments"] for one in found["table"]] == list(ROWS)
    assert {"asked", "formulas", "constants", "inputs"} < found.keys()
    done = CliRunner().invoke(app, ["plan", "--cpu", "--gpu", "l4"])
    assert done.exit_code == 1
    assert "--cpu and --gpu l4 are both given; give one of them" in done.stderr


def test_planning_imports_nothing_heavy() -> None:
    code = (
        "import sys; from reeltune.cli.app import app\n"
        "try: app(['plan', '--json'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'transformers', 'lance'} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == "[]"
