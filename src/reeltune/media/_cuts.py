"""Cuts between shots, seen on every decoded frame; worker only."""

import av
from PIL import Image, ImageChops

SIDE = 24  # pixels of the picture that is compared
MOST = 3 * 255 * SIDE**2  # by how much two of them can differ
CUT = 0.18  # mean change of brightness and colour, of 1
RATIO = 3.0  # and this many times the usual change


class Cuts:
    """Remembers the last picture and how much pictures usually change."""

    def __init__(self) -> None:
        self._last: Image.Image | None = None
        self._usual = 0.0

    def is_first(self, frame: av.VideoFrame) -> bool:
        """Whether this frame begins a shot."""
        small = frame.reformat(width=SIDE, height=SIDE, format="rgb24", threads=1).to_image()
        if self._last is None:
            self._last = small
            return True
        change = sum(ImageChops.difference(small, self._last).tobytes()) / MOST
        cut = change > max(CUT, RATIO * self._usual)
        self._last = small
        if not cut:
            self._usual = 0.9 * self._usual + 0.1 * change
        return cut
