"""Pixels as our decoder cuts them and our model colours them, against the models' own processors.

The processors are transformers' Pillow ones, which CLIP and SigLIP were published with. The
greatest difference allowed anywhere below is 0: not one bit of one float32.
"""

import tarfile
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPImageProcessorPil, SiglipImageProcessorPil

from reeltune.media.squares import fitted
from reeltune.models._preprocessor import read_preprocessor
from reeltune.models.clip import Clip, Config

SQUARE = {"height": 224, "width": 224}
PROCESSORS = {
    "clip": CLIPImageProcessorPil(),
    "clip-longer-edge": CLIPImageProcessorPil(size={"shortest_edge": 256}, crop_size=SQUARE),
    "clip-bilinear": CLIPImageProcessorPil(resample=2),
    "siglip": SiglipImageProcessorPil(),
    "siglip-bilinear": SiglipImageProcessorPil(resample=2, image_mean=[0.2, 0.4, 0.6]),
}
SIZES = [(224, 224), (1, 1), (640, 360), (361, 641), (225, 223), (100, 37), (1920, 801), (3, 500)]


@pytest.fixture(params=sorted(PROCESSORS))
def processor(request: pytest.FixtureRequest) -> CLIPImageProcessorPil | SiglipImageProcessorPil:
    return PROCESSORS[request.param]


def model_with(processor: CLIPImageProcessorPil, folder: Path) -> Clip:
    """A small model that reads the processor's file and nothing else of it."""
    processor.save_pretrained(folder)
    family = "siglip" if "Siglip" in type(processor).__name__ else "clip"
    built = Config.tiny().build()
    return Clip(built.towers, built.tokenizer, read_preprocessor(folder, family))


def greatest_difference(
    model: Clip, processor: CLIPImageProcessorPil, picture: Image.Image
) -> float:
    wanted = processor(images=picture, return_tensors="pt")["pixel_values"]
    pixels = model.pixels
    cut = fitted(picture, pixels)
    got = model.normalize(torch.from_numpy(cut)[None])
    assert got.shape == wanted.shape
    assert got.dtype == wanted.dtype == torch.float32
    return (got - wanted).abs().max().item()


def test_odd_sizes_equal_the_processor(processor: CLIPImageProcessorPil, tmp_path: Path) -> None:
    model, source = model_with(processor, tmp_path), np.random.default_rng(0)
    for width, height in SIZES:
        noise = source.integers(0, 256, (height, width, 3), dtype=np.uint8)
        picture = Image.fromarray(noise)
        assert greatest_difference(model, processor, picture) == 0, f"{width} x {height}"


def test_every_colour_equals_the_processor(
    processor: CLIPImageProcessorPil, tmp_path: Path
) -> None:
    model = model_with(processor, tmp_path)
    every = np.arange(256, dtype=np.uint8).reshape(16, 16).repeat(14, axis=0).repeat(14, axis=1)
    picture = Image.fromarray(np.stack([every, every.T, 255 - every], axis=-1))
    assert greatest_difference(model, processor, picture) == 0


def test_photos_equal_the_processor(
    processor: CLIPImageProcessorPil, tmp_path: Path, shared_data: Path
) -> None:
    model, seen = model_with(processor, tmp_path), 0
    with tarfile.open(shared_data / "flickr8k" / "images.tar") as archive:
        members = (member for member in archive if member.name.endswith(".jpg"))
        for member in islice(members, 12):
            stored = archive.extractfile(member)
            assert stored is not None
            picture = Image.open(stored).convert("RGB")
            assert greatest_difference(model, processor, picture) == 0, member.name
            seen += 1
    assert seen == 12
