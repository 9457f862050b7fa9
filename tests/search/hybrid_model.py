"""A model some of whose columns are not indexed, for the tests of libraries."""

from pathlib import Path

import torch

from reeltune.models.dual_encoding import Config


def write_hybrid(folder: Path) -> None:
    """Save a tiny Dual Encoding on frames through the tiny CLIP, the same each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Config.tiny().build()
        torch.nn.init.normal_(model.text.space.concept.bias)
        model.divisors.copy_(torch.tensor([0.5, 0.1]))
        model.save_pretrained(folder)
