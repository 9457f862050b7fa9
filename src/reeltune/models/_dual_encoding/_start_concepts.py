"""Finds the concepts with which a Dual Encoding begins, in files, in its dataset or in captions."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from reeltune.errors import ConfigError, DataError, counted
from reeltune.features.concepts import (
    Concepts,
    Tags,
    annotate,
    most_frequent,
    read_names,
    read_tags,
    words_of,
)
from reeltune.models.opening.material import Material
from reeltune.types import Caption, Split

if TYPE_CHECKING:
    from reeltune.models.dual_encoding import Config

BOTH = (
    "--set words.tags=video_label_th_1.txt and --set words.tag_vocabulary=tag_vocab_512.json "
    "(docs/features.md)"
)


@runtime_checkable
class KeepsWords(Protocol):
    """A dataset that has places for word vectors, and for tags of its training videos."""

    @property
    def word_vectors(self) -> Path: ...

    def tags(self, size: int) -> tuple[Path, Path]: ...


def concepts_of(config: "Config", material: Material) -> tuple[Concepts | None, list[str]]:
    """Concepts from the files of the user or of the dataset, or from the captions, of which the
    first split's say which there are; and what is to be said of them. None for a model without."""
    if not config.concepts:
        return None, []
    files, said = _files_of(config, material)
    if files is not None:
        return _from_files(files, material.splits)
    tags = [_tags_of(split) for split in material.splits]
    names = most_frequent(tags[0], config.concepts)
    if not names:
        split = material.splits[0]
        raise ConfigError(
            f"{material.title}: a concept is a word of two or more captions of one video, and "
            f"none is in the {counted(len(split.pairs), 'caption')} of "
            f"{counted(split.videos, 'training video')}; train the latent space alone by --set "
            f"config.concepts=0, or bring tags, {BOTH}"
        )
    return Concepts(names, {k: v for one in tags for k, v in one.items()}), said


def _files_of(config: "Config", material: Material) -> tuple[tuple[Path, Path] | None, list[str]]:
    """Tags and names of concepts as files, or what is to be said where a dataset lacks its own."""
    labels, names, dataset = material.words.tags, material.words.tag_vocabulary, material.dataset
    if isinstance(labels, Path) and names is not None:
        return (labels, names), []
    if labels == "captions" or not isinstance(dataset, KeepsWords):
        return None, []
    files = dataset.tags(config.concepts)
    lacking = next((file for file in files if not file.is_file()), None)
    if lacking is None:
        return files, []
    return None, [
        f"warning: no tags at {lacking}, from which the released code takes its concepts: they are "
        "taken from the captions (`reeltune datasets hybrid-space`)"
    ]


def _from_files(files: tuple[Path, Path], splits: tuple[Split, ...]) -> tuple[Concepts, list[str]]:
    """The concepts of files in the form of hybrid_space.

    They have tags of training videos; where the losses of validation are wanted too, tags of its
    videos are taken from their captions.
    """
    labels, vocabulary = files
    tags, names = dict(read_tags(labels)), read_names(vocabulary)
    said = [f"concepts: the {len(names)} of {vocabulary}, by the tags in {labels}"]
    for number, split in enumerate(splits):
        videos = {pair.video for pair in split.pairs}
        lacking = videos - tags.keys()
        if number == 0 and lacking == videos:
            raise DataError(
                f"{labels} has tags of none of the {counted(len(videos), 'training video')}, such "
                f"as {min(videos)!r}; take the tags of this collection, or the captions by "
                "--set words.tags=captions"
            )
        if lacking:
            tags |= {video: found for video, found in _tags_of(split).items() if video in lacking}
            what = ("training video", "validation video")[number]
            said.append(
                f"no tags are there for {counted(len(lacking), what)}, such as {min(lacking)!r}: "
                "they are taken from captions"
            )
    return Concepts(names, tags), said


def _tags_of(split: Split) -> Tags:
    return annotate([Caption(pair.video, pair.caption) for pair in split.pairs], words_of)
