"""Architectures of well-known models, so that they can be described without a network."""

from reeltune.models.clip import Config, Tower

BASE = Tower(width=768, layers=12, heads=12)
LARGE = Tower(width=1024, layers=24, heads=16)

PUBLISHED: dict[str, Config] = {
    "openai/clip-vit-base-patch32": Config(),
    "openai/clip-vit-base-patch16": Config(patch=16),
    "openai/clip-vit-large-patch14": Config(vision=LARGE, text=BASE, dim=768, patch=14),
    "openai/clip-vit-large-patch14-336": Config(
        vision=LARGE, text=BASE, dim=768, patch=14, image=336
    ),
    "google/siglip-base-patch16-224": Config(
        family="siglip", text=BASE, dim=768, patch=16, context=64, vocabulary=32000
    ),
}
