"""Photos, clips and words, encoded by lite, for `fit_confidence.py`; vectors are kept in files."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from fit_picture_confidence import encode_photos
from reeltune.media.decoder import Decoder
from reeltune.media.sampling import Sampling
from reeltune.models.lite import Lite
from reeltune.models.opening.open import open_encoder
from reeltune.search.background import pictures
from short_queries import (
    GROUPS,
    SHOWN,
    TEST_FOLDERS,
    Said,
    agreed_words,
    far_words,
    part_of,
    stem,
    words,
)
from train_lite_head import Flickr8k

PHOTOS = {"dev": 400, "test": 300, "train": 240}  # drawn of each split; train is the background
FIT = 240  # of the development photos; the others validate
FRAMES = 12  # most of a clip


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (N, D) at length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@dataclass(frozen=True)
class Shown:
    """N photos or clips of one part, and the words of that part."""

    vectors: np.ndarray  # (N, D)
    captions: list[list[str]]
    sentences: list[np.ndarray]  # of each the captions by the sentence encoder alone (C, 384)
    labels: list[list[str]]  # what is shown in a word or two, of clips
    words: dict[str, str]  # stem and usual form
    far_words: dict[str, str]
    far_captions: list[str]

    @cached_property
    def said(self) -> Said:
        return Said(self.captions)

    def mentions(self, text: str) -> np.ndarray:
        """Which have every word of a text in one caption."""
        return np.array(
            [any(all(w in one.lower() for w in words(text)) for one in c) for c in self.captions]
        )

    def is_related(self, word: str, labelled: set[str]) -> bool:
        alike = GROUPS.get(word, {word})
        return bool(self.said.related(word).any()) or not alike.isdisjoint(labelled)


class Encoder:
    """The model with the data, of which each vector is made once."""

    def __init__(self, data: Path, cache: Path) -> None:
        model = open_encoder("lite")
        if not isinstance(model, Lite):
            raise SystemExit("lite is not the model that this script knows")
        self.model, self.data, self.cache = model, data, cache
        cache.mkdir(parents=True, exist_ok=True)
        self.flickr = Flickr8k(data / "flickr8k")
        self._texts: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    @torch.inference_mode()
    def _encode(self, texts: Sequence[str]) -> None:
        new = sorted(set(texts) - self._texts.keys())
        for start in range(0, len(new), 200):
            some = new[start : start + 200]
            tokens = self.model.tokenize(some)
            spaces = self.model.encode_text(tokens).numpy()
            alone = self.model.sentences(tokens.ids, tokens.mask).numpy()
            self._texts.update(zip(some, zip(spaces, alone, strict=True), strict=True))

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of texts in the model's space (Q, D)."""
        self._encode(texts)
        return np.stack([self._texts[text][0] for text in texts])

    def sentences(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of texts by the sentence encoder alone (Q, 384)."""
        self._encode(texts)
        return np.stack([self._texts[text][1] for text in texts])

    def kept(self, name: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        path = self.cache / f"{name}.npy"
        if not path.exists():
            np.save(path, make())
        return np.load(path)

    def drawn(self, split: str) -> list[str]:
        """Names of the photos of a split that take part."""
        names = self.flickr.split(split)
        order = np.random.default_rng(0).permutation(len(names))[: PHOTOS[split]]
        return [names[i] for i in sorted(order)]

    def _photos(self, names: list[str]) -> np.ndarray:
        opened = self.flickr.photos(names)
        return encode_photos(self.model, [opened[name] for name in names])

    def of_photos(self, split: str) -> np.ndarray:
        return self.kept(split, lambda: self._photos(self.drawn(split)))

    @cached_property
    def pictures(self) -> np.ndarray:
        """Vectors of the packaged pictures (P, D)."""
        return encode_photos(self.model, pictures())

    @torch.inference_mode()
    def _clips(self, paths: list[Path]) -> np.ndarray:
        vectors = []
        with Decoder(self.model.pixels, Sampling.parse("gap 2")) as decoder:
            for path in paths:
                with decoder.open(path) as reading:
                    frames = torch.stack([torch.from_numpy(frame.pixels) for frame in reading])
                even = np.linspace(0, len(frames) - 1, min(FRAMES, len(frames))).astype(int)
                mask = torch.ones(1, len(even), dtype=torch.bool)
                vectors.append(self.model.encode_video(frames[even][None], mask)[0])
        return torch.stack(vectors).numpy()

    def of_clips(self, paths: list[Path]) -> np.ndarray:
        return self.kept("clips-" + paths[0].parent.name, lambda: self._clips(paths))

    @cached_property
    def background(self) -> np.ndarray:
        """Vectors of pictures that have nothing to do with a query (B, D)."""
        return self.of_photos("train")

    def own_agreement(self, shown: Shown) -> float:
        """What three of four captions reach with another caption of their own picture."""
        reached = []
        for sentences in shown.sentences:
            cosines = sentences @ sentences.T
            np.fill_diagonal(cosines, -1)
            reached.extend(cosines.max(axis=1))
        return float(np.quantile(reached, 0.25))

    @cached_property
    def vocabulary(self) -> tuple[dict[str, str], dict[str, str]]:
        """Words of the photos, and words that the photos do not have."""
        told = Said([self.flickr.captions[name] for name in self.flickr.split("train")])
        return agreed_words(told), far_words(told, Said([[one] for one in self.msvd("train")]))

    def msvd(self, split: str) -> list[str]:
        path = self.data / "annotations" / "msvd_dual_encoding" / f"msvd{split}.caption.txt"
        lines = path.read_text("utf-8", "replace").splitlines()
        return [line.split(" ", 1)[1] for line in lines if " " in line]

    @cached_property
    def clip_captions(self) -> dict[str, list[str]]:
        """Captions of the clips that have some, by the name of the file."""
        read = json.loads((self.data / "clips" / "captions.json").read_text())
        return {Path(path).name: captions for path, captions in read.items()}

    def clip_paths(self, part: str) -> list[Path]:
        """The clips that validate, or those that test."""
        every = sorted((self.data / "clips").glob("*/*"))
        return [path for path in every if (path.parent.name in TEST_FOLDERS) == (part == "test")]

    def words_of(self, part: str) -> tuple[dict[str, str], dict[str, str]]:
        """Words and far words that take part in the fit, the validation or the test."""
        names = [path.name for path in self.clip_paths("test")]
        tested = {stem(word) for name in names for word in words(SHOWN.get(name, ""))}
        near, far = (
            {word: form for word, form in some.items() if part_of(word, tested) == part}
            for some in self.vocabulary
        )
        return near, far


def photos(encoder: Encoder, part: str) -> Shown:
    """The photos of the fit, the validation or the test."""
    split = "test" if part == "test" else "dev"
    names, vectors = encoder.drawn(split), encoder.of_photos(split)
    rows = np.arange(len(names))
    if split == "dev":
        order = np.random.default_rng(1).permutation(len(names))
        rows = order[:FIT] if part == "fit" else order[FIT:]
    captions = [encoder.flickr.captions[names[row]] for row in rows]
    return _shown(encoder, part, vectors[rows], captions, [[] for _ in rows])


def clips(encoder: Encoder, part: str) -> Shown:
    """The clips of the validation or the test."""
    paths = encoder.clip_paths(part)
    captions = [encoder.clip_captions.get(path.name, []) for path in paths]
    labels = [SHOWN[path.name].split("|") if path.name in SHOWN else [] for path in paths]
    if part == "val":  # words of the test do not validate
        names = [path.name for path in encoder.clip_paths("test")]
        tested = {one for name in names for one in SHOWN.get(name, "").split("|")}
        labels = [[one for one in some if one not in tested] for some in labels]
    return _shown(encoder, part, encoder.of_clips(paths), captions, labels)


def _shown(
    encoder: Encoder,
    part: str,
    vectors: np.ndarray,
    captions: list[list[str]],
    labels: list[list[str]],
) -> Shown:
    far = encoder.msvd("test" if part == "test" else "val")
    near_words, nowhere = encoder.words_of(part)
    return Shown(
        vectors=vectors,
        captions=captions,
        sentences=[encoder.sentences(some) if some else np.zeros((1, 384)) for some in captions],
        labels=labels,
        words=near_words,
        far_words=nowhere,
        far_captions=list(np.random.default_rng(0).choice(far, 300, replace=False)),
    )
