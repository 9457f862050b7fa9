"""Makes an empty library, and settles with one that is there which model and frames it is of."""

import os

from reeltune.errors import ConfigError, LibraryError, in_shell
from reeltune.media.paths import each_of
from reeltune.media.sampling import Sampling
from reeltune.models.exported.card import exported_folder
from reeltune.models.opening.presets import AUTO, DEFAULT
from reeltune.registry import given
from reeltune.search.encoder import Encoder
from reeltune.search.shots import MomentSettings
from reeltune.search.store import table as _table
from reeltune.search.store.lock import sole_writer
from reeltune.search.store.manifest import FILE_NAME, Manifest
from reeltune.storage.outputs import require_folder
from reeltune.storage.place import Place, place


def create(
    folder: str | Place,
    model: str | None = None,
    sampling: str | None = None,
    device: str | None = None,
    width: int | None = None,
) -> Encoder:
    """Make an empty library, and return its model.

    `model` is `lite` unless one is named, `sampling` says which frames are read, as in `fps 1`, and
    `width` to how many numbers vectors are cut; all stay those of the library. Raises LibraryError
    if there is a library in the folder, and ConfigError if nothing can be written there, or the
    model makes no vectors or none of this width.
    """
    folder = place(*each_of(str(folder)))
    _require_none(folder)
    require_folder(folder)
    encoder = encoder_for(folder, model, sampling, device, width)
    _ = encoder.baseline  # tries the model before anything is written
    folder.mkdir(parents=True, exist_ok=True)
    with sole_writer(folder):
        _require_none(folder)
        settle(folder, encoder, model, sampling)
    return encoder


def manifest_of(folder: Place) -> Manifest | None:
    """The manifest of a library that is there; None where one is to be made."""
    is_there = (folder / FILE_NAME).exists() or _table.exists(folder)
    return Manifest.read(folder) if is_there else None


def encoder_for(
    folder: Place,
    model: str | None,
    sampling: str | None,
    device: str | None = None,
    width: int | None = None,
) -> Encoder:
    """The chosen model, or that of the library, by its name; `auto` keeps that of a library.

    Raises ConfigError for an empty name, as that of a variable without a value.
    """
    if model == "":
        raise ConfigError(
            "the model's name is empty; give one of `reeltune models`, or none at all"
        )
    stored = manifest_of(folder)
    Sampling.parse(sampling or str(Sampling()))
    if model in (None, AUTO) and stored is not None:
        if width is None:
            return Encoder.of_library(folder, stored, device)
        return Encoder.named(stored.model, device, width, stored)
    return Encoder.named(_placed(given(model or DEFAULT)), device, width, stored)


def _placed(name: str) -> str:
    """The name of a model as it is stored, see `placed_name`."""
    if (folder := exported_folder(name)) is not None:
        return os.path.abspath(folder)
    from reeltune.models.opening.open import placed_name  # late, as torch comes with it

    return placed_name(name)


def settle(folder: Place, encoder: Encoder, model: str | None, sampling: str | None) -> Manifest:
    """Settings of the library, which is made if there is none; the caller holds its lock.

    `model` and `sampling` are what the user chose. Raises LibraryError where the library
    contradicts that.
    """
    manifest = manifest_of(folder)
    if manifest is None:
        manifest = _wanted(encoder, sampling or str(Sampling()))
        manifest.write(folder)
    wanted = _wanted(encoder, sampling or manifest.sampling, manifest)
    for field in ("dim", "fingerprint", "precision", "indexed", "sampling", "segments"):
        have, want = getattr(manifest, field), getattr(wanted, field)
        if have != want:
            raise LibraryError(
                f"{folder} was made with {field} {have!r} (model {manifest.model}), not {want!r} "
                f"(model {encoder.name}); "
                f"{_otherwise(manifest, encoder, model, sampling, field)}"
                f"{_anew(folder, encoder, field)}"
            )
    if not _table.exists(folder):
        _table.create(folder, manifest)
    return manifest


def _wanted(encoder: Encoder, sampling: str, kept: Manifest | None = None) -> Manifest:
    """The settings of a new library; a model that has made the one that is kept is not opened."""
    if kept is not None and encoder.has_made(kept):
        chosen = {"sampling": str(Sampling.parse(sampling)), "segments": str(MomentSettings())}
        return kept.model_copy(update=chosen)
    model = encoder.arrays
    return Manifest(
        model=encoder.name,
        fingerprint=model.fingerprint,
        dim=model.dim,
        precision=encoder.precision[0],
        sampling=str(Sampling.parse(sampling)),
        segments=str(MomentSettings()),
        indexed=None if model.indexed == model.dim else model.indexed,
    )


def _otherwise(
    kept: Manifest, encoder: Encoder, model: str | None, sampling: str | None, field: str
) -> str:
    """The advice to leave an option out, if the library then agrees."""
    if field == "sampling":
        helps = sampling and str(Sampling.parse(kept.sampling)) == kept.sampling
        return "leave --sampling out, or " if helps else ""
    is_cut = encoder.name == kept.model and kept.dim in encoder.arrays.widths
    if field == "dim" and is_cut:
        return "leave --width out, or "
    helps = field != "segments" and model and encoder.name != kept.model
    return "leave --model out, or " if helps else ""


def _anew(folder: Place, encoder: Encoder, field: str) -> str:
    """The advice to make vectors anew: here where the model alone is another, else elsewhere."""
    model = f"{in_shell(encoder.name)}{encoder.arrays.option}"
    if field in ("sampling", "segments"):
        return f"index into a new folder: reeltune index VIDEOS --library NEW --model {model}"
    return f"read its videos again: reeltune library reindex {in_shell(folder)} --model {model}"


def _require_none(folder: Place) -> None:
    if manifest_of(folder) is not None:
        raise LibraryError(
            f"{folder} is a library already; open it with reeltune.Library, or make the new one in "
            "another folder"
        )
