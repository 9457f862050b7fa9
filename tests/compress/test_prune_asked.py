"""Models that are asked become smaller too, and still answer."""

from pathlib import Path

import pytest
import torch

from reeltune.models.opening.open import open_model
from reeltune.registry import find, names
from reeltune.runs.place import RunPlace
from reeltune.runs.prune import prune_checkpoint
from reeltune.runs.pruned_files import Amounts


def is_asked(name: str) -> bool:
    return "task" in getattr(find("models", name).Config, "model_fields", {})


@pytest.mark.parametrize("name", [name for name in names("models") if is_asked(name)])
def test_a_model_that_is_asked_is_pruned_and_opens_again(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = find("models", name).Config.tiny().model_copy(update={"task": "multiple-choice"})
    config.build().save_pretrained(tmp_path / "whole")
    out = tmp_path / "small"
    found = prune_checkpoint(
        str(tmp_path / "whole"), Amounts(weights=0.3), RunPlace(out=out), repeats=1
    )
    assert found.census.zeros == pytest.approx(0.3 * found.census.prunable, abs=1)
    assert open_model(str(out), "cpu").judged_as == "multiple-choice"
