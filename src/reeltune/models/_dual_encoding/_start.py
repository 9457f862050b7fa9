"""How a Dual Encoding begins: with the words of its captions, their vectors, and concepts.

The released code keeps word vectors and tags of videos beside the data. They are used where a
dataset has them at these places; where it lacks them, that is said, and what takes their place.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from reeltune.errors import ConfigError, counted
from reeltune.models._device import device_named
from reeltune.models._dual_encoding._start_concepts import KeepsWords, concepts_of
from reeltune.models._dual_encoding._vocabulary import FILE, Vocabulary, split_words
from reeltune.models._dual_encoding._word2vec import embedding_from
from reeltune.models.opening.material import Material, Started, Words
from reeltune.types import Target

if TYPE_CHECKING:
    from reeltune.models.dual_encoding import Config, DualEncoding


def start(config: "Config", material: Material) -> "Started[DualEncoding]":
    """A model for the words and the concepts of the captions of the first split.

    Errors: `ConfigError` where there are no stored features, or no concepts.
    """
    if material.width is None:
        raise ConfigError(f"{material.title} has no features; give --set features.every=0.5")
    captions = [pair.caption for pair in material.splits[0].pairs]
    vocabulary, said = _vocabulary(material, captions)
    concepts, of_concepts = concepts_of(config, material)
    embedding, of_words = _embedding(config, material, vocabulary)
    known = {"features": material.width, "concepts": len(concepts.names) if concepts else 0}
    model = start_with(
        config.model_copy(update=known),
        vocabulary,
        embedding,
        concepts.names if concepts else (),
        material.device,
    )
    targets: dict[str, Target] = {}
    if concepts is not None:
        targets["concepts"] = lambda pair: concepts.targets(pair.video)
    of_sizes = _sizes_said(config, model.config)
    return Started(model, targets, (*said, *of_sizes, *of_concepts, *of_words))


def start_with(
    config: "Config",
    vocabulary: Vocabulary,
    embedding: Float[Tensor, "V E"] | None = None,
    concept_names: Sequence[str] = (),
    device: str | None = None,
) -> "DualEncoding":
    """The model for these words; `embedding` holds word vectors, such as `embedding_from` makes of
    a folder, and `concept_names` say what each concept is, where that is known."""
    model = config.model_copy(update={"words": len(vocabulary)}).build(vocabulary)
    model.concept_names = tuple(concept_names)
    if embedding is not None:
        model.set_embedding(embedding)
    return model.to(device_named(device))


SIZES = {  # that a model takes from what it begins with
    "features": "the width of the stored features",
    "words": "the number of words that are known",
    "concepts": "the number of concepts that there are",
}


def _sizes_said(asked: "Config", taken: "Config") -> list[str]:
    """A remark on each size that is another than the settings say."""
    return [
        f"config.{name} is {there:,}, {what}, in place of {wanted:,}"
        for name, what in SIZES.items()
        if (there := getattr(taken, name)) != (wanted := getattr(asked, name))
    ]


def unread_beside(config: "Config", words: Words, init: Path | None) -> dict[str, str]:
    """Settings of words, and of what these start from, that nothing reads, by path, and why."""
    found: dict[str, str] = {}
    if not config.concepts:
        why = "under config.concepts=0, but where there are concepts"
        found |= {"words.tags": why, "words.tag_vocabulary": why}
    if init is not None:
        why = "with init, whose words are taken"
        found |= dict.fromkeys(("words.at_least", "words.letters", "words.word2vec"), why)
    if isinstance(words.word2vec, Path):
        found["config.embedding_range"] = "with words.word2vec, but where words start at random"
    return found


def _vocabulary(material: Material, captions: Sequence[str]) -> tuple[Vocabulary, list[str]]:
    """The words of the captions, or of the run whose weights are taken, and remarks about them."""
    words = material.words
    vocabulary = Vocabulary.of(captions, words.at_least, words.letters)
    said = _wordless(material, captions)
    if material.init is not None:  # its weights are of its words
        vocabulary = Vocabulary.read(material.init / FILE)
        said.append(f"the {len(vocabulary):,} words are those of {material.init}")
    return vocabulary, said


def _wordless(material: Material, captions: Sequence[str]) -> list[str]:
    """A remark on captions without anything that is read as a word, if there are any."""
    letters = material.words.letters
    none = [text for text in captions if not split_words(text, letters)]
    if not none:
        return []
    remedy = {"ascii": "; --set words.letters=unicode reads every script", "unicode": ""}
    return [
        f"warning: no word in {len(none):,} of {counted(len(captions), 'training caption')}, the "
        f"first is {none[0]!r:.60}{remedy[letters]}"
    ]


def _embedding(
    config: "Config", material: Material, vocabulary: Vocabulary
) -> tuple[Tensor | None, list[str]]:
    """Vectors from which words start, if there are any, and remarks about them."""
    wanted, span = material.words.word2vec, config.embedding_range
    drawn = f"start between -{span:g} and {span:g}"
    dataset = material.dataset
    official = dataset.word_vectors if isinstance(dataset, KeepsWords) else None
    folder = official if wanted is None else wanted
    if not isinstance(folder, Path):  # not wanted, or no dataset that has a place for them
        return None, []
    if wanted is None and not folder.is_dir():
        return None, [
            f"warning: no word vectors at {folder}, from which the released code starts: all "
            f"{len(vocabulary):,} words {drawn} (`reeltune datasets hybrid-space`)"
        ]
    source = torch.Generator().manual_seed(material.seed)
    embedding, known = embedding_from(folder, vocabulary, source)
    return embedding, [
        f"word vectors of {folder}: {known:,} of {len(vocabulary):,} words start from theirs, "
        "the others between -1 and 1"
    ]
