"""Settings of ALPRO: sizes, and what is trained and judged."""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, ConfigDict, Field, NonNegativeFloat, PositiveInt

from reeltune.errors import ConfigError
from reeltune.models._alpro.network import Sizes
from reeltune.models._alpro.released import RELEASE
from reeltune.models._alpro.timesformer import VideoSizes
from reeltune.models._asking.settings import LOSS, Asked
from reeltune.models.opening.open import ModelName
from reeltune.settings.existing import ExistingPath, Named
from reeltune.storage.home import from_home

Pretrained = Annotated[Path, AfterValidator(from_home), Named(RELEASE.without_weights)]
Task = Literal["vtc", "vtm", "mlm", "pem"]
TASKS: tuple[Task, ...] = get_args(Task)


class Settings(Asked):
    """Sizes, and what is trained; the defaults are the released model for retrieval."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    task: Literal["multiple-choice", "open-ended", "action-recognition"] | None = None
    pretrained: Pretrained | None = None  # whose weights training starts from; None: random ones
    vocabulary: Literal["bert", "small"] | ExistingPath = "bert"  # a folder has BERT's vocab.txt
    width: PositiveInt = 768
    heads: PositiveInt = 12
    video_layers: PositiveInt = 12
    text_layers: PositiveInt = 12  # of BERT in all
    fusion: PositiveInt = 6  # how many of them read texts alone; the others read the video too
    image: PositiveInt = 224  # S, pixels
    patch: PositiveInt = 16  # pixels
    frames: PositiveInt = (
        8  # rows of the table of times, which is stretched to the frames of a clip
    )
    dim: PositiveInt = 256  # of vectors
    positions: PositiveInt = 512  # of texts
    words: PositiveInt = Field(default=40, ge=3)  # L at most, with [CLS] and [SEP]
    dropout: NonNegativeFloat = Field(default=0.1, lt=1)  # of BERT
    drop_path: NonNegativeFloat = Field(default=0.1, lt=1)  # of the last block of the video encoder
    tasks: tuple[Task, ...] = TASKS  # losses beside the one by which it is judged
    judged_by: Literal["vtc", "vtm"] = "vtm"  # retrieval, by vectors or by the score of each pair
    mask_chance: float = Field(default=0.15, gt=0, lt=1)  # of a word
    prompter: ModelName | None = None  # that says what a crop shows; None: that of `pretrained`
    prompter_fingerprint: str | None = None  # a saved model says it
    entities: tuple[str, ...] = ()  # that it chooses from; empty: frequent words of the captions
    most_entities: PositiveInt = 1000  # of those words that are kept
    confident: NonNegativeFloat = Field(default=0.2, le=1)  # chance below which it is not believed

    def unread(self) -> dict[str, str]:
        """Settings that nothing reads, as `settings.unread.StatesUnread` describes them."""
        readers: dict[str, Task] = {
            "mask_chance": "mlm",
            **dict.fromkeys(("prompter", "entities", "most_entities", "confident"), "pem"),
        }
        under = f"where the losses are {', '.join(self.losses)}"
        found = {
            name: f"{under}, but by {task}"
            for name, task in readers.items()
            if task not in self.losses
        }
        if self.entities:
            found.setdefault("most_entities", "where config.entities names all entities")
        if self.prompter is None:
            found["prompter_fingerprint"] = "without config.prompter, whose it is"
        if self.task is not None:
            found["judged_by"] = f"under config.task={self.task}"
        return found | self.unread_answers()

    def outline(self) -> Asked:
        """As `models.opening.material.Outlined` has it: also with numbers for entities."""
        known = super().outline()
        if "pem" not in self.losses or self.entities:
            return known
        numbers = tuple(str(number) for number in range(1, self.most_entities + 1))
        return known.model_copy(update={"entities": numbers})

    @property
    def judged_as(self) -> str:
        """The task by which the model is judged."""
        if self.task is not None:
            return self.task
        return "retrieval" if self.judged_by == "vtc" else "pair-retrieval"

    @property
    def primary(self) -> str:
        """The name of the loss by which the model is judged."""
        return self.judged_by if self.task is None else LOSS[self.task]

    @property
    def losses(self) -> tuple[str, ...]:
        """The names of all losses, in their order: the primary one, and `tasks`."""
        own = () if self.task is None else (self.primary,)
        return (*own, *(task for task in TASKS if task in self.tasks or task == self.primary))

    def sizes(self, vocabulary: int) -> Sizes:
        """Sizes of the network; raises ConfigError if they do not fit together."""
        if self.width % self.heads:
            raise ConfigError(
                f"width is {self.width}, which {self.heads} heads cannot share evenly; make width "
                "a multiple of heads"
            )
        if self.image % self.patch:
            raise ConfigError(
                f"image is {self.image}, which patches of {self.patch} pixels do not fill; make "
                "image a multiple of patch"
            )
        if self.fusion >= self.text_layers:
            raise ConfigError(
                f"fusion is {self.fusion} of {self.text_layers} layers, and none is left to read "
                f"the video; give --set config.fusion={max(1, self.text_layers // 2)}"
            )
        if self.words > self.positions:
            raise ConfigError(
                f"words is {self.words}, but there are {self.positions} positions; give "
                f"--set config.positions={self.words}"
            )
        return Sizes(
            VideoSizes(
                width=self.width,
                layers=self.video_layers,
                heads=self.heads,
                image=self.image,
                patch=self.patch,
                frames=self.frames,
                drop_path=self.drop_path,
            ),
            vocabulary=vocabulary,
            layers=self.text_layers,
            fusion=self.fusion,
            positions=self.positions,
            dim=self.dim,
            dropout=self.dropout,
            entities=len(self.entities) if "pem" in self.tasks else 0,
            answers=self.answer_scores,
        )
