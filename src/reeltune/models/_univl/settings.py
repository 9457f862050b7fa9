"""Settings of UniVL: sizes, and what is read, trained and judged."""

from typing import Literal

from pydantic import ConfigDict, Field, NonNegativeFloat, PositiveInt

from reeltune.errors import ConfigError
from reeltune.models._asking.settings import LOSS, Asked
from reeltune.models._univl import towers
from reeltune.models._univl.pretrained import Pretrained
from reeltune.models._univl.targets import Reads
from reeltune.models._univl.tasks import TASKS, Task
from reeltune.models.opening.open import ModelName
from reeltune.settings.existing import ExistingPath


class Settings(Asked):
    """Sizes, and what is read and trained; the defaults are the released model for retrieval."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    pretrained: Pretrained | None = None  # whose weights training starts from; None: random ones
    encoder: ModelName | None = None  # makes features of pictures; None: they are stored
    encoder_fingerprint: str | None = None  # a saved model says it
    features: PositiveInt = 1024  # F
    vocabulary: Literal["bert", "small"] | ExistingPath = "bert"  # a folder has BERT's vocab.txt
    width: PositiveInt = 768
    heads: PositiveInt = 12
    text_layers: PositiveInt = 12
    video_layers: PositiveInt = 6
    cross_layers: PositiveInt = 2
    decoder_layers: PositiveInt = 3
    positions: PositiveInt = 512  # of texts and of videos; twice as many of both together
    dropout: NonNegativeFloat = Field(default=0.1, lt=1)
    words: PositiveInt = Field(default=48, ge=3)  # L at most, with [CLS] and [SEP]
    frames: PositiveInt = 48  # T at most; later frames are left out, as in the release
    reads: Reads = "caption"  # of the text encoder: captions for retrieval, else for captioning
    tasks: tuple[Task, ...] = TASKS  # losses beside the one by which it is judged
    judged_by: Literal["joint", "align"] = "align"  # retrieval, by vectors or by the cross encoder
    mask_chance: float = Field(default=0.15, gt=0, lt=1)  # of a word and of a frame
    margin: NonNegativeFloat = 0.1  # of the joint losses
    trains_padding: bool = False  # the release counts padding of captions as words to be learned

    def unread(self) -> dict[str, str]:
        """Settings that nothing reads, as `settings.unread.StatesUnread` describes them."""
        readers: dict[str, tuple[Task, ...]] = {
            "margin": ("joint", "m_joint"),
            "mask_chance": ("cmlm", "cmfm", "m_joint", "m_align", "m_decoder"),
            "trains_padding": ("decoder", "m_decoder"),
        }
        under = f"where the losses are {', '.join(self.losses)}"
        found = {
            name: f"{under}, but by {', '.join(tasks)}"
            for name, tasks in readers.items()
            if not set(tasks) & set(self.losses)
        }
        if self.task is not None:
            found |= dict.fromkeys(("judged_by",), f"under config.task={self.task}")
        found |= self.unread_answers()
        if self.encoder is None:
            found["encoder_fingerprint"] = "without config.encoder, whose it is"
        return found

    @property
    def judged_as(self) -> str:
        """The task by which the model is judged."""
        if self.task is not None:
            return self.task
        if self.reads != "caption":
            return "captioning"
        return "retrieval" if self.judged_by == "joint" else "pair-retrieval"

    @property
    def primary(self) -> str:
        """The name of the loss by which the model is judged.

        Errors: `ConfigError` for a writer of captions that should be judged as one that finds.
        """
        if self.task is not None:
            return LOSS[self.task]
        primary: Task = self.judged_by if self.reads == "caption" else "decoder"
        if primary == "decoder" and self.judged_by != "align":
            raise ConfigError(
                f"config.judged_by is {self.judged_by}, and a model that reads {self.reads} "
                "writes captions, which its decoder is judged by; leave config.judged_by out, or "
                "set config.reads=caption"
            )
        return primary

    @property
    def losses(self) -> tuple[str, ...]:
        """The names of all losses, in their order: the primary one, and `tasks`."""
        own = () if self.task is None else (LOSS[self.task],)
        return (*own, *(task for task in TASKS if task in self.tasks or task == self.primary))

    def sizes(self, vocabulary: int) -> towers.Sizes:
        """Sizes of the network; raises ConfigError if they do not fit together."""
        if self.width % self.heads:
            raise ConfigError(
                f"width is {self.width}, which {self.heads} heads cannot share evenly; make width "
                "a multiple of heads"
            )
        if max(self.words, self.frames) > self.positions:
            raise ConfigError(
                f"words is {self.words} and frames is {self.frames}, but there are "
                f"{self.positions} positions; give "
                f"--set config.positions={max(self.words, self.frames)}"
            )
        return towers.Sizes(
            features=self.features,
            vocabulary=vocabulary,
            width=self.width,
            heads=self.heads,
            text_layers=self.text_layers,
            video_layers=self.video_layers,
            cross_layers=self.cross_layers,
            decoder_layers=self.decoder_layers,
            longest=self.words,
            words=self.positions,
            frames=self.positions,
            both=2 * self.positions,
            dropout=self.dropout,
            answers=self.answer_scores,
        )
