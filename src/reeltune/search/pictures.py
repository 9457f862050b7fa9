"""Pictures of moments in the size in which they are shown, out of the videos themselves."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from reeltune.errors import MediaError
from reeltune.media.decoder import Decoder
from reeltune.media.sampling import Sampling
from reeltune.records import Moment, Pixels
from reeltune.search._on_disk import remark_on
from reeltune.search.files import stored_files
from reeltune.search.library import Library
from reeltune.storage.fetched import is_in_store

LEAST = 0.04  # s of a video that are looked at, also where a moment has no length


def pictures(
    library: Library, moments: Sequence[Moment], longest: int
) -> dict[str, UInt8[np.ndarray, "H W 3"]]:
    """The picture in the middle of each moment, by its id; no side has more pixels than `longest`.

    Where a video cannot be read now, or is another one than was indexed, it is the small one that
    the library has; a moment that the library does not have any more is left out.
    """
    stored = stored_files(library.folder, {moment.file for moment in moments})
    found: dict[str, UInt8[np.ndarray, "H W 3"]] = {}
    with Decoder(Pixels(size=longest)) as decoder:
        for moment in moments:
            file = stored.get(moment.file)
            if file is None or is_in_store(file.location) or remark_on(file):
                continue
            end = max(moment.end, moment.start + LEAST)
            decoder.sampling = Sampling("uniform", 1.0, moment.start, end)
            try:
                for view in decoder.views(Path(file.location)):
                    found[moment.id] = view.pixels
            except MediaError:
                continue
    missing = [moment.id for moment in moments if moment.id not in found]
    small = library.thumbnails(missing) if missing else {}
    return found | {key: _decoded(jpeg) for key, jpeg in small.items()}


def _decoded(jpeg: bytes) -> UInt8[np.ndarray, "H W 3"]:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))
