"""The hooks before a commit are the checks of `make check`, and fetch nothing."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_the_hooks_are_the_checks_of_make() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    found = re.search(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert found
    checks = [line.strip().replace("$(BIN)", ".venv/bin") for line in found[1].splitlines()]
    settings = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (local,) = settings["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"] for hook in local["hooks"]] == checks
    for hook in local["hooks"]:
        assert (hook["language"], hook["pass_filenames"]) == ("system", False)
