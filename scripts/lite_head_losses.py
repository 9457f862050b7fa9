"""What the head of `lite` is taught: captions, short phrases of them, and names of classes.

All three are symmetric InfoNCE over the photos of a batch. Captions are averaged over the five of a
photo, so that none competes with another of its own photo. A phrase is true of several photos, and
its target is spread over them. A class name is as true of a photo as the frozen network finds the
class likely, which keeps words that no caption has. Noise on sentence vectors keeps the text side
near what it was before for words that it is not taught.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from reeltune.models._lite.frame_network import CLASSES
from reeltune.models._lite.head import Head

SMOOTHING, LARGEST_SCALE = 0.05, 50.0
EACH = 4  # phrases of a photo that are drawn for a step
LIKE_CAPTIONS = 0.3  # share of phrases that are given a form like a caption's
CLASS_WEIGHT, FEWEST = 0.5, 0.5  # photos that a class is expected of, to take part in a step
NOISE = 0.5  # expected length of what is added to a sentence vector, of length 1


@dataclass(frozen=True)
class Lessons:
    """N photos in V views with five captions each, P phrases in both of their forms."""

    views: Tensor  # (V, N, F), half floats
    captions: Tensor  # (N, 5, 384)
    phrases: Tensor  # (2, P, 384)
    words: Tensor  # (P,), of each phrase
    true: Tensor  # (P, N), which phrases are true of which photos
    classes: Tensor  # (1000, 384)

    @cached_property
    def of_photo(self) -> list[Tensor]:
        """The phrases that are true of each photo."""
        return [column.nonzero()[:, 0] for column in self.true.T]


def loss(head: Head, taught: Lessons, batch: Tensor, source: torch.Generator) -> Tensor:
    """The sum of all three for the photos of a batch (B,), each in a view drawn by `source`."""
    view = torch.randint(len(taught.views), batch.shape, generator=source)
    features = taught.views[view, batch].float()  # (B, F)
    photos = head.frames(features)  # (B, D)
    scale = head.logit_scale.exp().clamp(max=LARGEST_SCALE)

    def logits(sentences: Tensor) -> Tensor:
        noise = torch.randn(sentences.shape, generator=source)
        noisy = F.normalize(sentences + NOISE * noise / sentences.shape[1] ** 0.5, dim=1)
        return scale * head.text(noisy) @ photos.T  # (Q, B)

    captions = [own(logits(some)) for some in taught.captions[batch].unbind(1)]
    drawn = phrases_of(taught, batch, source)
    form = (torch.rand(len(drawn), generator=source) < LIKE_CAPTIONS).long()
    phrases = shared(logits(taught.phrases[form, drawn]), taught.true[drawn][:, batch].float())
    likely = features[:, -CLASSES:].softmax(dim=1).T  # (1000, B)
    some = likely.sum(dim=1) > FEWEST
    classes = towards(logits(taught.classes[some]), likely[some])
    return torch.stack(captions).mean() + phrases + CLASS_WEIGHT * classes


def phrases_of(taught: Lessons, batch: Tensor, source: torch.Generator) -> Tensor:
    """Different phrases (S,), of which each photo of a batch had some drawn."""
    some = []
    for photo in batch.tolist():
        own_phrases = taught.of_photo[photo]
        if len(own_phrases):
            some.append(own_phrases[torch.randint(len(own_phrases), (EACH,), generator=source)])
    return torch.cat(some).unique()


def own(logits: Tensor) -> Tensor:
    """Symmetric InfoNCE where text i (of B) is that of photo i (of B) alone."""
    target = torch.arange(len(logits))
    both = [F.cross_entropy(one, target, label_smoothing=SMOOTHING) for one in (logits, logits.T)]
    return torch.stack(both).mean()


def shared(logits: Tensor, true: Tensor) -> Tensor:
    """Symmetric InfoNCE of texts (Q, B) that are true of several photos each."""
    told = true.sum(dim=0) > 0
    return (towards(logits, true) + towards(logits.T[told], true.T[told])) / 2


def towards(logits: Tensor, weights: Tensor) -> Tensor:
    """Mean cross-entropy of rows, with targets in proportion to their weights."""
    target = weights / weights.sum(dim=1, keepdim=True)
    return -(target * logits.log_softmax(dim=1)).sum(dim=1).mean()
