"""What every loss in objectives/contrastive promises, and how a model finds one by its name."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from reeltune.errors import ConfigError
from reeltune.models import vop
from reeltune.models._objective import objective_named
from reeltune.objectives.info_nce import info_nce
from reeltune.objectives.max_margin import max_margin
from reeltune.objectives.triplet import triplet
from reeltune.recipes.read import read_recipe
from reeltune.registry import names
from reeltune.runs.place import RunPlace
from reeltune.runs.train import run_recipe
from reeltune.training.log import read_log

KIND = "objectives.contrastive"
PAGE = Path(__file__).parents[2] / "docs" / "extend" / "loss.md"
SCALE = torch.tensor(20.0, dtype=torch.float64)
APART = torch.arange(6)
MEAN: dict[str, Any] = {"hardest": False, "reduction": "mean"}


def cosines(*shape: int) -> Tensor:
    return torch.rand(shape, dtype=torch.float64) * 2 - 1


@pytest.mark.parametrize("name", names(KIND))
def test_right_answers_on_top_cost_less(name: str) -> None:
    loss, right = objective_named(name, {}), torch.eye(6, dtype=torch.float64)
    wrong = right.roll(1, 0)
    assert 0 <= loss(right, SCALE, APART) < loss(wrong, SCALE, APART)
    assert loss(right, SCALE, APART).isfinite()


@pytest.mark.parametrize("name", names(KIND))
def test_rows_of_one_video_are_no_wrong_answers_for_each_other(name: str) -> None:
    loss, group = objective_named(name, {}), torch.tensor([0, 0, 1, 2, 3, 4])
    scores = cosines(6, 6)
    other = scores.clone()
    other[0, 1], other[1, 0] = 0.999, -0.999
    assert torch.equal(loss(scores, SCALE, group), loss(other, SCALE, group))
    assert not torch.equal(loss(scores, SCALE, APART), loss(other, SCALE, APART))


@pytest.mark.parametrize("name", names(KIND))
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    loss = objective_named(name, {})
    scores, scale = cosines(5, 5).requires_grad_(), SCALE.clone().requires_grad_()
    group = torch.tensor([0, 1, 2, 3, 0])
    assert torch.autograd.gradcheck(lambda x, s: loss(x, s, group), (scores, scale))


def test_each_name_is_its_loss_to_the_bit() -> None:
    scores, group = cosines(6, 6), torch.tensor([0, 1, 2, 0, 4, 5])
    given: dict[str, tuple[dict[str, object], Tensor]] = {
        "info-nce": ({}, info_nce(SCALE * scores, group)),
        "max-margin": ({"margin": 0.3}, max_margin(scores, group, 0.3)),
        "triplet": (
            {"hardest": False},
            triplet(scores, hardest=False, reduction="mean", group=group),
        ),
    }
    assert sorted(given) == names(KIND)
    for name, (options, wanted) in given.items():
        assert torch.equal(objective_named(name, options)(scores, SCALE, group), wanted)


def test_an_unknown_loss_and_an_unknown_option_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"no loss named 'triplets'; there are: info-nce, max-m"):
        read_recipe("toybox/vop", {"config.objective": "triplets"})
    with pytest.raises(ConfigError, match=r"no setting config\.objective_options\.margins.*margin"):
        objective_named("triplet", {"margins": 1.0})


def test_a_model_that_is_opened_imports_no_loss_that_its_file_names() -> None:
    config = vop.Config(base=None, objective="no_such_package.loss")
    assert config.objective == "no_such_package.loss"
    with pytest.raises(ConfigError, match=r"no loss named 'no_such_package\.loss' is installed"):
        _ = config.loss


def test_no_recipe_file_says_which_scheme_is_imported(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("{benchmark: toybox, method: vop, meltr: {scheme: a.b}}")
    with pytest.raises(ConfigError, match=r"named 'a\.b' is installed, and no file may say which"):
        read_recipe(str(path))


def test_the_loss_of_the_page_trains_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(r"```python title=.*?\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(code.splitlines()) < 60
    (tmp_path / "my_losses").mkdir()
    (tmp_path / "my_losses" / "sigmoid.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("REELTUNE_CACHE", str(tmp_path / "cache"))
    own = {"config.objective": "my_losses.sigmoid", "config.objective_options": {"bias": -5.0}}
    small = {"options.size": "tiny", "training.epochs": 1}
    run_recipe(read_recipe("toybox/vop", small | own), RunPlace(out=tmp_path / "run"))
    (first, *_) = [line for line in read_log(tmp_path / "run") if line["kind"] == "step"]
    loss = objective_named("my_losses.sigmoid", {"bias": -5.0})
    scores, group = cosines(4, 4), torch.tensor([0, 1, 2, 0])
    slow = sum(
        -torch.log(torch.sigmoid((1.0 if i == j else -1.0) * (SCALE * scores[i, j] - 5.0)))
        for i in range(4)
        for j in range(4)
        if i == j or group[i] != group[j]
    )
    assert float(loss(scores, SCALE, group)) == pytest.approx(float(slow) / 4)
    assert first["contrastive"] > 0
