"""Small videos of our own, each encoded when it is first asked for."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

ENCODED: dict[tuple[object, ...], bytes] = {}


def write_clip(path: Path, *colours: tuple[int, int, int], seconds: float = 2.0) -> Path:
    """An mp4 of one scene after another, each of a colour with a bright corner, at 10 frames/s."""
    path.parent.mkdir(parents=True, exist_ok=True)
    key = path.suffix, colours, seconds
    if key in ENCODED:
        path.write_bytes(ENCODED[key])
        return path
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=10, options={"g": "10", "crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(int(seconds * 10) * len(colours)):
            picture = np.empty((48, 64, 3), np.uint8)
            picture[:] = colours[number // int(seconds * 10)]
            picture[:8, : 8 + number % 16] = 255
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    ENCODED[key] = path.read_bytes()
    return path


def write_videos(folder: Path) -> Path:
    """Three clips: red, green, and one that is blue, then yellow."""
    write_clip(folder / "red.mp4", (200, 20, 20))
    write_clip(folder / "green.mp4", (20, 200, 20))
    write_clip(folder / "two.mp4", (20, 20, 200), (200, 200, 20), seconds=5)
    return folder
