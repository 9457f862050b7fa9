"""The difference hash survives what re-encoding does to a picture."""

import numpy as np
from PIL import Image

from reeltune.search._dhash import dhash


def slow_dhash(pixels: np.ndarray) -> int:
    grid = Image.fromarray(pixels.transpose(1, 2, 0)).convert("L").resize((9, 8), Image.BOX)
    text = "".join(
        "1" if grid.getpixel((x + 1, y)) > grid.getpixel((x, y)) else "0"
        for y in range(8)
        for x in range(8)
    )
    value = int(text, 2)
    return value - (1 << 64) if value >= 1 << 63 else value


def scene(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    smooth = Image.fromarray(coarse).resize((224, 224), Image.Resampling.BICUBIC)
    return np.asarray(smooth).transpose(2, 0, 1).copy()


def distance(a: int, b: int) -> int:
    return ((a ^ b) & (1 << 64) - 1).bit_count()


def test_it_equals_the_bits_read_one_by_one() -> None:
    for seed in range(20):
        assert dhash(scene(seed)) == slow_dhash(scene(seed))


def test_noise_and_brightness_change_few_bits_and_other_scenes_many() -> None:
    rng = np.random.default_rng(0)
    for seed in range(20):
        picture = scene(seed)
        noisy = np.clip(picture + rng.normal(8, 6, picture.shape), 0, 255).astype(np.uint8)
        assert distance(dhash(picture), dhash(noisy)) <= 6
        assert distance(dhash(picture), dhash(scene(seed + 100))) >= 16
