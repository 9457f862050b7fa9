"""Word vectors from a folder as the released code reads it: feature.bin, id.txt, shape.txt."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from reeltune.errors import DataError, counted, in_short
from reeltune.models._dual_encoding._vocabulary import SPECIALS, Vocabulary
from reeltune.storage.regular_file import read_bytes


def embedding_from(
    folder: Path, vocabulary: Vocabulary, source: torch.Generator
) -> tuple[Float[Tensor, "V E"], int]:
    """An embedding whose words have the folder's vectors, and how many these are; the others, and
    special tokens, are uniform between -1 and 1, as released.

    `shape.txt` has rows and width in its first line, and no other line is read. `feature.bin` is
    float32 without a header and is mapped, not read: of three gigabytes only the rows of the
    vocabulary are touched.
    """
    names, stored = _mapped(folder)
    row_of = {name: row for row, name in enumerate(names)}
    shape = (SPECIALS + len(vocabulary), stored.shape[1])
    embedding = torch.rand(shape, generator=source) * 2 - 1
    known = [(place, row_of[word]) for place, word in enumerate(vocabulary.words) if word in row_of]
    if not known:
        raise DataError(
            f"{folder} has a vector for none of the {counted(len(vocabulary), 'word')}; "
            "give word vectors of the language of the captions by --set words.word2vec=FOLDER, or "
            "--set words.word2vec=none to start without"
        )
    places, rows = torch.tensor(known).T  # (2, K)
    embedding[SPECIALS + places] = torch.from_numpy(stored[rows.numpy()].astype(np.float32))
    return embedding, len(known)


def _mapped(folder: Path) -> tuple[list[str], Float[np.ndarray, "N E"]]:
    """Names and vectors, row by row; raises DataError where the three files disagree."""
    try:
        rows, width = map(int, read_bytes(folder / "shape.txt").decode().partition("\n")[0].split())
        names = read_bytes(folder / "id.txt").decode("iso-8859-1").split()
        size = (folder / "feature.bin").stat().st_size
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder} holds no word vectors ({in_short(error)}); "
            "it needs feature.bin, id.txt and shape.txt with rows and width"
        ) from error
    if not rows == len(names) == size / (4 * max(width, 1)):
        raise DataError(
            f"{folder}: shape.txt says {rows} x {width}, id.txt has {counted(len(names), 'word')} "
            f"and feature.bin {size} bytes, of which {4 * rows * width} were wanted; copy them "
            "again"
        )
    return names, np.memmap(folder / "feature.bin", "<f4", "r", shape=(rows, width))
