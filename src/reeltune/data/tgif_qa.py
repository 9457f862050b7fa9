"""TGIF-QA: questions about animated GIFs (Jang et al., CVPR 2017): on repeated actions and on
transitions, each with five answers to choose from, and on single frames, with open answers."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, model_validator

from reeltune.data._annotations import Row, Text, find_file, find_files, read_csv
from reeltune.data._videos import list_videos, write_empty
from reeltune.data.splits.by_place import refuse_leak, take_split
from reeltune.data.splits.part import Part, split_named
from reeltune.data.splits.published import Size, Sizes, held_out
from reeltune.settings.existing import ExistingPath
from reeltune.types import Pair, Split

HOW = """\
TGIF-QA: questions about GIFs of Tumblr; --set options.asks= says which.

  action        22,745   what does the man do 5 times?              one of 5 options
  transition    58,936   what does the man do before he smiles?     one of 5 options
  frame         53,083   what is the girl playing?                  open, one word

Official page   https://github.com/YunseokJANG/tgif-qa  (dataset/*.csv, and where to get the GIFs)
Terms           for research; the GIFs belong to those who put them on Tumblr.

  FOLDER/
  ├── Train_action_question.csv      gif_name,question,a1,...,a5,answer with tabs between;
  ├── Test_action_question.csv       the answer is the place among a1 to a5, from 0
  ├── Train_transition_question.csv  Test_transition_question.csv
  ├── Train_frameqa_question.csv     gif_name,question,answer,type
  ├── Test_frameqa_question.csv
  └── gifs/                          tumblr_nk172bbdPI1u1lr18o1_250.gif ...

Files of questions may lie in FOLDER or in a folder in it; those of what is not asked may be
absent. GIFs may also lie in videos/, or in FOLDER itself; any suffix will do, such as that of
GIFs turned into mp4.

There is no official val, so 500 training GIFs are held out as val, always the same ones;
--set options.hold_out=0 trains on all, as the papers do, and has no val.

Figures of "frame" are also given for each type of answer: object, number, colour, place.
"""
NAME = "tgif-qa"
VIDEOS = ("gifs", "videos")
FILES = {"action": "action", "transition": "transition", "frame": "frameqa"}
TYPES = ("object", "number", "colour", "place")


class Chosen(Row):
    """A question with options."""

    gif_name: Text
    question: Text
    a1: Text
    a2: Text
    a3: Text
    a4: Text
    a5: Text
    answer: int | None = Field(None, ge=0, le=4)

    @property
    def options(self) -> tuple[str, ...]:
        """The answers to choose from."""
        return self.a1, self.a2, self.a3, self.a4, self.a5

    @model_validator(mode="after")
    def _differ(self) -> "Chosen":
        """No model could choose between two options that are one."""
        twice = next((one for one in self.options if self.options.count(one) > 1), None)
        if twice is not None:
            raise ValueError(f"the option {twice!r} is there more than once")
        return self

    def pair(self, path: Path) -> Pair:
        """The question about the GIF at `path`."""
        options = self.options
        right = None if self.answer is None else options[self.answer]
        return Pair(
            video=self.gif_name, path=path, caption=self.question, options=options, answer=right
        )


class Open(Row):
    """A question without."""

    gif_name: Text
    question: Text
    answer: Text | None = None
    type: int | None = Field(None, ge=0, lt=len(TYPES))

    def pair(self, path: Path) -> Pair:
        """The question about the GIF at `path`, tagged with the type of its answer."""
        tags = () if self.type is None else (TYPES[self.type],)
        return Pair(
            video=self.gif_name, path=path, caption=self.question, tags=tags, answer=self.answer
        )


KINDS: dict[str, type[Chosen] | type[Open]] = {
    "action": Chosen,
    "transition": Chosen,
    "frame": Open,
}


class Config(BaseModel):
    """Where TGIF-QA lies, and which of its questions are asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: ExistingPath
    asks: Literal["action", "transition", "frame"] = "action"
    hold_out: NonNegativeInt = 500  # training GIFs that are val

    def read(self, split: Part | str) -> Split:
        """Questions of a split in the order of the file. Raises DataError with file and line."""
        split = split_named(split)
        find_file(self.folder, [self._file("test" if split == "test" else "train")], NAME)
        videos = list_videos(self.folder, VIDEOS, NAME)
        train, test = (self._questions(part, videos.folder) for part in ("train", "test"))
        listed, tested = ({pair.video for pair in pairs} for pairs in (train, test))
        refuse_leak({"train": listed, "test": tested}, str(self.folder))
        chosen = tested if split == "test" else take_split(listed, self.hold_out, split)
        asked = [pair for pair in (test if split == "test" else train) if pair.video in chosen]
        return videos.asked(asked, listed | tested)

    def published(self) -> Sizes:
        """Sizes of the files as published; of "frame" the number of training GIFs is not told."""
        if self.asks == "action":
            return held_out(20_471, self.hold_out, 1, Size(2_274, 2_274))
        if self.asks == "transition":
            return held_out(26_352, self.hold_out, 2, Size(3_116, 6_232))
        test = Size(7_132, 13_691)
        return {"test": test} if self.hold_out else {"train": Size(None, 39_392), "test": test}

    @classmethod
    def tiny(cls, folder: Path) -> "Config":
        """Three GIFs, two of them for training, of which one is held out."""
        names = ["tumblr_nk172bbdPI1u1lr18o1_250", "tumblr_nezfs4uELd1u1a7cmo1_250", "tumblr_no73"]
        columns = ["gif_name", "question", "a1", "a2", "a3", "a4", "a5", "answer", "vid_id", "key"]
        question = ["What does he do 3 times ?", "jump", "talk", "flap wings", "nod", "sit down"]
        for part, listed in (("Train", names[:2]), ("Test", names[2:])):
            rows = [
                [name, *question, str(n), f"ACTION{n}", str(n)] for n, name in enumerate(listed)
            ]
            lines = "".join("\t".join(row) + "\n" for row in [columns, *rows])
            (folder / f"{part}_action_question.csv").write_text(lines)
        write_empty(folder / "gifs", [f"{name}.gif" for name in names])
        return cls(folder=folder, hold_out=1)

    def _file(self, part: Literal["train", "test"]) -> str:
        return f"{part.title()}_{FILES[self.asks]}_question.csv"

    def _questions(self, part: Literal["train", "test"], place: Path) -> list[Pair]:
        """Every question of a file, as if its GIF were in `place`; none if there is no file."""
        found = find_files(self.folder, [self._file(part)], NAME)
        kind = KINDS[self.asks]
        return [
            row.pair(place / row.gif_name)
            for path in found
            for _, row in read_csv(path, kind, NAME)
        ]
