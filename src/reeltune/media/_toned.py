"""Pictures of high dynamic range as a player shows them on a usual screen; worker only.

PQ (SMPTE ST 2084) and HLG (ITU-R BT.2100) are brought to light in cd/m2, from the primaries of
BT.2020 to those of BT.709, below the white of a usual screen by the curve of BT.2390 (5.4.1), and
back to code values by the inverse of BT.1886. White is where BT.2408 has it, at 203 cd/m2.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from av.video.reformatter import ColorTrc
from PIL import Image

if TYPE_CHECKING:
    from jaxtyping import Float, UInt8, UInt16

PQ, HLG = int(ColorTrc.SMPTE2084), int(ColorTrc.ARIB_STD_B67)
WHITE, HLG_PEAK = 203.0, 1000.0  # cd/m2
LEVELS = 1 << 16
BAND = 1 << 20  # pixels that are toned at a time
M1, M2, C1, C2, C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
A = 0.17883277
B, C = 1 - 4 * A, 0.5 - A * np.log(4 * A)
LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)
TO_709 = np.array(  # from BT.2020 (ITU-R BT.2087)
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    np.float32,
)


def toned_picture(codes: memoryview, size: tuple[int, int], row: int, transfer: int) -> Image.Image:
    """A picture of `size`, of code values in 16 bits, each row of which has `row` bytes."""
    width, height = size
    rows = np.frombuffer(codes, "<u2").reshape(height, row // 2)
    return Image.fromarray(toned(rows[:, : 3 * width].reshape(height, width, 3), transfer))


def toned(codes: UInt16[np.ndarray, "H W 3"], transfer: int) -> UInt8[np.ndarray, "H W 3"]:
    """Code values of full range as those of BT.709. The brightest pixel is the curve's peak."""
    rows = max(1, BAND // codes.shape[1])
    bands = [_light(codes[i : i + rows], transfer) for i in range(0, len(codes), rows)]
    peak = max(float(band.max()) for band in bands)
    return np.concatenate([_coded(band, peak) for band in bands])


def pq_light(code: Float[np.ndarray, "*S"]) -> Float[np.ndarray, "*S"]:
    """Light in cd/m2 of PQ values from 0 to 1 (BT.2100, table 4)."""
    power = code ** (1 / M2)
    return 10_000 * (np.maximum(power - C1, 0) / (C2 - C3 * power)) ** (1 / M1)


def pq_code(light: Float[np.ndarray, "*S"]) -> Float[np.ndarray, "*S"]:
    """The inverse of `pq_light`."""
    power = (light / 10_000) ** M1
    return ((C1 + C2 * power) / (1 + C3 * power)) ** M2


def hlg_scene(code: Float[np.ndarray, "*S"]) -> Float[np.ndarray, "*S"]:
    """Light of the scene, from 0 to 1, of HLG values (BT.2100, table 5)."""
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - C) / A) + B) / 12)


def compressed(light: Float[np.ndarray, "*S"], peak: float) -> Float[np.ndarray, "*S"]:
    """Light below `WHITE`, of light below `peak`, in cd/m2: a knee in PQ (BT.2390, 5.4.1)."""
    if peak <= WHITE:
        return light
    top, most = pq_code(np.array([peak, WHITE])).tolist()
    code, most = pq_code(light) / top, most / top
    knee = 1.5 * most - 0.5
    t = np.clip((code - knee) / (1 - knee), 0, None)
    bent = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee)
    return pq_light(np.where(code < knee, code, bent + (3 * t**2 - 2 * t**3) * most) * top)


@cache
def _levels(transfer: int) -> Float[np.ndarray, "65536"]:
    code = np.linspace(0, 1, LEVELS)
    return (pq_light(code) if transfer == PQ else hlg_scene(code)).astype(np.float32)


def _light(codes: UInt16[np.ndarray, "H W 3"], transfer: int) -> Float[np.ndarray, "H W 3"]:
    """Light in cd/m2 in the primaries of BT.709; what lies outside them is cut off."""
    light = _levels(transfer)[codes]
    if transfer == HLG:  # what a screen of 1000 cd/m2 makes of the scene
        scene = light @ LUMA
        light = light * (HLG_PEAK * scene**0.2)[..., None]
    return np.maximum(light @ TO_709.T, 0)


def _coded(light: Float[np.ndarray, "H W 3"], peak: float) -> UInt8[np.ndarray, "H W 3"]:
    """The largest of R, G and B follows the curve, and the others keep their share of it."""
    largest = light.max(axis=-1, keepdims=True)
    grid = np.linspace(0, 1, 4096)  # of the root, as the eye sees more steps in the dark
    curve = compressed(grid**2 * max(peak, 1e-6), peak)
    bent = np.interp(np.sqrt(largest / max(peak, 1e-6)), grid, curve)
    share = np.where(largest > 0, bent / np.maximum(largest, 1e-6), 1) / WHITE
    return np.rint(255 * np.clip(light * share, 0, 1) ** (1 / 2.4)).astype(np.uint8)
