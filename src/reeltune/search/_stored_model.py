"""Opens the model that a library names, which whoever made the library chose."""

from pathlib import Path

from reeltune.errors import CheckpointError
from reeltune.models.opening.open import open_encoder
from reeltune.search.store.manifest import FILE_NAME, Manifest
from reeltune.types import DualEncoder


def open_stored(folder: Path, manifest: Manifest, device: str | None) -> DualEncoder:
    """The model; raises CheckpointError, with the file that names it, if it cannot be opened."""
    try:
        return open_encoder(manifest.model, device=device)
    except CheckpointError as error:
        raise CheckpointError(f"{folder / FILE_NAME}: {error}") from error
