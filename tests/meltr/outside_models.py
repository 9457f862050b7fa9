"""Three models as others have them: a CNN, a block of GPT-2 and two towers, in float64."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import GPT2Config, GPT2LMHeadModel

Batch = dict[str, Tensor]


class Cnn(nn.Module):
    """Classes of pictures, their rotation, and a mean of the features."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.GELU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()
        )
        self.classes, self.turns = nn.Linear(24, 5), nn.Linear(24, 4)

    def losses(self, batch: Batch) -> Tensor:
        hidden = self.body(batch["x"])
        found = F.cross_entropy(self.classes(hidden), batch["y"])
        turned = F.cross_entropy(self.turns(self.body(batch["x"].rot90(1, (2, 3)))), batch["z"])
        return torch.stack([found, turned, hidden.square().mean()])


class Gpt(nn.Module):
    """The next word, and two properties of the hidden states."""

    def __init__(self) -> None:
        super().__init__()
        sizes = {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 8, "vocab_size": 12}
        dropped = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
        self.gpt = GPT2LMHeadModel(GPT2Config(**sizes, **dropped, attn_implementation="eager"))
        self.head = nn.Linear(16, 1)

    def losses(self, batch: Batch) -> Tensor:
        found = self.gpt(input_ids=batch["ids"], output_hidden_states=True)
        hidden = found.hidden_states[-1]
        words = F.cross_entropy(found.logits[:, :-1].flatten(0, 1), batch["ids"][:, 1:].flatten())
        length = F.smooth_l1_loss(self.head(hidden[:, -1])[:, 0], batch["t"])
        return torch.stack([words, length, hidden.square().mean()])


class Towers(nn.Module):
    """Two encoders joined by a contrast in both directions, and by a margin."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))
        self.right = nn.Sequential(nn.Linear(7, 8), nn.Tanh(), nn.Linear(8, 4))
        self.scale = nn.Parameter(torch.tensor(1.0))

    def losses(self, batch: Batch) -> Tensor:
        both = self.left(batch["a"]), self.right(batch["b"])
        left, right = (F.normalize(vectors, dim=1) for vectors in both)
        scores = self.scale.exp() * left @ right.T
        places = torch.arange(len(scores))
        margin = F.softplus(scores - scores.diag()[:, None]).mean()
        found = [F.cross_entropy(s, places) for s in (scores, scores.T)]
        return torch.stack([*found, margin])


MODELS: dict[str, Any] = {"cnn": Cnn, "gpt": Gpt, "towers": Towers}


def batch_for(name: str, seed: int, count: int = 4) -> Batch:
    source = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=source, dtype=torch.float64)

    def choose(high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, generator=source)

    if name == "cnn":
        return {"x": draw(count, 3, 8, 8), "y": choose(5, count), "z": choose(4, count)}
    if name == "gpt":
        return {"ids": choose(12, count, 8), "t": draw(count)}
    return {"a": draw(count, 6), "b": draw(count, 7)}


def compute(model: Any, batch: Batch) -> Tensor:
    return model.losses(batch)
