"""The program in docs/meltr.md runs as printed, and its settings are all there are."""

import re
from pathlib import Path

import pytest
import yaml

from reeltune.meltr import transformer
from reeltune.meltr.melting import Melting
from reeltune.registry import names

TEXT = (Path(__file__).parents[2] / "docs" / "meltr.md").read_text(encoding="utf-8")


def test_the_program_on_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    found: dict[str, object] = {}
    exec(compile(program, "meltr.md", "exec"), found)
    said = capsys.readouterr().out
    slopes = {name: float(value) for name, value in re.findall(r"'slope (\w+)': (-?[\d.]+)", said)}
    assert slopes.keys() == {"which", "noise", "size"}
    assert slopes["which"] > max(slopes["noise"], slopes["size"]), "what is judged counts most"


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
        assert f"reeltune table {family} " in TEXT
