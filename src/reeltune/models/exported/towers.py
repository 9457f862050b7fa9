"""A dual encoder whose towers are ONNX files; arrays go in and out, and no torch is there."""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64, UInt8
from tokenizers import Tokenizer

from reeltune.errors import CheckpointError, ConfigError, DataError, in_short
from reeltune.models.exported.card import CARD, FRAMES, TEXT, WORDS, read_export
from reeltune.models.exported.session import Session
from reeltune.models.text_towers.clip import CLEANING
from reeltune.storage.known_files import sha256_of
from reeltune.storage.regular_file import read_bytes

if TYPE_CHECKING:
    from reeltune.types import DualEncoder

TEXTS_AT_ONCE = 64
LONGEST = 1 << 27  # bytes of a tokenizer


class Read(NamedTuple):
    """Texts as the text tower is given them."""

    ids: Int64[np.ndarray, "B L"]
    mask: Int64[np.ndarray, "B L"]  # 1 at real tokens
    known: Bool[np.ndarray, " B"]  # whether a text has a word that the model knows
    cut: Bool[np.ndarray, " B"]  # whether it is longer than the model reads


class Exported:
    """The model in a folder that `reeltune export` wrote."""

    widths: tuple[int, ...] = ()  # of vectors that may be cut: none
    option = ""

    def __init__(self, folder: Path, name: str | None = None) -> None:
        """Raises CheckpointError for a folder that is not as `export` wrote it."""
        self.folder, self.name = folder, name or str(folder)
        self.card = read_export(folder)
        self.dim = self.indexed = self.card.dim
        self.pixels = self.card.pixels
        self._text, self._frames = Session(folder / TEXT), Session(folder / FRAMES)

    @cached_property
    def fingerprint(self) -> str:
        """32 hexadecimal digits that change with any file by which vectors are made."""
        try:
            files = {name: sha256_of(self.folder / name) for name in (CARD, TEXT, FRAMES, WORDS)}
        except OSError as error:
            raise CheckpointError(
                f"{self.folder} is no whole export ({in_short(error)}); export the model again: "
                "reeltune export MODEL --to onnx --out NEW"
            ) from error
        return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def model(self) -> "DualEncoder":
        """The model as torch asks it."""
        from reeltune.models.exported.by_torch import ExportedByTorch

        return ExportedByTorch(self)

    def texts(self, texts: Sequence[str]) -> Float32[np.ndarray, "N D"]:
        """Unit vectors of texts."""
        made = [np.empty((0, self.dim), np.float32)]
        for at in range(0, len(texts), TEXTS_AT_ONCE):
            read = self.read(texts[at : at + TEXTS_AT_ONCE])
            made.append(self.text_vectors(read.ids, read.mask))
        return np.concatenate(made)

    def read(self, texts: Sequence[str]) -> Read:
        """Tokens of texts, padded to the longest."""
        clean = [CLEANING[self.card.cleaning](text) for text in texts]
        read = self._tokenizer.encode_batch(clean)
        mask = np.array([one.attention_mask for one in read], np.int64)
        ids = np.array([one.ids for one in read], np.int64)
        special = np.array([one.special_tokens_mask for one in read], bool)
        unknown = self._tokenizer.token_to_id(getattr(self._tokenizer.model, "unk_token", "") or "")
        return Read(
            ids=ids,
            mask=mask,
            known=((mask == 1) & ~special & (ids != unknown)).any(axis=1),
            cut=np.array([bool(one.overflowing) for one in read]),
        )

    def text_vectors(
        self, ids: Int64[np.ndarray, "B L"], mask: Int64[np.ndarray, "B L"]
    ) -> Float32[np.ndarray, "B D"]:
        """Unit vectors of a few texts, by their tokens."""
        return self._fitting(self._text.run(ids=ids, mask=mask), len(ids), TEXT)

    def rows(self, frames: UInt8[np.ndarray, "B 3 S S"]) -> list[Float32[np.ndarray, " D"]]:
        """What `clips` wants of each frame."""
        return list(self.frame_vectors(frames))

    def frame_vectors(self, frames: UInt8[np.ndarray, "B 3 S S"]) -> Float32[np.ndarray, "B D"]:
        """The rows of frames, as one array; raises DataError for frames of another size."""
        side, most = self.pixels.size, self.card.frames_at_once
        if frames.dtype != np.uint8 or frames.shape[1:] != (3, side, side):
            raise DataError(
                f"frames are {frames.dtype} {frames.shape}, and {self.name} reads uint8 "
                f"(B, 3, {side}, {side}); decode them with the model's own `pixels`"
            )
        made = [np.empty((0, self.dim), np.float32)]
        for at in range(0, len(frames), most):
            some = frames[at : at + most]
            made.append(self._fitting(self._frames.run(frames=some), len(some), FRAMES))
        return np.concatenate(made)

    def clips(
        self, clips: Sequence[Sequence[Float32[np.ndarray, " D"]]]
    ) -> Float32[np.ndarray, "N D"]:
        """Vectors of clips, each of the rows of its frames."""
        made = [self._pooled(np.asarray(rows).mean(axis=0)) for rows in clips]
        return np.array(made, np.float32).reshape(len(made), self.dim)

    def try_a_picture(self) -> None:
        """Encode a picture, so that a model that cannot says so."""
        side = self.pixels.size
        self.clips([self.rows(np.zeros((1, 3, side, side), np.uint8))])

    def _pooled(self, mean: Float[np.ndarray, " D"]) -> Float32[np.ndarray, " D"]:
        done, at = [], 0
        for part in self.card.parts:
            some = mean[at : at + part.width]
            if part.length is not None:
                some = some * (part.length / max(float(np.linalg.norm(some)), 1e-12))
            done.append(some)
            at += part.width
        return np.concatenate(done).astype(np.float32)

    def _fitting(
        self, made: Float[np.ndarray, "B D"], count: int, file: str
    ) -> Float32[np.ndarray, "B D"]:
        """Vectors, unless they are none."""
        if made.shape != (count, self.dim) or not np.isfinite(made).all():
            raise CheckpointError(
                f"{self.folder / file} makes {made.shape} of {count}, and wanted are as many "
                f"vectors of {self.dim} finite numbers; export the model again: "
                "reeltune export MODEL --to onnx --out NEW"
            )
        return made.astype(np.float32, copy=False)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        path = self.folder / WORDS
        try:
            return Tokenizer.from_str(read_bytes(path, LONGEST).decode())
        except Exception as error:  # tokenizers has no class of its own for what it cannot read
            raise CheckpointError(
                f"{path} is no tokenizer ({in_short(error)}); export the model again: "
                "reeltune export MODEL --to onnx --out NEW"
            ) from error


def open_exported(
    folder: Path, name: str, device: str | None, dtype: str | None = None
) -> Exported:
    """The model in a folder; raises ConfigError for what onnxruntime cannot do here, and
    CheckpointError for a folder that is not as `export` wrote it."""
    if device not in (None, "cpu") or dtype not in (None, "float32"):
        raise ConfigError(
            f"{name} is an exported model, which runs on the processor in its own precision, got "
            f"device {device!r} and dtype {dtype!r}; leave them out, or give the model that it was "
            "made of"
        )
    return Exported(folder, name)
