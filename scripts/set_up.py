"""Make a virtual environment from nothing: locked packages, one build of torch, Reeltune itself.

`.venv` gets what locks/dev.txt names, by version and hash. That comes before torch, so that what
torch itself leans on is checked by hash as well; torch has no hash, since one version is a CPU
build in one place and a CUDA build in another. Nothing is built but Reeltune, by the locked
setuptools. `.venv-newest` gets the newest versions that pyproject.toml allows instead, each time.

An environment carries a mark that says what it was made from. The mark is whole only at the end,
so an environment that was not finished, or was made from something else, is made anew. One without
a mark is somebody's own and is left alone.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch_build import TORCH, choose_torch

ROOT = Path(__file__).resolve().parents[1]
LOCK = Path("locks") / "dev.txt"
EXTRAS = ("dev", "demo")  # what the lock holds beside the dependencies
MARK = ".made-from.json"
PYTHONS = ((3, 11), (3, 13))  # the lock holds for these and those between
PIP = ("-m", "pip", "--disable-pip-version-check")
INSTALL = (*PIP, "install", "--quiet", "--no-compile")  # Python compiles what is used
SHOW_TORCH = (
    "import torch; cuda, hip = torch.version.cuda, torch.version.hip; "
    "kind = f'for CUDA {cuda}' if cuda else f'for ROCm {hip}' if hip else 'for CPUs'; "
    "print('set-up: torch', torch.__version__, kind, 'is installed')"
)


class SetUpError(Exception):
    """One sentence: what was got, what was wanted, what to do."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--newest", action="store_true", help="newest versions, in .venv-newest")
    newest = parser.parse_args().newest
    try:
        with alone(ROOT):
            set_up_newest(ROOT) if newest else set_up_locked(ROOT)
    except SetUpError as error:
        sys.exit(f"set-up: {error}")
    except KeyboardInterrupt:
        sys.exit("set-up: stopped; the next one begins anew")


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Wait until no other set-up works in `root`, not even a pip that outlived a killed one."""
    folder = os.open(root, os.O_RDONLY)
    os.set_inheritable(folder, True)  # what runs for the set-up holds the folder as well
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("set-up: another one is at work here; waiting for its end", flush=True)
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def set_up_locked(root: Path) -> None:
    """Make `.venv`, if it is not there or not made from what now lies in `root`."""
    place, wanted = root / ".venv", source(root)
    if is_made_from(wanted, read_mark(place)):
        return
    begin(place)
    lock = root / LOCK
    exact = ("--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", str(lock))
    step(place, f"{len(names_in(lock))} packages, each by version and hash", *INSTALL, *exact)
    says, torch = choose_torch(TORCH, os.environ.get("TORCH"))
    step(place, says, *INSTALL, *torch)
    run(python_of(place), "-c", SHOW_TORCH)
    itself = ("--no-deps", "--no-build-isolation", "--editable", str(root))
    step(place, "Reeltune itself, as it lies here", *INSTALL, *itself)
    step(place, "a check that all of it fits together", *PIP, "check")
    write_mark(place, wanted)


def set_up_newest(root: Path) -> None:
    """Make `.venv-newest`, always, since what is newest changes by the day."""
    place = root / ".venv-newest"
    begin(place)
    says, torch = choose_torch("torch", os.environ.get("TORCH"))
    step(place, says, *INSTALL, *torch)
    itself = ("--editable", f"{root}[{','.join(EXTRAS)}]")
    step(place, "the newest packages that pyproject.toml allows", *INSTALL, *itself)
    run(python_of(place), "-c", SHOW_TORCH)


def source(root: Path) -> dict[str, str]:
    """What an environment is made from; TORCH and PYTHON are what the user may choose."""
    settings = (root / "pyproject.toml").read_text().split("\n[tool.")[0]  # the rest is of tools
    parts = {"pyproject.toml": settings, "lock": (root / LOCK).read_text(), "torch": TORCH}
    return {
        "place": str(root),
        **{name: hashlib.sha256(text.encode()).hexdigest() for name, text in parts.items()},
        "TORCH": os.environ.get("TORCH") or TORCH,
        "PYTHON": sys.version,
    }


def is_made_from(wanted: dict[str, str], found: dict[str, str] | None) -> bool:
    """Whether the mark says so; a choice counts where the user names it now."""
    choices = {name for name in ("TORCH", "PYTHON") if not os.environ.get(name)}
    return all((found or {}).get(name) == wanted[name] for name in wanted.keys() - choices)


def read_mark(place: Path) -> dict[str, str] | None:
    """What the environment was made from: {} where it is unfinished, None where it is not ours."""
    file = place / MARK
    if not file.is_file():
        return None
    try:
        return dict(json.loads(file.read_text()))
    except ValueError:  # a killed set-up wrote half of it
        return {}


def write_mark(place: Path, made_from: dict[str, str]) -> None:
    (place / MARK).write_text(json.dumps(made_from, indent=1) + "\n")


def begin(place: Path) -> None:
    """An empty environment, marked as unfinished before anything else is in it."""
    require_python()
    if place.is_symlink() or (place.exists() and read_mark(place) is None):
        raise SetUpError(
            f"{place} is there and was not made by a set-up of this kind, which begins from "
            "nothing; move it away or remove it"
        )
    if place.exists():
        print(f"set-up: {place.name} is unfinished or made from something else", flush=True)
        shutil.rmtree(place)
    place.mkdir()
    write_mark(place, {})
    say(f"{place.name}, an empty environment of Python {sys.version.split()[0]}")
    run(sys.executable, "-m", "venv", str(place))


def require_python() -> None:
    lowest, highest = (".".join(map(str, version)) for version in PYTHONS)
    if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        raise SetUpError(
            f"this is Python {sys.version.split()[0]}, and the locked packages are for {lowest} to "
            f"{highest}; name one of those, as in: make setup PYTHON=python{highest}"
        )


def names_in(lock: Path) -> list[str]:
    """Names of the packages in a lock file, each once."""
    lines = lock.read_text().splitlines()
    return sorted({line.split("==")[0] for line in lines if line[:1].isalnum()})


def step(place: Path, says: str, *arguments: str) -> None:
    """One call of the environment's Python, announced."""
    say(says)
    run(python_of(place), *arguments)


def python_of(place: Path) -> str:
    return str(place / "bin" / "python")


def say(what: str) -> None:
    print(f"set-up: {what}", flush=True)


def run(*command: str) -> None:
    """Run what inherits the hold on the folder, and is not trusted if it fails."""
    done = subprocess.run(command, close_fds=False, check=False)
    if done.returncode:
        raise SetUpError(
            f"that step failed with code {done.returncode}, for the reason above; "
            "mend it and run it again, which begins anew"
        )


if __name__ == "__main__":
    main()
