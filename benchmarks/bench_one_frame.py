"""Does a single frame tell what Toybox asks about actions and transitions?

    python benchmarks/bench_one_frame.py
    python benchmarks/bench_one_frame.py --size base --frames 1 9   # also by nine frames

A small network reads the frames of a clip, the question and each option, and is trained until it
knows the answers of the training split by heart, so that what it does on the test split says what
its frames tell: 20 % is chance. One frame is the one in the middle. No epoch is chosen.
"""

import argparse
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from _line import emit
from reeltune.batches.frame_cache import FrameCache
from reeltune.batches.loader import FrameReader
from reeltune.data.toybox import Config
from reeltune.storage.cache import cache_folder
from reeltune.types import Pair, Pixels, Split

SIDE = 24  # pixels
WIDTH = 256
BATCH = 32
LR = 1e-3
KNOWN = 0.99  # share of the training questions at which training ends
EPOCHS = 300  # at most


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="small", help="of Toybox")
    parser.add_argument("--frames", type=int, nargs="+", default=[1])
    parser.add_argument("--seeds", type=int, default=3)
    chosen = parser.parse_args()
    for asks in ("action", "transition"):
        for frames in chosen.frames:
            asked = Asked.of(Config(size=chosen.size, asks=asks), frames)
            runs = [learned(asked, seed) for seed in range(chosen.seeds)]
            emit(f"{asks} by {frames} frames", size=chosen.size, chance=20.0, runs=runs)


@dataclass(frozen=True)
class Questions:
    """Frames (N, F), words of questions (N, W), those of the options (N, 5, W), and which is
    right (N,)."""

    frames: Tensor
    question: Tensor
    options: Tensor
    right: Tensor

    def __getitem__(self, places: Tensor) -> "Questions":
        return Questions(
            self.frames[places], self.question[places], self.options[places], self.right[places]
        )


@dataclass(frozen=True)
class Asked:
    """Questions to learn from, and others."""

    train: Questions
    test: Questions

    @classmethod
    def of(cls, config: Config, frames: int) -> "Asked":
        """Those of both splits, with the words of the first."""
        splits = config.read("train"), config.read("test")
        texts = [text for pair in splits[0].pairs for text in (pair.caption, *pair.options)]
        words = sorted({word for text in texts for word in text.split()})
        with FrameReader(
            Pixels(size=SIDE), frames, FrameCache(cache_folder() / "frames")
        ) as reader:
            train, test = (questions(split, words, reader) for split in splits)
        std, mean = torch.std_mean(train.frames, dim=0)  # of each level, for clips look much alike
        return cls(
            *(replace(some, frames=(some.frames - mean) / (std + 1)) for some in (train, test))
        )


def questions(split: Split, words: list[str], reader: FrameReader) -> Questions:
    place = {word: number for number, word in enumerate(words)}

    def said(text: str) -> Tensor:
        found = torch.zeros(len(words))
        found[[place[word] for word in text.split() if word in place]] = 1
        return found

    def right(pair: Pair) -> int:
        return pair.options.index(str(pair.answer))

    shown = [torch.as_tensor(reader.read(pair)).flatten() for pair in split.pairs]
    return Questions(
        torch.stack(shown).float(),
        torch.stack([said(pair.caption) for pair in split.pairs]),
        torch.stack([torch.stack([*map(said, pair.options)]) for pair in split.pairs]),
        torch.tensor([right(pair) for pair in split.pairs]),
    )


class Guesser(nn.Module):
    """Scores each option beside the frames and the question."""

    def __init__(self, frames: int, words: int) -> None:
        super().__init__()
        self.frames = nn.Linear(frames, WIDTH)
        self.question, self.option = nn.Linear(words, WIDTH), nn.Linear(words, WIDTH)
        self.score = nn.Sequential(
            nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1)
        )

    def forward(self, asked: Questions) -> Tensor:
        """Scores (N, 5)."""
        given = self.frames(asked.frames) + self.question(asked.question)
        scores: Tensor = self.score(given[:, None] + self.option(asked.options)).squeeze(-1)
        return scores


def learned(asked: Asked, seed: int) -> dict[str, Any]:
    """Accuracies of one network, in %, and the epochs that it took."""
    torch.manual_seed(seed)
    train = asked.train
    model = Guesser(train.frames.shape[1], train.question.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), LR)
    epochs = 0
    while epochs < EPOCHS and accuracy(model, train) < KNOWN:
        epochs += 1
        for places in torch.randperm(len(train.right)).split(BATCH):
            some = train[places]
            F.cross_entropy(model(some), some.right).backward()
            optimizer.step()
            optimizer.zero_grad()
    return {
        "epochs": epochs,
        "train": round(100 * accuracy(model, train), 1),
        "test": round(100 * accuracy(model, asked.test), 1),
        "questions": len(asked.test.right),
    }


@torch.inference_mode()
def accuracy(model: Guesser, asked: Questions) -> float:
    return float((model(asked).argmax(dim=1) == asked.right).float().mean())


if __name__ == "__main__":
    main()
