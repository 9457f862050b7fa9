"""Captions that a person called wrong: a step learns from them, and held-out ones are placed."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from reeltune.data.folder import Config
from reeltune.runs.marked_wrong import Against, WrongPlaces, answers_of, wrong_places
from reeltune.types import Batch, Pair, Pixels, Split, Tokens

NAMES = ("red", "green", "blue", "grey")


class Table(nn.Module):
    """A model whose texts and clips are rows of two tables."""

    name, dim, fingerprint, pixels = "table", 3, "none", Pixels(size=1)

    def __init__(self) -> None:
        super().__init__()
        self.text = nn.Parameter(torch.randn(4, 3))
        self.video = nn.Parameter(torch.randn(4, 3))
        self.logit_scale = nn.Parameter(torch.tensor(0.7))

    def tokenize(self, texts: list[str]) -> Tokens:
        ids = torch.tensor([[NAMES.index(text)] for text in texts])
        return Tokens(ids, torch.ones_like(ids, dtype=torch.bool))

    def encode_text(self, tokens: Tokens) -> Tensor:
        return self.text[tokens.ids[:, 0]]

    def encode_video(self, frames: Tensor, mask: Tensor) -> Tensor:
        return self.video[frames[:, 0, 0].long()]

    def similarity(self, text: Tensor, video: Tensor) -> Tensor:
        return text @ video.T


class Numbers:
    """A reader whose clips are the numbers in their names."""

    policy = "numbers"

    def read(self, pair: Pair) -> np.ndarray:
        return np.array([[float(pair.video)]], np.float32)


def pair(video: int, caption: str) -> Pair:
    return Pair(video=str(video), path=Path("a"), caption=caption)


def nothing(batch: Batch, share: float = 1.0) -> dict[str, float]:
    return {"loss": 0.5}


nothing.reads = frozenset({"precision"})  # type: ignore[attr-defined]


def test_a_step_adds_the_loss_of_its_formula_and_its_gradient() -> None:
    model = Table()
    split = Split(
        pairs=(pair(0, "red"), pair(1, "red"), pair(2, "blue")),
        captions="single",
        wrong=(pair(3, "red"), pair(0, "grey")),
    )
    answers = answers_of(split)
    assert [(right.video, wrong.video) for right, wrong in answers] == [("0", "3"), ("1", "3")]
    step = Against(nothing, model, Numbers(), answers)  # type: ignore[arg-type]
    figures = step(None, share=0.5)
    scale = math.exp(0.7)
    text, video = model.text.detach(), model.video.detach()
    leads = [float(text[0] @ (video[v] - video[3])) for v in (0, 1)]
    wanted = sum(math.log1p(math.exp(-scale * lead)) for lead in leads) / 2
    assert math.isclose(figures["marked wrong"], wanted, rel_tol=1e-5)
    assert math.isclose(figures["loss"], 0.5 + wanted, rel_tol=1e-5)
    assert step.reads == {"precision"}
    slopes = [1 / (1 + math.exp(scale * lead)) for lead in leads]
    gradient = 0.5 * scale * sum(slopes) / 2 * text[0]
    assert model.video.grad is not None
    assert torch.allclose(model.video.grad[3], gradient, atol=1e-6)
    assert (model.video.grad[2] == 0).all()


def test_a_wrong_moment_has_its_place_among_all_held_out_ones() -> None:
    model = Table()
    split = Split(
        pairs=(pair(0, "red"), pair(1, "green")), captions="single", wrong=(pair(3, "red"),)
    )
    count, places = wrong_places(model, Numbers(), split)
    scores = (model.video.detach() @ model.text.detach()[0])[[0, 1, 3]].tolist()
    assert (count, places) == (3, [sorted(scores, reverse=True).index(scores[2]) + 1])
    found = WrongPlaces(3, [1, 2, 2], [3, 2, 1])
    assert found.sentence() == (
        "held-out moments marked wrong: 3, of which 1 went down and 1 went up (mean place 1.7 "
        "before, 2.0 after, of 3)"
    )
    assert found.as_dict()["lower"] == 1


def test_captions_of_the_folder_bring_their_wrong_answers(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    lines = [
        "path,caption,start,end,split,label",
        "a.mp4,red,0,1,train,",
        "a.mp4,red,1,2,train,wrong",
    ]
    (tmp_path / "captions.csv").write_text("\n".join(lines))
    ((right, wrong),) = answers_of(Config(folder=tmp_path).read("train"))
    assert (right.video, wrong.video) == ("a.mp4#t=0,1", "a.mp4#t=1,2")
