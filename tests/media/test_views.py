"""Whole frames as they are read for text: upright, with their aspect, never larger than asked."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from media.numbered_video import BITS, write_numbered
from reeltune.errors import MediaError
from reeltune.media.decoder import Decoder, View
from reeltune.media.limits import Limits
from reeltune.media.sampling import Sampling
from reeltune.types import Pixels

EVERY_SECOND = Sampling("fps", 1.0)


def number_of(view: View) -> int:
    """The number that the bars of a view stand for."""
    height, width, _ = view.pixels.shape
    centres = ((np.arange(BITS) + 0.5) * width / BITS).astype(int)
    bars = view.pixels[height // 2, centres, 1] > 127
    return int(sum(1 << bit for bit, on in enumerate(bars) if on))


def test_views_are_whole_and_smaller_where_a_side_is_too_long(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "numbered.mp4", range(0, 3000, 40), size=(320, 180))
    for side, shape in ((160, (90, 160, 3)), (320, (180, 320, 3)), (960, (180, 320, 3))):
        with Decoder(Pixels(size=side), EVERY_SECOND) as decoder, decoder.views(path) as reading:
            views = list(reading)
            assert (reading.info.width, reading.info.height) == (shape[1], shape[0])
            assert reading.until == pytest.approx(3.0)
        assert [view.pixels.shape for view in views] == [shape] * 3
        assert [view.time for view in views] == [0.0, 1.0, 2.0]
        assert [number_of(view) for view in views] == [0, 25, 50]


def test_a_view_is_the_mean_of_the_pixels_that_it_stands_for(tmp_path: Path) -> None:
    """The oracle takes means of blocks; lossless grey, so that nothing else is between."""
    grey = np.random.default_rng(0).integers(0, 256, (64, 96), np.uint8)
    path = tmp_path / "noise.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=1)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "gray"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="gray")))
        container.mux(stream.encode())
    with Decoder(Pixels(size=48), EVERY_SECOND) as decoder, decoder.views(path) as reading:
        (view,) = reading
    wanted = grey.reshape(32, 2, 48, 2).mean((1, 3))
    assert np.abs(view.pixels.astype(float) - wanted[..., None]).max() <= 1.5


def test_pixels_that_are_not_square_become_so(tmp_path: Path) -> None:
    path = tmp_path / "wide.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 96, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2, 1)
        container.mux(stream.encode(av.VideoFrame(64, 96, "yuv420p")))
        container.mux(stream.encode())
    with Decoder(Pixels(size=64), EVERY_SECOND) as decoder, decoder.views(path) as reading:
        (view,) = reading
    assert view.pixels.shape == (48, 64, 3)


def test_squares_and_views_come_from_one_worker(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "numbered.mp4", range(0, 2000, 40))
    with Decoder(Pixels(size=40, fit="squash"), EVERY_SECOND) as decoder:
        with decoder.views(path) as views:
            first = next(views)
        assert first.pixels.shape == (24, 40, 3)
        with decoder.open(path) as frames:
            assert [frame.pixels.shape for frame in frames] == [(3, 40, 40)] * 2
            worker = decoder.worker()
        with decoder.views(path) as views:
            assert len(list(views)) == 2
        assert decoder.worker() is worker


def test_views_of_a_broken_file_are_refused_and_the_limits_hold(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    path = write_numbered(tmp_path / "numbered.mp4", range(0, 3000, 40))
    with Decoder(Pixels(size=64), EVERY_SECOND, Limits(frames=2)) as decoder:
        with pytest.raises(MediaError, match=r"text\.mp4"):
            decoder.views(tmp_path / "text.mp4")
        with decoder.views(path) as reading:
            assert len(list(reading)) == 2
        assert "limit of 2 frames" in reading.note
