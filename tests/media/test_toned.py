"""HDR as players show it, against the formulas in double precision and against a real clip."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from reeltune.media._toned import HLG, PQ, WHITE, compressed, hlg_scene, pq_code, pq_light, toned
from reeltune.media.decoder import Decoder

TO_2020 = np.linalg.inv(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)


def hdr(sdr: np.ndarray, transfer: int) -> np.ndarray:
    """Code values (16 bits) of an SDR picture, white at 203 cd/m2, in PQ or HLG."""
    light = WHITE * (sdr / 255) ** 2.4 @ TO_2020.T
    if transfer == PQ:
        return np.rint(65535 * pq_code(np.maximum(light, 0))).astype(np.uint16)
    shown = np.maximum(light, 0) / 1000
    luma = shown @ [0.2627, 0.6780, 0.0593]
    scene = shown * np.where(luma > 0, luma, 1)[..., None] ** (1 / 1.2 - 1)
    grid = np.linspace(0, 1, 1 << 18)
    return np.rint(65535 * np.interp(scene, hlg_scene(grid), grid)).astype(np.uint16)


def test_known_values_of_the_standards_are_met() -> None:
    assert pq_light(np.array([0.0, 0.5081, 0.5807, 1.0])) == pytest.approx(
        [0, 100, 203, 10_000], rel=2e-3, abs=1e-6
    )
    assert hlg_scene(np.array([0.0, 0.5, 0.75, 1.0])) == pytest.approx(
        [0, 1 / 12, 0.26496, 1], abs=1e-4
    )
    assert 1000 * hlg_scene(np.array([0.75]))[0] ** 1.2 == pytest.approx(WHITE, rel=2e-3)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_what_a_usual_screen_can_show_stays_as_it_is(transfer: int) -> None:
    sdr = np.random.default_rng(0).integers(0, 256, (40, 50, 3))
    back = toned(hdr(sdr, transfer), transfer)
    assert np.abs(back - sdr.astype(int)).max() <= 3
    assert np.abs(back - sdr.astype(int)).mean() < 0.5


def test_highlights_are_bent_below_white_and_never_cross() -> None:
    light = np.linspace(0, 4000, 5000)
    bent = compressed(light, 4000.0)
    assert bent[-1] == pytest.approx(WHITE, rel=1e-6)
    assert (np.diff(bent) >= -1e-9).all()
    assert bent[:20] == pytest.approx(light[:20])
    grey = np.rint(65535 * pq_code(light)).astype(np.uint16)
    codes = toned(np.repeat(grey[None, :, None], 3, axis=2), PQ)[0]
    expected = np.rint(255 * (bent / WHITE) ** (1 / 2.4))
    assert np.abs(codes[:, 1] - expected).max() <= 1


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_a_real_hdr_clip_looks_like_its_sdr_self(
    transfer: int, decoder: Decoder, tmp_path: Path
) -> None:
    sdr = np.empty((96, 96, 3))
    sdr[:48], sdr[48:] = (200, 60, 40), (30, 90, 220)
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("hevc", rate=5, options={"crf": "8"})
        stream.width, stream.height, stream.pix_fmt = 96, 96, "yuv420p10le"
        codec = stream.codec_context
        codec.color_primaries, codec.color_trc, codec.colorspace = 9, transfer, 9
        frame = av.VideoFrame.from_ndarray(hdr(sdr, transfer), format="rgb48le")
        wide = frame.reformat(format="yuv420p10le", dst_colorspace=9, dst_color_range=1)
        for number in range(5):
            wide.pts, wide.time_base = number, Fraction(1, 5)
            container.mux(stream.encode(wide))
        container.mux(stream.encode())
    with decoder.open(tmp_path / "a.mkv") as reading:
        pixels = next(reading).pixels
    for part, colour in (
        (pixels[:, 10:38, 10:86], sdr[0, 0]),
        (pixels[:, 58:86, 10:86], sdr[-1, 0]),
    ):
        assert np.abs(part.mean(axis=(1, 2)) - colour).max() < 6
