"""Every program of examples/ runs as it stands and says something sensible; the docs name it."""

import re
import runpy
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted((ROOT / "examples").glob("*.py"))
SAID = {  # what is to be found in the output of each
    "a_new_loss": r"sigmoid: R@1 [\d.]+, .*\nt2v R@1: [\d.]+ to ",
    "evaluate_your_scores": r"shared words: R@1 19.2, R@5 65.0, MdR 3.0; .*\nt2v R@1: 7.5 to 19.2",
    "keep_a_library": r"11 clips are indexed, 100% is done\n(.|\n)+\n11 files, 11 moments, 0 f",
    "meltr_in_your_own_loop": r"steps from 80: contrastive loss [\d.]+; weights contrastive [\d.]+",
    "meltr_in_hugging_face_trainer": r"together: loss 0\.\d+, weight [\d.]+\nwords: loss [\d.]+, w",
    "meltr_in_lightning": r"group: loss 0\.\d+, weight [\d.]+\nsmall: loss [\d.]+, weight ",
    "meltr_resnet32": r"summed: top-1 [5-9]\d\.\d\nmelted: top-1 [5-9]\d\.\d",
    "search_videos": r"12 clips are indexed, 0 could not be read\n\na red square\?\n +0\.\d+ ",
    "tune_on_a_csv": r"trained on 35 videos\n(no gain can be claimed|better): R@1 ",
}
SHOWN_IN = {"keep_a_library": "python.md"}  # pages of their own


@pytest.mark.filterwarnings("default:::lightning")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_an_example_runs(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if "lightning" in program.stem and find_spec("lightning") is None:
        pytest.skip("lightning, which brings eleven packages, is not installed for the tests")
    runpy.run_path(str(program), run_name="__main__")
    assert re.search(SAID[program.stem], capsys.readouterr().out)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_an_example_is_short_and_documented(program: Path) -> None:
    assert len(program.read_text(encoding="utf-8").splitlines()) <= 80
    listed, page = (
        (ROOT / "docs" / name).read_text(encoding="utf-8")
        for name in ("examples.md", SHOWN_IN.get(program.stem, "examples.md"))
    )
    assert f"| `examples/{program.name}` |" in listed
    assert f'--8<-- "examples/{program.name}"' in page, "as the extension of Markdown wants it"
