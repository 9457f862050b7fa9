"""The programs of docs/melt.md run as printed; the settings of docs/meltr.md are all there are."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from test_melt import batch_of, compute_losses, net

from reeltune.meltr import Melt, transformer
from reeltune.meltr.melting import Melting
from reeltune.meltr.modes import MODES
from reeltune.registry import names

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("meltr.md", "melt.md", "weightings.md")
TEXT, OWN, OTHERS = ((DOCS / name).read_text(encoding="utf-8") for name in PAGES)


def test_what_the_page_on_ones_own_loop_shows_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Block after block, as one program."""
    monkeypatch.chdir(tmp_path)
    batches, model = [batch_of(number) for number in range(4)], net()

    def losses(model: Any, batch: Any) -> dict[str, Any]:
        found = compute_losses(model, batch)
        return {"retrieval": found["which"], "captions": found["noise"]}

    found: dict[str, Any] = {
        "torch": torch,
        "model": model,
        "compute_losses": losses,
        "loader": batches[:2],
        "val_loader": batches[2:],
        "batch": batches[0],
        "optimizer": torch.optim.SGD(model.parameters(), 0.1),
        "Melt": Melt,
        "held_out": batches[3],
        "losses_in_a_tensor": lambda *given: torch.stack(list(losses(*given).values())),
    }
    blocks = re.findall(r"```python\n(.*?)```", OWN, re.DOTALL)
    assert len(blocks[0].splitlines()) <= 10
    for block in blocks:
        exec(compile(block, "melt.md", "exec"), found)
    assert found["melt"].facts["slope retrieval"] > 0
    for mode in MODES:
        assert re.search(rf"^\| .*`{mode}`", OWN, re.MULTILINE)


def test_the_section_on_the_page_has_every_setting_at_its_default() -> None:
    (section,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    melting = yaml.safe_load(section)["meltr"]
    sizes = transformer.Config(tasks=("one",)).model_dump(exclude={"kind", "tasks"})
    assert melting["sizes"] == sizes
    assert Melting(**melting) == Melting(sizes=sizes)
    assert melting.keys() == Melting.model_fields.keys()
    own = Melting().step.model_dump(exclude={"precision"})
    assert melting["step"] == own, "precision is that of training"


def test_every_scheme_and_every_table_is_on_the_page() -> None:
    for scheme in names("meltr.schemes"):
        assert f"| `{scheme.replace('_', '-')}`" in TEXT
    for family in (name for name in names("papers") if name.startswith("meltr-")):
        assert f"reeltune table {family} " in TEXT + OTHERS
