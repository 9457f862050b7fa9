"""A released Dual Encoding is brought in and measured: the figures are its own tester's."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner, Result

from oracles.official_tester import figures_by, official_figures, official_scores
from oracles.released_dual_encoding import MARKS, Released, pickle_words
from reeltune.cli.app import app
from reeltune.errors import CheckpointError
from reeltune.features.official import write_official
from reeltune.models.opening.open import open_model

WORDS = tuple(f"w{number}" for number in range(25))
BAG = WORDS[::-1]  # the vocabulary of the bag of words has an order of its own
VIDEOS = {"train": 3, "val": 8, "test": 30}
CAPTIONS = 6  # of a video: 180 of the test split are more than the tester encodes at once


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def told(*arguments: object) -> dict[str, Any]:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


class Collection:
    """Clips of noise and captions of random words, as files and as the tester's input."""

    def __init__(self, root: Path, names: dict[str, str]) -> None:
        self.root, self.source = root, torch.Generator().manual_seed(5)
        self.clips: dict[str, dict[str, Tensor]] = {}
        self.texts: dict[str, list[tuple[str, list[int], Tensor]]] = {}
        for part, count in VIDEOS.items():
            self.clips[part] = {f"{part}{n}": self._clip() for n in range(count)}
            lines = [
                (video, self._caption()) for video in self.clips[part] for _ in range(CAPTIONS)
            ]
            self.texts[part] = [(video, ids_of(text), bag_of(text)) for video, text in lines]
            folder = root / names[part] / "TextData"
            folder.mkdir(parents=True, exist_ok=True)
            text = "".join(f"{video}#{n} {said}\n" for n, (video, said) in enumerate(lines))
            (folder / f"toy{part}.caption.txt").write_text(text)
        vocabulary = root / names["train"] / "TextData" / "vocabulary"
        pickle_words(vocabulary / "rnn" / "word_vocab_5.pkl", [*MARKS, *WORDS])
        pickle_words(vocabulary / "bow" / "word_vocab_5.pkl", BAG)
        for name in set(names.values()):
            self._write_features(name, [part for part in names if names[part] == name])

    def _clip(self) -> Tensor:
        length = int(torch.randint(1, 80, (1,), generator=self.source))
        return torch.randn(length, 9, generator=self.source)

    def _caption(self) -> str:
        count = int(torch.randint(2, 9, (1,), generator=self.source))
        picked = torch.randint(len(WORDS) + 2, (count,), generator=self.source).tolist()
        return " ".join([*WORDS, "W3,", "unheard-of"][place] for place in picked) + "."

    def _write_features(self, name: str, parts: list[str]) -> None:
        feature = self.root / name / "FeatureData" / "made-up"
        feature.mkdir(parents=True)
        clips = {video: clip for part in parts for video, clip in self.clips[part].items()}
        torch.cat(list(clips.values())).numpy().astype("<f4").tofile(feature / "feature.bin")
        write_official(feature, {video: len(clip) for video, clip in clips.items()}, 9)


def split(text: str) -> list[str]:
    return text.replace(",", " ").replace("-", " ").replace(".", " ").lower().split()


def ids_of(text: str) -> list[int]:
    return [1, *(4 + WORDS.index(w) if w in WORDS else 3 for w in split(text)), 2]


def bag_of(text: str) -> Tensor:
    return torch.tensor([split(text).count(word) for word in BAG]).float()


def figures_of(report: dict[str, Any]) -> dict[str, float]:
    """As the tester names and scales them."""
    return {
        f"{way} {name}": value / 100 if name == "mAP" else value
        for way in ("t2v", "v2t")
        for name, value in report[way].items()
        if name != "SumR"
    }


def brought_in(
    place: Path, released: Released, names: dict[str, str]
) -> tuple[Collection, dict[str, Any], float]:
    """Convert a release with the root of its collection: what is told, and its own best SumR."""
    collection = Collection(place / "ROOT", names)
    found = official_figures(released, collection.clips["val"], collection.texts["val"])
    best = sum(value for name, value in found.items() if "R@" in name)
    file = released.save(place / "model_best.pth.tar", best=best)
    facts = told("convert", "dual-encoding", file, place / "ours", "--data", place / "ROOT")
    return collection, facts, best


Hybrid = tuple[Collection, Released, Path]


@pytest.fixture(scope="module")
def hybrid(tmp_path_factory: pytest.TempPathFactory) -> Hybrid:
    """A collection, a release trained on it, and what became of it."""
    place = tmp_path_factory.mktemp("released")
    torch.manual_seed(3)
    released = Released(len(WORDS))
    collection, facts, best = brought_in(place, released, dict.fromkeys(VIDEOS, "toy"))
    assert facts["feature"] == "made-up"
    assert facts["SumR in the file"] == best
    assert facts["validation SumR"] == pytest.approx(best)
    assert facts["notes"] == []
    return collection, released, place / "ours"


def test_the_scores_and_their_figures_are_those_of_the_official_tester(hybrid: Hybrid) -> None:
    """Scores up to rounding, which may turn near ties, and figures exactly: of our own scores."""
    collection, released, model = hybrid
    clips, texts = collection.clips["test"], collection.texts["test"]
    file = model.parent / "scores.npy"
    report = told(
        *("evaluate", model, "--benchmark", "msrvtt-official", "--data", collection.root),
        *("--set", "options.collection=toy", "--scores", file),
    )
    scores = np.load(file)
    np.testing.assert_allclose(
        scores, official_scores(released, list(clips.values()), texts), rtol=0, atol=1e-6
    )
    assert figures_of(report) == pytest.approx(figures_by(scores.tolist(), list(clips), texts))
    card = report["protocol"]
    assert card["scores"] == "similarity, each part by its range in this matrix"
    assert (card["queries"], card["gallery"]) == (180, 30)


def test_single_queries_are_scored_by_the_ranges_of_the_validation_split(hybrid: Hybrid) -> None:
    collection, released, folder = hybrid
    texts, clips = collection.texts["val"], list(collection.clips["val"].values())
    bags = torch.stack([bag for _, _, bag in texts])
    scores = released.scores(clips, [ids for _, ids, _ in texts], bags)
    model: Any = open_model(str(folder), "cpu")
    ranges = torch.stack([part.max() - part.min() for part in scores])
    torch.testing.assert_close(model.divisors, ranges)
    query, moment = torch.rand(1, model.dim), torch.rand(2, model.dim)
    assert model.similarity(query, moment).shape == (1, 2)


def test_the_release_of_2019_has_a_folder_for_each_split_and_no_ranges(tmp_path: Path) -> None:
    torch.manual_seed(4)
    names = {part: f"toy{part}" for part in VIDEOS}
    released = Released(len(WORDS), concepts=0, video_hidden=8)
    _, facts, best = brought_in(tmp_path, released, names)
    assert facts["validation SumR"] == pytest.approx(best)
    assert facts["concepts"] == 0


def test_without_the_root_words_are_needed_and_single_queries_are_refused(hybrid: Hybrid) -> None:
    root, place = hybrid[0].root, hybrid[2].parent
    file, words = place / "model_best.pth.tar", root / "toy/TextData/vocabulary/rnn"
    done = run("convert", "dual-encoding", file, place / "new")
    assert done.exit_code == 1
    assert "the words that it was trained with are needed; give --words" in done.output
    assert not (place / "new").exists()
    words = words / "word_vocab_5.pkl"
    facts = told("convert", "dual-encoding", file, place / "new", "--words", words)
    assert "validation SumR" not in facts
    model: Any = open_model(str(place / "new"), "cpu")
    with pytest.raises(CheckpointError, match=r"no ranges of its scores"):
        model.similarity(torch.rand(1, model.dim), torch.rand(2, model.dim))


def test_its_concepts_have_the_names_that_the_collection_has(hybrid: Hybrid) -> None:
    place, size = hybrid[2].parent, open_model(str(hybrid[2]), "cpu").config.concepts
    assert open_model(str(hybrid[2]), "cpu").concept_names == ()
    tags = hybrid[0].root / "toy/TextData/tags/video_label_th_1"
    tags.mkdir(parents=True)
    names = [f"c{number}" for number in range(size)]
    (tags / f"tag_vocab_{size}.json").write_text(json.dumps(names))
    given = ("convert", "dual-encoding", place / "model_best.pth.tar", place / "named")
    assert told(*given, "--data", hybrid[0].root)["concepts with a name"] == size
    assert open_model(str(place / "named"), "cpu").concept_names == tuple(names)
