"""Settings of All-in-one: sizes, and what is read, trained and judged."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt

from reeltune.errors import ConfigError
from reeltune.models._all_in_one.network import Sizes
from reeltune.models._all_in_one.released import RELEASE
from reeltune.models._all_in_one.tasks import TASKS, Task
from reeltune.models._all_in_one.transformer import FOLDS, VitSizes
from reeltune.models._asking.settings import LOSS, Asked
from reeltune.settings.existing import ExistingPath, Named
from reeltune.storage.home import from_home

Pretrained = Annotated[Path, AfterValidator(from_home), Named(RELEASE.without_weights)]


class Settings(Asked):
    """Sizes, and what is read and trained; the defaults are the released model for retrieval."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    task: Literal["multiple-choice", "open-ended", "action-recognition"] | None = None
    pretrained: Pretrained | None = None  # whose weights training starts from; None: random ones
    vocabulary: Literal["bert", "small"] | ExistingPath = "bert"  # a folder has BERT's vocab.txt
    width: PositiveInt = 768
    heads: PositiveInt = 12
    layers: PositiveInt = 12
    image: PositiveInt = 224  # S, pixels
    shortest: PositiveInt = 268  # pixels of a frame's shorter side before the middle is cut out
    patch: PositiveInt = 16  # pixels
    frames: PositiveInt = 3  # rows of the table of times, which more frames of a view share
    views: PositiveInt = 1  # into which the frames of a clip are dealt; scores are means over them
    dim: PositiveInt = 512  # of vectors
    words: PositiveInt = Field(default=40, ge=3)  # L at most, with [CLS] and [SEP]
    dropout: NonNegativeFloat = Field(default=0.1, lt=1)
    drop_path: NonNegativeFloat = Field(default=0.1, lt=1)  # of the last block
    tasks: tuple[Task, ...] = TASKS  # losses beside the one by which it is judged
    judged_by: Literal["vtc", "itm"] = "vtc"  # retrieval, by vectors or by the score of each pair
    temperature: PositiveFloat = 0.05  # by which cosines are divided in training
    negatives: PositiveInt = 1  # wrong clips shown with each text
    mask_chance: float = Field(default=0.15, gt=0, lt=1)  # of a word

    def unread(self) -> dict[str, str]:
        """Settings that nothing reads, as `settings.unread.StatesUnread` describes them."""
        readers: dict[str, Task] = {"temperature": "vtc", "negatives": "itm", "mask_chance": "mlm"}
        under = f"where the losses are {', '.join(self.losses)}"
        found = {
            name: f"{under}, but by {task}"
            for name, task in readers.items()
            if task not in self.losses
        }
        if self.task is not None:
            found["judged_by"] = f"under config.task={self.task}"
        return found | self.unread_answers()

    @property
    def judged_as(self) -> str:
        """The task by which the model is judged."""
        if self.task is not None:
            return self.task
        return "retrieval" if self.judged_by == "vtc" else "pair-retrieval"

    @property
    def primary(self) -> str:
        """The name of the loss by which the model is judged."""
        return LOSS[self.task] if self.task is not None else self.judged_by

    @property
    def losses(self) -> tuple[str, ...]:
        """The names of all losses, in their order: the primary one, and `tasks`."""
        own = () if self.task is None else (LOSS[self.task],)
        return (*own, *(task for task in TASKS if task in self.tasks or task == self.primary))

    def sizes(self, vocabulary: int) -> Sizes:
        """Sizes of the network; raises ConfigError if they do not fit together."""
        vit = VitSizes(
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            image=self.image,
            patch=self.patch,
            frames=self.frames,
            dropout=self.dropout,
            drop_path=self.drop_path,
        )
        self._require_patches(vit.places)
        if self.width % self.heads:
            raise ConfigError(
                f"width is {self.width}, which {self.heads} heads cannot share evenly; make width "
                "a multiple of heads"
            )
        listed = 0 if self.task == "multiple-choice" else self.answer_scores
        chooses = self.task == "multiple-choice"
        return Sizes(vit, vocabulary, self.words, self.dim, chooses, listed)

    def _require_patches(self, places: int) -> None:
        if self.image % self.patch:
            raise ConfigError(
                f"image is {self.image}, which patches of {self.patch} pixels do not fill; make "
                "image a multiple of patch"
            )
        if places < FOLDS:
            raise ConfigError(
                f"a frame of {self.image} pixels has {places - 1} patches, and none is left to be "
                f"rolled through time; make patch smaller, {max(1, self.image // 3)} or less"
            )
        if self.shortest < self.image:
            raise ConfigError(
                f"shortest is {self.shortest}, and a square of {self.image} pixels is cut out of "
                f"that; give --set config.shortest={self.image}"
            )
