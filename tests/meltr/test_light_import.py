"""MELTR is there where torch, pydantic and safetensors are all that is installed."""

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
NEEDED = ("torch", "pydantic", "safetensors")
PROGRAM = """
import sys
from importlib.machinery import PathFinder

class Light(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        blocked = name.partition(".")[0] in BLOCKED
        return None if blocked else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Light
import torch
from torch import nn

from reeltune.meltr import Melt, Recent
from reeltune.meltr.combiner import slopes
from reeltune.meltr.transformer import Config

model, batch = nn.Linear(3, 2), {"x": torch.ones(4, 3)}
losses = lambda model, some: {"first": model(some["x"]).square().mean()}
for outer, scheme in (([batch], "stocbio"), (Recent(), "aid-fp-lite")):
    Melt(model, losses, "first", outer, scheme=scheme)
    outer == [batch] or outer.see(batch)
torch.save(outer.state_dict(), FILE)
outer.load_state_dict(torch.load(FILE, weights_only=True))
assert outer.draw(batch)["x"].shape == (4, 3)
assert slopes(Config.tiny().build(), torch.ones(2)).isfinite().all()
assert not [name for name in sys.modules if name.partition(".")[0] in BLOCKED]
"""


def closure(names: tuple[str, ...]) -> set[str]:
    """Distributions, and those that they need."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        found.add(name)
        try:
            lines = distribution(name).requires or []
        except PackageNotFoundError:  # of another system
            continue
        needed = [Requirement(line) for line in lines]
        waiting += [
            one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})
        ]
    return found


def test_meltr_needs_no_other_package(tmp_path: Path) -> None:
    allowed = closure(NEEDED)
    assert "numpy" not in allowed
    assert "jaxtyping" not in allowed
    blocked = {
        module
        for module, owners in packages_distributions().items()
        if module != "reeltune" and not {canonicalize_name(owner) for owner in owners} & allowed
    } - set(sys.stdlib_module_names)
    assert {"transformers", "numpy", "jaxtyping", "lance", "av"} <= blocked
    head = f"BLOCKED = {blocked!r}\nFILE = {str(tmp_path / 'melt.pt')!r}\n"
    done = subprocess.run(
        [sys.executable, "-c", head + PROGRAM],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )
    assert done.returncode == 0, done.stderr
