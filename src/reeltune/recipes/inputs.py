"""The section of a recipe about the frame features that are read."""

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt

from reeltune.settings.existing import ExistingPath


class FromFeatures(BaseModel):
    """Frame features that a model reads in place of frames."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    folder: ExistingPath | None = None  # None: the dataset's own, or made by the model's encoder
    every: PositiveFloat = 0.5  # s between frames, where they are made
    at_most: PositiveInt | None = None  # frames that are read of a clip; None: all

    def unread(self) -> dict[str, str]:
        """Settings that nothing reads, as `settings.unread.StatesUnread` describes them."""
        why = "with features.folder, but where features are made"
        return {"every": why} if self.folder is not None else {}
