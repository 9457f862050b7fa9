"""ConSE (Norouzi et al., 1312.5650): what a classifier sees, in the space of sentences."""

from functools import cache
from pathlib import Path

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from reeltune.models._lite.sentence_encoder import SentenceEncoder
from reeltune.models.opening.weights import read_tensors

TEMPERATURE = 2.0  # of the class probabilities; chosen on the Flickr8k development split
PROMPT = "a photo of {}"
VECTORS = Path(__file__).with_name("classes.safetensors")


@cache
def class_names() -> list[str]:
    """Names of the 1,000 ImageNet classes: the first two lemmas of each WordNet synset."""
    text = VECTORS.with_suffix(".txt").read_text(encoding="utf-8")
    return text.splitlines()


@cache
def class_vectors() -> Float[Tensor, "1000 384"]:
    """Sentence vectors of the class names, as `scripts/make_class_vectors.py` wrote them."""
    return read_tensors(VECTORS)["vectors"].float()


def sentence_vectors(sentences: SentenceEncoder) -> Float[Tensor, "1000 384"]:
    """Vectors of "a photo of" each class, less their mean, which says only "a photo"."""
    tokens = sentences.tokenize([PROMPT.format(name) for name in class_names()])
    vectors = sentences(tokens.ids, tokens.mask)
    return vectors - vectors.mean(dim=0)


def conse(
    logits: Float[Tensor, "B T 1000"],
    mask: Bool[Tensor, "B T"],
    vectors: Float[Tensor, "1000 384"],
) -> Float[Tensor, "B 384"]:
    """Class vectors weighted by the mean probabilities over the real frames, at unit length."""
    mean = masked_mean(probabilities(logits), mask)  # (B, 1000)
    return F.normalize(mean @ vectors, dim=1)


def probabilities(logits: Float[Tensor, "*B 1000"]) -> Float[Tensor, "*B 1000"]:
    """How likely each class is, by its logit."""
    return (logits / TEMPERATURE).softmax(dim=-1)


def masked_mean(values: Float[Tensor, "B T F"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B F"]:
    """Mean over the real frames; what stands at hidden ones, even infinity, does not matter."""
    kept = values.masked_fill(~mask[..., None], 0.0)
    return kept.sum(1) / mask.sum(1, keepdim=True)
