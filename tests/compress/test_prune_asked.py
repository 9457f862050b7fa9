"""Models that are asked become smaller too, and still answer."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from reeltune.compress.pack import Values
from reeltune.models.opening.open import open_model
from reeltune.registry import find, names
from reeltune.runs.place import RunPlace
from reeltune.runs.prune import prune_checkpoint
from reeltune.runs.pruned_files import Amounts, write_pruned


def is_asked(name: str) -> bool:
    return "task" in getattr(find("models", name).Config, "model_fields", {})


@pytest.mark.parametrize("values", ["float32", "int8"])
@pytest.mark.parametrize("name", [name for name in names("models") if is_asked(name)])
def test_a_model_that_is_asked_is_pruned_and_opens_again(
    name: str, values: Values, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    config = find("models", name).Config.tiny()
    task = config.task or "multiple-choice"
    config.model_copy(update={"task": task}).build().save_pretrained(tmp_path / "whole")
    out = tmp_path / "small"
    found = prune_checkpoint(
        str(tmp_path / "whole"), Amounts(weights=0.3, values=values), RunPlace(out=out), repeats=1
    )
    assert found.census.zeros == pytest.approx(0.3 * found.census.prunable, abs=1)
    assert open_model(str(out), "cpu").judged_as == task


class Twins(nn.Module):
    """Two biases of equal values, the name of one of which ends like the name of the other."""

    def __init__(self) -> None:
        super().__init__()
        self.outer = nn.ModuleDict({"inner": nn.Linear(2, 2)})
        self.inner = nn.Linear(2, 2)
        for layer in (self.outer["inner"], self.inner):
            nn.init.zeros_(layer.bias)

    def save_pretrained(self, folder: Path) -> None:
        tensors = {name: weight.clone() for name, weight in self.state_dict().items()}
        save_file(tensors, folder / "model.safetensors")


def test_a_stored_bias_is_not_taken_for_another_of_equal_values(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Twins()
    census = write_pruned(model, Amounts(weights=0.0), tmp_path)
    assert census.parameters == 12, "each of the four tensors counts"
