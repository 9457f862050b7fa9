"""Frames that are made square by black bars, as Violet reads them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reeltune.media.decoder import Decoder
from reeltune.media.sampling import Sampling
from reeltune.media.squares import fitted
from reeltune.types import Pixels


def smooth(width: int, height: int) -> Image.Image:
    """A picture of slow waves, bright everywhere."""
    down, right = np.mgrid[:height, :width]
    waves = [150 + 60 * np.sin(right / 17 + c) * np.cos(down / 23 - c) for c in range(3)]
    return Image.fromarray(np.stack(waves, axis=-1).astype(np.uint8))


@pytest.mark.parametrize(("width", "height"), [(320, 160), (160, 320), (256, 192), (96, 96)])
@pytest.mark.parametrize("rule", ["bilinear", "bicubic"])
def test_it_is_the_padded_picture_made_smaller(width: int, height: int, rule: str) -> None:
    """Inside and on the bars; only the two rows at the edge of a bar are mixed in another way."""
    picture, size = smooth(width, height), 64
    found = fitted(picture, Pixels(size=size, fit="pad", resample=rule))  # type: ignore[arg-type]
    longest = max(width, height)
    across, down = (longest - width) // 2, (longest - height) // 2
    padded = np.pad(np.asarray(picture), ((down, down), (across, across), (0, 0)))
    method = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}[rule]
    wanted = np.asarray(Image.fromarray(padded).resize((size, size), method)).transpose(2, 0, 1)
    assert found.shape == wanted.shape == (3, 64, 64)
    bars = down * size // longest, across * size // longest
    apart = np.abs(found.astype(int) - wanted)
    for axis, bar in ((1, bars[0]), (2, bars[1])):
        if bar:
            edges = [*range(bar - 2, bar + 2), *range(size - bar - 2, size - bar + 2)]
            apart = np.delete(apart, edges, axis=axis)
            assert not np.delete(found, np.s_[bar : size - bar], axis=axis).any(), "bars are black"
    assert apart.max() <= 1


@pytest.mark.parametrize(("width", "height"), [(1, 5000), (5000, 1), (3, 2), (1, 1)])
def test_no_side_vanishes_and_nothing_larger_than_the_square_is_made(
    width: int, height: int
) -> None:
    found = fitted(Image.new("RGB", (width, height), "white"), Pixels(size=32, fit="pad"))
    assert found.shape == (3, 32, 32)
    assert (found == 255).all(axis=0).sum() == max(1, round(32 * width / max(width, height))) * max(
        1, round(32 * height / max(width, height))
    )


def test_a_decoder_pads_what_it_reads(clip: Callable[..., Path], tmp_path: Path) -> None:
    """Frames of 64 by 48 have bars of 8 in 64."""
    path, frames = clip(tmp_path / "red.mp4", (200, 20, 20)), []
    for pixels in (Pixels(size=64, fit="pad"), Pixels(size=64, fit="squash")):
        with Decoder(pixels, Sampling("uniform", 2.0)) as decoder, decoder.open(path) as reading:
            frames.append([frame.pixels for frame in reading])
    for padded, squashed in zip(*frames, strict=True):
        assert not padded[:, :8].any()
        assert not padded[:, -8:].any()
        wanted = squashed[:, ::4][:, -4:].mean(axis=(1, 2))  # away from the bright corner
        np.testing.assert_allclose(padded[:, 40:56].mean(axis=(1, 2)), wanted, atol=3)
