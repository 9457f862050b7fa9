"""What is written in the pictures of a video: PP-OCR reads frames, about one a second."""

import hashlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from reeltune.errors import ConfigError
from reeltune.media.decoder import Decoder
from reeltune.media.sampling import Sampling
from reeltune.records import Pixels
from reeltune.search.channels._lines import Following
from reeltune.search.channels._weights import DETECTOR, RECOGNISER
from reeltune.search.channels.channel import Told, Words

if TYPE_CHECKING:  # it opens the packages of the extra
    from reeltune.search.channels._ocr import Ocr

LONGEST = 960  # pixels of the longer side of what is read
SAMPLING = Sampling("fps", 1.0)
VERSION = 4  # of all that decides the texts besides weights; higher where that changes
NEEDED = ("rapidocr", "onnxruntime", "cv2")


class Shown:
    """Tells the texts that the frames of a file show, and when.

    The networks open at the first file. Raises ConfigError where the extra is not installed, and
    CheckpointError, at the first file, where weights are not the ones that were measured.
    """

    channel: Words = "shown"
    name = "text: PP-OCR"

    def __init__(self) -> None:
        if missing := why_not():
            raise ConfigError(f"reading text in pictures is an extra: {missing}")
        said = [str(VERSION), str(LONGEST), str(SAMPLING), DETECTOR[2], RECOGNISER[2]]
        self.fingerprint = hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]
        self._decoder = Decoder(Pixels(size=LONGEST), SAMPLING)
        self._ocr: Ocr | None = None

    def beside(self, path: Path) -> str:
        """Nothing beside a file counts."""
        return ""

    def tell(self, path: Path, done: Callable[[float], None]) -> Told:
        """The texts of a file in the order of time; raises MediaError where it cannot be read."""
        from reeltune.search.channels._looking import Looking
        from reeltune.search.channels._ocr import Ocr

        self._ocr = self._ocr or Ocr()
        looking, following = Looking(self._ocr), Following()
        with self._decoder.views(path) as views:
            length = views.info.duration
            for view in views:
                following.add(view.time, looking.lines(view.time, view.pixels))
                done(min(view.time / length, 1.0) if length > 0 else 0.0)
        done(1.0)
        phrases = following.phrases(views.until)
        notes = [views.note]
        if looking.crowded is not None:
            notes.append(f"more text than is read at {looking.crowded:.1f} s and perhaps later")
        if following.is_full:
            notes.append("more lines than are kept of one file")
        note = "; ".join(filter(None, notes))
        return Told(phrases=phrases, source="frames" if phrases else "", note=note)

    def close(self) -> None:
        """End the decoding process and give the networks back."""
        self._decoder.close()
        self._ocr = None


def why_not() -> str | None:
    """The package that is missing for reading text, with its remedy; None if none is."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if not missing:
        return None
    return f"{missing[0]} is not installed; pip install 'reeltune[text]'"
