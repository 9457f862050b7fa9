"""The lock files hold what pyproject.toml asks for, by version and hash, and nothing of a place."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = SETTINGS["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
FILES = ("dev.txt", "bench.txt")


def pins(name: str) -> dict[str, list[tuple[Version, str]]]:
    """Versions of each package in a lock file, with the marker under which each is installed."""
    found: dict[str, list[tuple[Version, str]]] = {}
    for line in (ROOT / "locks" / name).read_text().splitlines():
        if line[:1].isalnum():
            one = Requirement(line.removesuffix("\\"))
            (exact,) = one.specifier
            assert exact.operator == "=="
            marker = str(one.marker or "")
            found.setdefault(canonicalize_name(one.name), []).append(
                (Version(exact.version), marker)
            )
    return found


def asked(lines: list[str]) -> list[Requirement]:
    """Requirements, with those that an extra of ours takes from other extras of ours."""
    found: list[Requirement] = []
    for one in map(Requirement, lines):
        if one.name == PROJECT["name"]:
            for extra in one.extras:
                found += asked(EXTRAS[extra])
        else:
            found.append(one)
    return found


def torch_pin() -> Requirement:
    text = (ROOT / "scripts" / "torch_build.py").read_text()
    (found,) = re.findall(r'^TORCH = "(.+?)"', text, re.MULTILINE)
    return Requirement(found)


def wanted(name: str) -> list[Requirement]:
    lines = {
        "dev.txt": [*PROJECT["dependencies"], *EXTRAS["dev"], *EXTRAS["demo"]],
        "bench.txt": EXTRAS["bench"],
    }[name]
    return [one for one in asked(lines) if one.name != "torch"]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("name", FILES)
def test_the_lock_holds_what_pyproject_allows(name: str, system: str, python: str) -> None:
    locked = pins(name)
    place = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": system,
    }
    for one in wanted(name):
        versions = [
            version
            for version, marker in locked.get(canonicalize_name(one.name), [])
            if not marker or Marker(marker).evaluate(place)
        ]
        assert len(versions) == 1, f"{one} has the pins {versions}; run make upgrade"
        assert one.specifier.contains(versions[0]), f"{one} is locked at {versions[0]}"


def test_what_builds_reeltune_is_locked() -> None:
    for one in map(Requirement, SETTINGS["build-system"]["requires"]):
        ((version, _),) = pins("dev.txt")[canonicalize_name(one.name)]
        assert one.specifier.contains(version)


def test_torch_is_pinned_beside_the_lock_in_the_allowed_range() -> None:
    (allowed,) = [one for one in asked(PROJECT["dependencies"]) if one.name == "torch"]
    (exact,) = torch_pin().specifier
    assert exact.operator == "=="
    assert allowed.specifier.contains(exact.version)
    for name in FILES:
        for package in pins(name):
            assert not re.match(r"(torch|triton|nvidia-.*|cuda-.*)$", package), package


@pytest.mark.parametrize("name", FILES)
def test_every_pin_has_a_hash_and_no_line_names_a_place(name: str) -> None:
    text = (ROOT / "locks" / name).read_text()
    assert not re.search(r"://|index-url|find-links|file:|(^|\s)/\w", text)
    for pin in re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", pin), pin
