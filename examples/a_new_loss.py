"""Train a model on a loss of your own, and compare it with the loss that the model came with.

The loss is SigLIP's (Zhai et al., 2303.15343): each pair of a batch either matches or does not, and
is judged by itself. A model of Reeltune names its losses in `vector_losses`; a subclass names
others, and everything else stays as it is: `python examples/a_new_loss.py`.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reeltune.data.toybox import Config
from reeltune.evaluation.compare import compare
from reeltune.evaluation.protocols import Named
from reeltune.evaluation.retrieval import Report
from reeltune.models import vop
from reeltune.runs.inputs import Inputs, frame_reader
from reeltune.runs.learning import learn, open_learning
from reeltune.runs.place import RunPlace
from reeltune.tasks.retrieval import evaluate
from reeltune.training.settings import Settings

FRAMES = 4
PROMPTS = vop.Config(base="tiny-clip", frames=FRAMES)
SETTINGS = Settings(epochs=4, batch=8, judged_by="SumR")


class SigmoidVop(vop.Vop):
    """VoP that learns by the sigmoid loss."""

    primary = "sigmoid"

    def __init__(self, config: vop.Config) -> None:
        super().__init__(config, config.opened(None))
        self.bias = nn.Parameter(torch.tensor(-10.0))  # most pairs of a batch do not match

    def vector_losses(self, text: Tensor, video: Tensor, group: Tensor) -> dict[str, Tensor]:
        """`sigmoid`, of (B, D) vectors; rows of one `group` show the same video."""
        scores = self.logit_scale.exp() * self.similarity(text, video) + self.bias
        return {"sigmoid": sigmoid_loss(scores, group[:, None] == group)}


def sigmoid_loss(logits: Tensor, matches: Tensor) -> Tensor:
    """Sum over all pairs of a batch, divided by B; `matches` (B, B) is true where pairs match."""
    signs = 2.0 * matches - 1
    return -F.logsigmoid(signs * logits).sum() / len(logits)


def trained(model: Any, name: str, folder: Path) -> Report:
    """Test figures of a model after its training on Toybox."""
    toybox = Config(size="tiny")
    with frame_reader(model.pixels, FRAMES) as reader:
        splits = toybox.read("train"), toybox.read("val")
        learning = open_learning(name, Inputs(model, reader), splits, SETTINGS)
        learn(learning, RunPlace(out=folder / name))
        return evaluate(model, reader, toybox.read("test"), Named("toybox", "test", seed=0))


def main() -> None:
    with TemporaryDirectory() as folder:
        torch.manual_seed(0)
        contrastive = trained(vop.Vop(PROMPTS, PROMPTS.opened(None)), "contrastive", Path(folder))
        torch.manual_seed(0)
        sigmoid = trained(SigmoidVop(PROMPTS), "sigmoid", Path(folder))
    for name, report in (("contrastive", contrastive), ("sigmoid", sigmoid)):
        print(f"{name}: R@1 {report.t2v['R@1']:.1f}, R@5 {report.t2v['R@5']:.1f} text to video")
    print(compare(contrastive, sigmoid).sentences()[0])


if __name__ == "__main__":
    main()
