"""What a Dual Encoding is given before its training: words, their vectors, and concepts.

The released code keeps word vectors and tags of videos beside the data. They are used where a
dataset has them at these places; where it lacks them, that is said, and what takes their place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from reeltune.batches.loader import Target
from reeltune.errors import ConfigError, DataError
from reeltune.features.concepts import (
    Concepts,
    Tags,
    annotate,
    most_frequent,
    read_names,
    read_tags,
    words_of,
)
from reeltune.models._dual_encoding._vocabulary import Vocabulary, split_words
from reeltune.models._dual_encoding._word2vec import embedding_from
from reeltune.models.dual_encoding import WORDS
from reeltune.recipes.read import Recipe
from reeltune.types import Caption, Split

BOTH = (
    "--set words.tags=video_label_th_1.txt and --set words.tag_vocabulary=tag_vocab_512.json "
    "(docs/features.md)"
)


@dataclass(frozen=True)
class Started:
    """A model before its first step, what its losses want of each pair, and what it was given."""

    model: Any
    targets: dict[str, Target] = field(default_factory=dict)
    said: tuple[str, ...] = ()  # sentences for the output and the model card


@runtime_checkable
class KeepsWords(Protocol):
    """A dataset that has places for word vectors, and for tags of its training videos."""

    @property
    def word_vectors(self) -> Path: ...

    def tags(self, size: int) -> tuple[Path, Path]: ...


def taught(
    recipe: Recipe, options: Any, splits: Sequence[Split], width: int, device: str | None
) -> Started:
    """A Dual Encoding for the words and the concepts of its training captions."""
    config, words = recipe.model_config_of(), recipe.words
    captions = [pair.caption for pair in splits[0].pairs]
    vocabulary = Vocabulary.of(captions, words.at_least, words.letters)
    said = _wordless(recipe, captions)
    if recipe.init is not None:  # its weights are of its words
        vocabulary = Vocabulary.read(recipe.init / WORDS)
        said.append(f"the {len(vocabulary):,} words are those of {recipe.init}")
    concepts: Concepts | None = None
    if config.concepts:
        concepts, more = concepts_of(recipe, options, splits)
        said += more
    known = {"features": width, "concepts": len(concepts.names) if concepts else 0}
    config = config.model_copy(update=known)
    embedding, more = _embedding(recipe, options, vocabulary)
    model: nn.Module = config.start(
        vocabulary, embedding, device, concepts.names if concepts else ()
    )
    targets: dict[str, Target] = {}
    if concepts is not None:
        targets["concepts"] = lambda pair: concepts.targets(pair.video)
    return Started(model, targets, (*said, *more))


def _wordless(recipe: Recipe, captions: Sequence[str]) -> list[str]:
    """How many captions have nothing that is read as a word, if any."""
    none = [text for text in captions if not split_words(text, recipe.words.letters)]
    if not none:
        return []
    remedy = {"ascii": "; --set words.letters=unicode reads every script", "unicode": ""}
    return [
        f"warning: {len(none):,} of {len(captions):,} training captions have no word, the first "
        f"is {none[0]!r:.60}{remedy[recipe.words.letters]}"
    ]


def _embedding(
    recipe: Recipe, options: Any, vocabulary: Vocabulary
) -> tuple[Tensor | None, list[str]]:
    """Vectors that words start from, if there are any, and what is to be said of them."""
    wanted, span = recipe.words.word2vec, recipe.model_config_of().embedding_range
    drawn = f"start between -{span:g} and {span:g}"
    official = options.word_vectors if isinstance(options, KeepsWords) else None
    folder = official if wanted is None else wanted
    if not isinstance(folder, Path):  # not wanted, or no dataset that has a place for them
        return None, []
    if wanted is None and not folder.is_dir():
        return None, [
            f"warning: no word vectors at {folder}, from which the released code starts: all "
            f"{len(vocabulary):,} words {drawn} (`reeltune datasets hybrid-space`)"
        ]
    source = torch.Generator().manual_seed(recipe.training.seed)
    embedding, known = embedding_from(folder, vocabulary, source)
    return embedding, [
        f"word vectors of {folder}: {known:,} of {len(vocabulary):,} words start from theirs, "
        "the others between -1 and 1"
    ]


def concepts_of(
    recipe: Recipe, options: Any, splits: Sequence[Split]
) -> tuple[Concepts, list[str]]:
    """From the files of the user or of the dataset, or from the captions, of which the first
    split's say which concepts there are; and what is to be said of them."""
    files, said = _files_of(recipe, options)
    if files is not None:
        return _from_files(files, recipe, splits)
    tags = [_tags_of(split) for split in splits]
    names = most_frequent(tags[0], recipe.model_config_of().concepts)
    if not names:
        split = splits[0]
        raise ConfigError(
            f"recipe {recipe.name}: a concept is a word of two or more captions of one video, and "
            f"the {len(split.pairs)} captions of {split.videos} training videos "
            "have none; train the latent space alone by --set config.concepts=0, or bring tags, "
            f"{BOTH}"
        )
    return Concepts(names, {k: v for one in tags for k, v in one.items()}), said


def _files_of(recipe: Recipe, options: Any) -> tuple[tuple[Path, Path] | None, list[str]]:
    """Tags and names of concepts as files, or what is to be said where a dataset lacks its own."""
    labels, names = recipe.words.tags, recipe.words.tag_vocabulary
    if isinstance(labels, Path) and names is not None:
        return (labels, names), []
    if isinstance(labels, Path) or names is not None:
        raise ConfigError(f"recipe {recipe.name} has one of two files of tags; give both, {BOTH}")
    if labels == "captions" or not isinstance(options, KeepsWords):
        return None, []
    files = options.tags(recipe.model_config_of().concepts)
    lacking = next((file for file in files if not file.is_file()), None)
    if lacking is None:
        return files, []
    return None, [
        f"warning: no tags at {lacking}, from which the released code takes its concepts: they are "
        "taken from the captions (`reeltune datasets hybrid-space`)"
    ]


def _from_files(
    files: tuple[Path, Path], recipe: Recipe, splits: Sequence[Split]
) -> tuple[Concepts, list[str]]:
    """The concepts of files in the form of hybrid_space.

    They have tags of training videos. Under MELTR the losses of validation are wanted too, and
    then tags of its videos are taken from their captions.
    """
    labels, vocabulary = files
    tags, names = dict(read_tags(labels)), read_names(vocabulary)
    said = [f"concepts: the {len(names)} of {vocabulary}, by the tags in {labels}"]
    held_out = recipe.meltr is not None and recipe.meltr.outer == "held-out"
    for number, split in enumerate(splits if held_out else splits[:1]):
        videos = {pair.video for pair in split.pairs}
        lacking = videos - tags.keys()
        if number == 0 and lacking == videos:
            raise DataError(
                f"{labels} has tags of none of the {len(videos)} training videos, such as "
                f"{min(videos)!r}; take the tags of this collection, or the captions by "
                "--set words.tags=captions"
            )
        if lacking:
            tags |= {video: found for video, found in _tags_of(split).items() if video in lacking}
            said.append(
                f"{len(lacking):,} {('training', 'validation')[number]} videos have no tags there, "
                f"such as {min(lacking)!r}: theirs are taken from their captions"
            )
    return Concepts(names, tags), said


def _tags_of(split: Split) -> Tags:
    return annotate([Caption(pair.video, pair.caption) for pair in split.pairs], words_of)
