"""Settings of Violet: sizes, and what is read, trained and judged."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt

from reeltune.errors import ConfigError
from reeltune.models._asking.settings import LOSS, Asked
from reeltune.models._released_keys import Release
from reeltune.models._violet.dvae import CODES
from reeltune.models._violet.network import Sizes
from reeltune.models._violet.swin import IN_TIME, SwinSizes
from reeltune.models._violet.tasks import TASKS, Task
from reeltune.settings.existing import ExistingPath, Named
from reeltune.storage.home import from_home

RELEASE = Release("Violet", "ckpt_violet_pretrain.pt", "violet")
Pretrained = Annotated[Path, AfterValidator(from_home), Named(RELEASE.without_weights)]


class Settings(Asked):
    """Sizes, and what is read and trained; the defaults are the released model for retrieval."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    task: Literal["multiple-choice", "open-ended", "action-recognition"] | None = None
    pretrained: Pretrained | None = None  # whose weights training starts from; None: random ones
    tasks: tuple[Task, ...] = TASKS  # that are trained beside the one that the model is judged by
    dvae: ExistingPath | None = None  # encoder.pkl, whose tokens are guessed; None: a codebook's
    codes: PositiveInt = CODES  # visual tokens there are
    vocabulary: Literal["bert", "small"] | ExistingPath = "bert"  # a folder has BERT's vocab.txt
    size: PositiveInt = 224  # pixels of a frame's side
    frames: PositiveInt = Field(default=6, le=IN_TIME)  # T at most
    swin_width: PositiveInt = 96  # of the first stage; the last one's is that of all the rest
    swin_depths: tuple[PositiveInt, ...] = Field(default=(2, 2, 18, 2), min_length=1)
    swin_heads: tuple[PositiveInt, ...] = (3, 6, 12, 24)
    window: PositiveInt = 7  # places of a side that attend to each other in the Swin
    drop_path: NonNegativeFloat = Field(default=0.2, lt=1)
    places: PositiveInt = 197  # of a frame that have a row in the table, with that for all of it
    layers: PositiveInt = 12
    heads: PositiveInt = 12
    positions: PositiveInt = 512  # of a text
    words: PositiveInt = Field(default=25, ge=3)  # L at most, with [CLS] and [SEP]
    dropout: NonNegativeFloat = Field(default=0.1, lt=1)
    mask_chance: float = Field(default=0.15, gt=0, lt=1)  # of a word
    attended: float = Field(default=0.0, ge=0, le=1)  # clips where what is looked at is hidden
    temperature: PositiveFloat = 0.05  # by which scores of pairs are divided in training

    def unread(self) -> dict[str, str]:
        """Settings that nothing reads, as `settings.unread.StatesUnread` describes them."""
        readers: dict[str, tuple[Task, ...]] = {
            "dvae": ("mvm",),
            "mask_chance": ("mtm", "mvm") if self.attended else ("mtm",),
            "attended": ("mtm", "mvm"),
            "temperature": ("vtm",),
        }
        trained = ", ".join(self.losses)
        found = {
            name: f"where losses are {trained}, but by {' and '.join(tasks)}"
            for name, tasks in readers.items()
            if not set(tasks) & set(self.losses)
        }
        return found | self.unread_answers()

    @property
    def judged_as(self) -> str:
        """The task by which the model is judged."""
        return self.task or "pair-retrieval"

    @property
    def primary(self) -> str:
        """The name of the loss by which the model is judged."""
        return LOSS[self.task] if self.task else "vtm"

    @property
    def losses(self) -> tuple[str, ...]:
        """Names of all losses, that of the primary one first."""
        return tuple(dict.fromkeys((self.primary, *(t for t in TASKS if t in self.tasks))))

    @property
    def swin(self) -> SwinSizes:
        return SwinSizes(
            width=self.swin_width,
            depths=self.swin_depths,
            heads=self.swin_heads,
            window=self.window,
            drop_path=self.drop_path,
        )

    @property
    def width(self) -> int:
        """D, the width of all but the Swin's first stages."""
        return self.swin.widths[-1]

    @property
    def side(self) -> int:
        """Places of a frame's side."""
        return self.size // self.swin.cell

    def sizes(self, vocabulary: int) -> Sizes:
        """Sizes of the network; raises ConfigError if they do not fit together."""
        self._require_stages()
        self._require_places()
        if self.width % self.heads:
            raise ConfigError(
                f"the Swin's last stage is {self.width} wide, which {self.heads} heads cannot "
                "share evenly; change config.heads or config.swin_width"
            )
        if self.words > self.positions:
            raise ConfigError(
                f"words is {self.words}, but there are {self.positions} positions; give "
                f"--set config.positions={self.words}"
            )
        if self.dvae is not None and self.codes != CODES:
            raise ConfigError(
                f"codes is {self.codes}, and the dVAE has {CODES:,} tokens; give --set "
                f"config.codes={CODES}, or leave config.dvae out"
            )
        return Sizes(
            swin=self.swin,
            places=self.places,
            frames=self.frames,
            vocabulary=vocabulary,
            words=self.positions,
            layers=self.layers,
            heads=self.heads,
            dropout=self.dropout,
            codes=self.codes,
            fits=self.dvae is None,
            chooses=self.task == "multiple-choice",
            answers=0 if self.task == "multiple-choice" else self.answer_scores,
        )

    def _require_stages(self) -> None:
        if len(self.swin_depths) != len(self.swin_heads):
            raise ConfigError(
                f"swin_depths has {len(self.swin_depths)} stages and swin_heads has "
                f"{len(self.swin_heads)}; give one number for each stage in both"
            )
        for width, heads in zip(self.swin.widths, self.swin_heads, strict=True):
            if width % heads:
                raise ConfigError(
                    f"a stage of the Swin is {width} wide, which {heads} heads cannot share "
                    "evenly; change config.swin_heads or config.swin_width"
                )

    def _require_places(self) -> None:
        if self.size % self.swin.cell:
            raise ConfigError(
                f"size is {self.size}, and a Swin of {len(self.swin_depths)} stages wants a "
                f"multiple of {self.swin.cell}; give --set config.size="
                f"{self.swin.cell * max(1, self.side)}"
            )
        if 1 + self.side**2 > self.places:
            raise ConfigError(
                f"a frame has {1 + self.side**2} places, and the table has {self.places} rows; "
                f"give --set config.places={1 + self.side**2}"
            )
