"""A checkout of a few small files, whose packages come from a folder and not from a network."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "small"
version = "1"
"""
BACKEND = '''
"""Build nothing, say that it began, and take as long as a file `wait` is there."""
import shutil, time
from pathlib import Path

def build_editable(folder, config_settings=None, metadata_directory=None):
    Path("began").touch()
    while Path("wait").exists():
        time.sleep(0.05)
    shutil.copy("wheels/small-1-py3-none-any.whl", folder)
    return "small-1-py3-none-any.whl"
'''
TORCH = """
__version__ = "9+cpu"
class version:
    cuda = hip = None
"""


def write_wheel(folder: Path, name: str, version: str, code: str = "") -> str:
    """A wheel of one module; its hash."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    facts = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", code)
        wheel.writestr(
            f"{facts}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        wheel.writestr(
            f"{facts}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{facts}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_checkout(folder: Path) -> Path:
    """Sources of a set-up that takes a second or two beside the empty environment."""
    (folder / "scripts").mkdir()
    for name in ("set_up.py", "torch_build.py"):
        shutil.copy(SCRIPTS / name, folder / "scripts")
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "backend.py").write_text(BACKEND)
    write_wheel(folder / "wheels", "small", "1")
    write_wheel(folder / "wheels", "torch", "9", TORCH)
    found = write_wheel(folder / "wheels", "part", "2")
    (folder / "locks").mkdir()
    (folder / "locks" / "dev.txt").write_text(f"part==2 \\\n    --hash=sha256:{found}\n")
    return folder


def start_set_up(checkout: Path) -> "subprocess.Popen[str]":
    """The set-up of a checkout, with what it says in one pipe."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON"))}
    here = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "wheels", "PIP_CONFIG_FILE": os.devnull}
    return subprocess.Popen(
        [sys.executable, "scripts/set_up.py"],
        cwd=checkout,
        env={**kept, **here, "TORCH": "torch==9"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def start_and_hold(checkout: Path) -> "subprocess.Popen[str]":
    """The same, once a pip of it is at work, which goes on until `wait` is removed."""
    (checkout / "wait").touch()
    started = start_set_up(checkout)
    while not (checkout / "began").exists():
        assert started.poll() is None
        time.sleep(0.02)
    return started
