"""What MELTR learned: closed forms on written logs, and the command on a run that was trained."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from reeltune.cli.app import app
from reeltune.errors import ConfigError, DataError
from reeltune.meltr import Melt, linear, transformer
from reeltune.meltr.combiner import load, save, valued
from reeltune.papers.slopes.evaluated import evaluated
from reeltune.papers.slopes.pages import write_pages
from reeltune.papers.slopes.read import (
    BEYOND,
    Epoch,
    Melted,
    Range,
    Slopes,
    epochs_of,
    melted,
    responses,
    weighted_sum,
)
from reeltune.papers.slopes.surface import surface, two_of
from reeltune.recipes.read import read_recipe
from reeltune.runs.learning import MELTR
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe
from reeltune.training.log import LOG, read_log

TASKS = ("match", "words")


def losses(count: int = 40) -> np.ndarray:
    source = np.random.default_rng(0)
    return source.uniform(0.5, 4.0, (count, len(TASKS)))


def weighted(match: float, words: float) -> linear.LinearCombiner:
    combiner = linear.Config(tasks=TASKS).build().double()
    with torch.no_grad():
        combiner.weight.copy_(torch.tensor([match, words]))
    return combiner


def transformed(**settings: Any) -> transformer.MeltrTransformer:
    torch.manual_seed(0)
    config = transformer.Config.tiny(TASKS).model_copy(update=settings)
    return config.build().double().eval()


def test_a_linear_combiner_is_the_weighted_sum() -> None:
    found = weighted_sum(weighted(2.0, -0.5), losses())
    assert found.weights == pytest.approx({"match": 2.0, "words": -0.5})
    assert found.constant == pytest.approx(0, abs=1e-9)
    assert found.explained == pytest.approx(1)


def test_of_a_residual_meltr_that_learned_nothing_all_weights_are_one() -> None:
    combiner = transformed(residual=True)
    torch.nn.init.zeros_(combiner.fc1.weight)
    found = weighted_sum(combiner, losses())
    assert found.weights == pytest.approx({"match": 1.0, "words": 1.0})
    assert found.explained == 1, "nothing varies, so nothing is left to explain"
    assert found.learned == pytest.approx([0.0] * 40)


@pytest.mark.parametrize("residual", [False, True])
def test_the_share_explained_is_that_of_a_regression(residual: bool) -> None:
    combiner, seen = transformed(residual=residual), losses()
    found = weighted_sum(combiner, seen)
    learned = np.array([combiner(torch.tensor(row)).item() for row in seen])
    learned -= seen.sum(1) * residual
    correlation = np.corrcoef(learned, found.fitted)[0, 1]
    assert found.explained == pytest.approx(correlation**2)
    assert 0.1 < found.explained < 0.999
    rest = learned - found.fitted
    assert np.abs(rest @ seen).max() < 1e-9, "what is left is orthogonal to every loss"
    wholly = seen @ list(found.weights.values()) + found.constant
    assert wholly == pytest.approx(np.array(found.fitted) + seen.sum(1) * residual)


def test_responses_vary_one_loss_and_keep_the_others_at_their_last_mean() -> None:
    combiner, seen = transformed(), losses()
    last = seen[-10:]
    found = responses(combiner, seen, last)
    one = found["words"]
    assert one.loss[0] == 0
    assert one.loss[-1] == pytest.approx(BEYOND * seen[:, 1].max())
    for place in (0, 37, 100):
        point = torch.tensor([last[:, 0].mean(), one.loss[place]])
        assert one.melted[place] == pytest.approx(combiner(point).item())
    middle = np.diff(one.melted) / np.diff(one.loss)
    around = (np.array(one.slope[1:]) + np.array(one.slope[:-1])) / 2
    np.testing.assert_allclose(middle, around, atol=0.02, rtol=0.2)
    assert one.seen == tuple(np.quantile(last[:, 1], [0.1, 0.9]))


def test_slopes_of_a_linear_combiner_are_its_weights() -> None:
    values, slopes = evaluated(weighted(2.0, -0.5), losses(3))
    np.testing.assert_allclose(slopes, [[2.0, -0.5]] * 3)
    np.testing.assert_allclose(values, losses(3) @ [2.0, -0.5])


def written_log(folder: Path, kinds: str, **facts: float) -> Path:
    """A log of steps (s) and epochs (e); step n has the loss n."""
    lines, step, epoch = [], 0, 0
    for kind in kinds:
        if kind == "s":
            step += 1
            lines.append({"kind": "step", "step": step, "match": float(step), **facts})
        else:
            lines.append({"kind": "epoch", "step": step, "epoch": epoch})
            epoch += 1
    folder.mkdir(exist_ok=True)
    (folder / LOG).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_steps_belong_to_the_epoch_that_is_validated_after_them(tmp_path: Path) -> None:
    found = epochs_of(written_log(tmp_path, "sseses"))
    assert [[step["step"] for step in part] for part in found] == [[1, 2], [3], [4]]
    assert [len(part) for part in epochs_of(written_log(tmp_path, "sse"))] == [2]


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no steps in log\.jsonl; give the folder of a run"):
        melted(tmp_path)


def test_a_run_that_melts_nothing_is_named(tmp_path: Path) -> None:
    written_log(tmp_path, "se")
    with pytest.raises(DataError, match=r"log\.jsonl has no slopes.*univl-meltr"):
        melted(tmp_path)


def with_primary_slopes(*means: float) -> Melted:
    def epoch(number: int, mean: float) -> Epoch:
        slopes = {
            "match": Slopes(mean=mean, low=mean, high=mean, negative=float(mean < 0)),
            "words": Slopes(mean=0.5, low=0.5, high=0.5, negative=0.0),
        }
        return Epoch(epoch=number, steps=2, losses={}, ranges={}, slopes=slopes)

    return Melted(
        run="run",
        tasks=TASKS,
        primary="match",
        residual=False,
        epochs=[epoch(number, mean) for number, mean in enumerate(means)],
        response={},
        weighted_sum=None,
        surface=None,
        left_out={},
    )


def test_a_negative_weight_of_the_primary_loss_is_said_plainly() -> None:
    (first, *_) = with_primary_slopes(0.1, -0.3, -0.2).sentences()
    assert "slope of match, the primary loss, was negative in 2 of 3 epochs" in first
    assert "(-0.3 in epoch 1)" in first
    assert "meltr.sizes.residual=true" in first
    (first, second) = with_primary_slopes(0.1, 0.2).sentences()
    assert "was positive in every epoch" in first
    assert second.startswith("In the last epoch words was trained most strongly (0.5) and match")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dual Encoding on a tiny Toybox with a transformer and with a linear combiner."""
    out = tmp_path_factory.mktemp("runs")
    changes = {"training.batch": 4, "training.epochs": 4, "options.size": "tiny"}
    for name, kind in (("own", "transformer"), ("linear", "linear")):
        changes |= {"meltr.step.every": 2, "meltr.step.lr": 0.01, "meltr.kind": kind}
        run_recipe(read_recipe("toybox/dual-encoding-meltr", changes), RunPlace(out=out / name))
    return out


def test_a_run_is_read_from_its_log_and_its_weights(runs: Path) -> None:
    found = melted(runs / "own")
    steps = [line for line in read_log(runs / "own") if line["kind"] == "step"]
    assert found.primary == "triplet_latent"
    assert found.residual
    assert sum(one.steps for one in found.epochs) == len(steps)
    last = steps[-found.epochs[-1].steps :]
    for task in found.tasks:
        slopes = found.epochs[-1].slopes[task]
        assert slopes.mean == pytest.approx(np.mean([step[f"slope {task}"] for step in last]))
        assert slopes.low <= slopes.mean <= slopes.high
    combiner = load(runs / "own" / MELTR).eval().double()
    point = torch.tensor([found.epochs[-1].losses[task] for task in found.tasks])
    one = found.response[found.primary]
    point[found.tasks.index(found.primary)] = one.loss[50]
    assert one.melted[50] == pytest.approx(combiner(point.double()).item(), rel=1e-5)


def test_too_few_steps_prove_no_weighted_sum(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "own", tmp_path / "short")
    lines = (runs / "own" / LOG).read_text().splitlines(keepends=True)
    (tmp_path / "short" / LOG).write_text("".join(lines[:3]))
    found = melted(tmp_path / "short")
    assert found.weighted_sum is None
    assert found.sentences()[2:] == [
        "There is no weighted-sum.png: it takes 15 steps to tell, and the run has 3."
    ]
    names = [page.name for page in write_pages(found, tmp_path / "pages")]
    assert names == ["losses.json", "slopes.png", "ranges.png", "response.png", "surface.png"]


def test_rows_are_evaluated_together_as_each_alone() -> None:
    combiner, rows = transformed(), losses()[:7]
    values, slopes = evaluated(combiner, rows)
    alone = [valued(combiner, row) for row in torch.from_numpy(rows)]
    np.testing.assert_allclose(values, [value for value, _ in alone], rtol=1e-12)
    np.testing.assert_allclose(slopes, np.stack([own for _, own in alone]), rtol=1e-9)


def test_a_surface_is_that_of_the_combiner_with_the_other_losses_at_their_last_mean() -> None:
    combiner, seen = transformed(), losses()
    found = surface(combiner, seen, seen[-10:], ("words", "match"))
    assert (found.x[-1], found.y[-1]) == (seen[:, 1].max(), seen[:, 0].max())
    point = torch.tensor([found.y[7], found.x[3]]).double()
    assert found.melted[7][3] == pytest.approx(combiner(point).item())
    assert found.summed[7][3] == pytest.approx(point.sum().item())


def test_a_surface_is_over_two_losses_of_the_run() -> None:
    assert two_of(("a", "b", "c"), "a", ("a", "c", "b"), ()) == ("a", "c")
    assert two_of(("a", "b", "c"), "a", ("a", "c", "b"), ("c", "b")) == ("c", "b")
    for asked in (("a",), ("a", "a"), ("a", "d"), ("a", "b", "c")):
        with pytest.raises(ConfigError, match=r"^--over was given a.*; give it twice, with two of"):
            two_of(("a", "b", "c"), "a", ("a", "c", "b"), asked)


def test_a_log_of_a_loop_of_ones_own_says_the_primary_loss(tmp_path: Path) -> None:
    """There is no model beside it."""
    facts = {"words": 2.0, "slope match": 1.0, "slope words": 0.5}
    written_log(tmp_path, "s" * 12, **facts)
    save(transformed().float(), tmp_path / MELTR)
    with pytest.raises(DataError, match=r"does not say which loss is the primary one, .*melt\.log"):
        melted(tmp_path)
    with (tmp_path / LOG).open("a") as file:
        file.write('{"kind": "epoch", "step": 12, "epoch": 0, "primary": "match"}\n')
    found = melted(tmp_path, ("words", "match"))
    assert (found.primary, found.left_out) == ("match", {})
    (epoch,) = found.epochs
    low, high = (float(one) for one in np.quantile(range(1, 13), [0.1, 0.9]))
    assert epoch.ranges["match"] == Range(least=1.0, low=low, high=high, most=12.0)
    assert found.surface is not None
    assert (found.surface.across, found.surface.up) == ("words", "match")


def test_the_command_writes_plots_and_json(runs: Path) -> None:
    command = ["losses", str(runs / "own"), "--beside", str(runs / "linear")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "triplet_latent (primary)" in done.output
    assert "a weighted sum of the losses explains" in done.output
    stored = json.loads((runs / "own" / "losses" / "losses.json").read_text())
    assert stored["tasks"] == list(stored["response"])
    assert stored["beside"]["weighted_sum"]["explained"] == pytest.approx(1)
    slopes = stored["beside"]["epochs"][-1]["slopes"]["triplet_latent"]
    weight = stored["beside"]["weighted_sum"]["weights"]["triplet_latent"]
    assert slopes["mean"] == pytest.approx(weight, abs=0.2)
    for name in ("slopes", "ranges", "response", "weighted-sum", "surface"):
        assert (runs / "own" / "losses" / f"{name}.png").stat().st_size > 10_000
    quiet = CliRunner().invoke(app, ["losses", str(runs / "own"), "--json"])
    assert json.loads(quiet.output)["epochs"] == stored["epochs"]
    assert "beside" not in json.loads(quiet.output)


def test_of_a_run_without_meltrs_file_the_plots_of_what_was_learned_are_left_out(
    runs: Path, tmp_path: Path
) -> None:
    """A run by another weighting logs slopes as well, and keeps no MELTR."""
    shutil.copytree(runs / "own", tmp_path / "run")
    (tmp_path / "run" / MELTR).unlink()
    done = CliRunner().invoke(app, ["losses", str(tmp_path / "run"), "--out", str(tmp_path / "o")])
    assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "o").glob("*.png")} == {"slopes.png", "ranges.png"}
    assert "There is no surface.png: it shows what MELTR learned, and the folder has" in done.stdout


class Mine(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([1.0, -1.0, 0.5]))


def distances(model: Mine, batch: torch.Tensor) -> dict[str, torch.Tensor]:
    return {
        "near": (model.weight - batch).square().sum(),
        "small": model.weight.square().sum(),
    }


def test_a_loop_of_ones_own_is_shown_by_its_log(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, held_out = Mine(), [torch.ones(3)]
    sizes = {"width": 16, "scale_width": 8, "feedforward": 16, "heads": 2}
    config = transformer.Config(tasks=("near", "small"), residual=True, **sizes)
    melt = Melt(model, distances, "near", held_out, combiner=config.build(), every=1, lr=0.01)
    melt.log(tmp_path)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    for _ in range(2):
        for batch in torch.randn(6, 3) + 1:
            melt.step(batch)
            optimizer.step()
            optimizer.zero_grad()
        melt.log(tmp_path)
    done = CliRunner().invoke(app, ["losses", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "near (primary)" in done.stdout
    plots = {path.stem for path in (tmp_path / "losses").glob("*.png")}
    assert plots == {"slopes", "ranges", "response", "weighted-sum", "surface"}
    found = melted(tmp_path)
    assert [(one.epoch, one.steps) for one in found.epochs] == [(0, 6), (1, 6)]
    assert found.epochs[1].losses["near"] < found.epochs[0].losses["near"]
    Melt(model, distances, "near", held_out).log(tmp_path)  # another process that goes on
    assert [line["step"] for line in read_log(tmp_path) if line["kind"] == "step"][-1] == 12
    assert load(tmp_path / MELTR).state_dict().keys() == melt.combiner.state_dict().keys()
