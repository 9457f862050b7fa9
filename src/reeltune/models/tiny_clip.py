"""A CLIP of a million parameters that has seen still pictures of Toybox; it comes with Reeltune.

It plays the part of a released CLIP where none can be had: in tests, in Toybox recipes and in
first tries. `scripts/train_tiny_clip.py` made it; of real footage it knows nothing.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from reeltune.models import clip

FOLDER = Path(__file__).parent / "_tiny_clip"  # of a Hugging Face model
WEIGHTS_FROM = "the package"


class Config(BaseModel):
    """There is nothing to choose, because the weights fix the sizes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def tiny(cls) -> "Config":
        """The usual settings; the model is tiny as it is."""
        return cls()

    def build(self) -> clip.Clip:
        """The model with its weights."""
        return load()


def load(
    folder: Path | None = None, device: str | None = None, dtype: str | None = None
) -> clip.Clip:
    """The packaged model, or one of its kind that `save_pretrained` wrote to `folder`."""
    return clip.load(folder or FOLDER, device, dtype)
