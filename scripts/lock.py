"""Renew the lock files: exact versions with hashes for Python 3.11 to 3.13 on every system.

locks/dev.txt is what `make setup` installs, locks/bench.txt what `make bench` adds to it. torch is
pinned in torch_build.py and left out here, with the CUDA packages that only some of its builds
need. uv solves it, by a version of its own in build/uv; it reads no settings of pip.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from set_up import EXTRAS, LOCK, ROOT, names_in, require_python
from torch_build import TORCH

UV = "uv==0.13.9"
BENCH = LOCK.with_name("bench.txt")
OF_CUDA = re.compile(r"^(torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)==", re.MULTILINE)


def main() -> None:
    require_python()
    place = ROOT / "build" / "uv"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    pip = [str(place / "bin" / "pip"), "--disable-pip-version-check", "install", "--quiet", UV]
    subprocess.run(pip, check=True)
    uv = str(place / "bin" / "uv")
    lock(uv, LOCK, *(f"--extra={name}" for name in EXTRAS))
    there = (f"--no-emit-package={name}" for name in names_in(ROOT / LOCK))
    lock(uv, BENCH, "--extra=bench", f"--constraint={LOCK}", *there)


def lock(uv: str, file: Path, *options: str) -> None:
    """Write `file`: what pyproject.toml asks for, what builds Reeltune, and what torch leans on."""
    command = [
        *(uv, "pip", "compile", "pyproject.toml", "-", *options),
        *("--universal", "--python-version=3.11", "--no-emit-index-url", "--upgrade", "--quiet"),
    ]
    beside = "\n".join([TORCH, *build_requirements()])
    found = solve([*command, "--no-header"], beside)
    left_out = sorted({f"--no-emit-package={name}" for name in OF_CUDA.findall(found)})
    said = ["--generate-hashes", "--custom-compile-command=make upgrade"]
    text = solve([*command, *said, *left_out], beside)
    text = text.split("# The following packages were excluded")[0].rstrip()
    (ROOT / file).write_text(text + "\n")


def solve(command: list[str], beside: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, input=beside, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def build_requirements() -> list[str]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["build-system"]["requires"]


if __name__ == "__main__":
    main()
