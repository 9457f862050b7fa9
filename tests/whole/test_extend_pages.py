"""The examples of docs/extend, written to a package outside and used as a reader would."""

import json
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
from own_clips import write_own
from typer.testing import CliRunner, Result

from reeltune import registry
from reeltune.cli.app import app
from reeltune.data.splits.part import PARTS
from reeltune.errors import DataError
from reeltune.papers.table.make import jobs_of
from reeltune.papers.table.plan import Plan
from reeltune.registry import find, given
from reeltune.training.log import read_log

PAGES = Path(__file__).parents[2] / "docs" / "extend"
CODE = re.compile(r'```python title="my_lab/(\w+)\.py"\n(.*?)```', re.DOTALL)


@pytest.fixture(autouse=True)
def my_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All examples in one package that Python finds."""
    package = tmp_path / "my_lab"
    package.mkdir()
    for page in PAGES.glob("*.md"):
        for name, code in CODE.findall(page.read_text(encoding="utf-8")):
            assert len(code.splitlines()) < 60, page
            (package / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_lab"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_own(tmp_path_factory.mktemp("own"), {"train": 8, "val": 3, "test": 4})


def run(*given: object, **settings: object) -> Result:
    switches = [f"--set={name.replace('__', '.')}={value}" for name, value in settings.items()]
    done = CliRunner().invoke(app, [*map(str, given), *switches])
    assert done.exit_code == 0, done.output
    return done


SMALL = {
    "training__epochs": 1,
    "training__batch": 4,
    "frames": 4,
    "config__base": "tiny-clip",
}


def test_a_model_is_trained_for_its_own_task(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    named = {"component": "my_lab.guesser", "training__judged_by": "accuracy"}
    run("train", "folder/vop", "--data", own, "--out", out, **SMALL, **named)
    card = json.loads((out / "metrics.json").read_text())["protocol"]
    assert card["task"] == "first-word"
    assert "accuracy" in read_log(out)[-1]
    monkeypatch.setattr(registry, "_GIVEN", set())  # as in a process that comes later
    again = ["describe", str(out / "recipe.yaml")]
    refused = CliRunner().invoke(app, again)
    assert "no file may say which module is imported" in refused.stderr
    install(tmp_path)
    registry._entry_points.cache_clear()
    run(*again)


def install(path: Path) -> None:
    """The package as pip leaves it, with the entry point of the page."""
    page = (PAGES / "index.md").read_text(encoding="utf-8")
    declared = tomllib.loads(re.findall(r'```toml title="pyproject.toml"\n(.*?)```', page, re.S)[0])
    (group, points), *_ = declared["project"]["entry-points"].items()
    info = path / "my_lab-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my_lab\nVersion: 1\n")
    lines = [f"{name} = {value}\n" for name, value in points.items()]
    (info / "entry_points.txt").write_text("".join([f"[{group}]\n", *lines]))


def test_a_dataset_is_read_by_a_recipe(own: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "videos").mkdir(parents=True)
    table = (own / "captions.csv").read_text().replace("path,", "video,", 1)
    (data / "pairs.csv").write_text(table)
    for path in own.glob("*.mp4"):
        shutil.copy(path, data / "videos")
    out = tmp_path / "run"
    run("train", "folder/vop", "--data", data, "--out", out, **SMALL, dataset="my_lab.pairs")
    card = json.loads((out / "metrics.json").read_text())["protocol"]
    assert card["dataset"] == "my_lab.pairs"
    assert card["gallery"] == 4


def test_a_dataset_reads_its_own_tiny_items(tmp_path: Path) -> None:
    module = find("data", given("my_lab.pairs"))
    config = module.Config.tiny(tmp_path)
    assert "├── " in module.HOW
    assert [config.read(part).pairs[0].caption for part in PARTS] == [
        f"a clip of {p}" for p in PARTS
    ]
    (tmp_path / "pairs.csv").write_text("video,caption,split\n")
    with pytest.raises(DataError, match=r"pairs\.csv has no row of val; add some"):
        config.read("val")


def test_a_scheme_teaches_meltr(tmp_path: Path) -> None:
    sizes = {"config__hidden": 8, "config__filters": 4, "config__latent": 16}
    sizes |= {"config__embedding": 8, "config__concepts": 8, "features__every": 1}
    small = {"options__size": "tiny", "training__epochs": 2, "training__batch": 4}
    named = {
        "meltr__scheme": "my_lab.damped",
        "meltr__options__rate": 0.01,
        "meltr__step__every": 1,
    }
    out = tmp_path / "run"
    run("train", "toybox/dual-encoding-meltr", "--out", out, **small, **sizes, **named)
    assert any(line.get("meta gradient", 0) > 0 for line in read_log(out))


def test_a_weighting_weighs_the_losses_of_a_model(tmp_path: Path) -> None:
    small = {"options__size": "tiny", "training__epochs": 1, "training__batch": 8}
    small |= {"config__width": 16, "config__heads": 2, "config__words": 16}
    named = {"training__combine": "my_lab.inverse", "training__combine_options__smooth": 0.5}
    out = tmp_path / "run"
    run("train", "toybox/univl", "--out", out, **small, **named)
    first = read_log(out)[0]
    assert first["slope decoder"] == pytest.approx(1 / first["decoder"], rel=1e-4)


def test_a_table_plans_its_runs(tmp_path: Path) -> None:
    plan = Plan(family="my_lab.rates", benchmark="toybox", out=tmp_path / "table", seeds=2)
    assert len(jobs_of(plan)) == 6


def test_every_kind_of_component_has_a_page() -> None:
    index = (PAGES / "index.md").read_text(encoding="utf-8")
    pages = {page.name for page in PAGES.glob("*.md")} - {"index.md"}
    assert set(re.findall(r"\]\((\w+\.md)\)", index)) == pages
