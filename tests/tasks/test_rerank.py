"""Retrieval in which only the best candidates are scored by pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from oracles.slow_rerank import slow_order, slow_texts
from reeltune.errors import ConfigError
from reeltune.evaluation.beside import Asked
from reeltune.evaluation.protocols import Named
from reeltune.evaluation.rerank import Chooser, Rerank, best, rerank_asked, reranked
from reeltune.evaluation.retrieval import Report
from reeltune.registry import find
from reeltune.tasks._candidates import candidate_scores, rows_of
from reeltune.tasks.finding.judge import require_scores
from reeltune.tasks.pair_retrieval import evaluate_pairs, pair_scores
from reeltune.types import Pair, Split, Tokens

NUMBER = {f"caption {'x' * (i % 5)}{i}": i for i in range(12)}
VIDEOS = [f"video{i}" for i in range(9)]
PAIRS = tuple(
    Pair(video=VIDEOS[i % 9], path=Path(f"{i % 9}.mp4"), caption=caption)
    for caption, i in NUMBER.items()
)
SPLIT = Split(pairs=PAIRS, captions="multiple")
SOURCE = np.random.default_rng(0)
NEAR, PAIR = SOURCE.standard_normal((12, 9)), SOURCE.standard_normal((12, 9))


@dataclass(frozen=True)
class Read:
    """Numbers of texts or clips, in a part with nothing to choose from beside it."""

    number: tuple[Tensor, Tensor]
    width: int = 3


class Table:
    """Scores pairs by a table, and knows which pairs it was asked for."""

    name, fingerprint, judged_as = "table", "of no weights", "pair-retrieval"
    policy = "numbers"

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def read(self, pair: Pair) -> np.ndarray:
        length = 1 + int(pair.path.stem) % 3  # clips differ in length
        return np.full((length, 1), float(pair.path.stem), np.float32)

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        ids = torch.tensor([[NUMBER[text]] for text in texts])
        return Tokens(ids, torch.ones_like(ids, dtype=torch.bool))

    def read_text(self, tokens: Tokens) -> Read:
        return Read((tokens.ids[:, 0], tokens.ids))

    def read_video(self, frames: Tensor, mask: Tensor) -> Read:
        return Read((frames[:, 0, 0].long(), frames))

    def align(self, text: Read, video: Read) -> Tensor:
        rows, columns = text.number[0].tolist(), video.number[0].tolist()
        self.asked += [(row, column) for row in rows for column in columns]
        return torch.from_numpy(PAIR[np.ix_(rows, columns)]).float()


class Near(Table):
    """A table of pairs beside vectors, whose inner products are another table."""

    name = "near"
    dim, pixels = 9, None

    def encode_text(self, tokens: Tokens) -> Tensor:
        return torch.from_numpy(NEAR[tokens.ids[:, 0].numpy()]).float()

    def encode_video(self, frames: Tensor, mask: Tensor) -> Tensor:
        return torch.eye(9)[frames[:, 0, 0].long()]

    def similarity(self, text: Tensor, video: Tensor) -> Tensor:
        return text @ video.T


def measured(model: Any, rerank: Rerank | None) -> Report:
    return evaluate_pairs(model, model, SPLIT, Named("own", "test"), asked=Asked(rerank=rerank))


def wanted_ranks(top: int) -> list[int]:
    own = [i % 9 for i in range(12)]
    return [1 + slow_order(NEAR[i], PAIR[i], top).index(own[i]) for i in range(12)]


@pytest.mark.parametrize("top", [1, 2, 5, 9])
def test_rows_and_columns_of_a_reranked_matrix_are_in_the_order_of_a_slow_version(top: int) -> None:
    columns = best(NEAR, top)
    found = reranked(NEAR, columns, np.take_along_axis(PAIR, columns, axis=1))
    for row in range(12):
        assert np.argsort(-found[row]).tolist() == slow_order(NEAR[row], PAIR[row], top)
    for column in range(9):
        assert np.argsort(-found[:, column]).tolist() == slow_texts(NEAR, PAIR, top, column)


def test_scores_far_apart_in_size_make_no_ties() -> None:
    near = np.array([[1e-4, 2e-4, 3e-4, 4e-4]], np.float32)
    columns = best(near, 1)
    found = reranked(near, columns, np.array([[-3e4]], np.float32))
    assert np.argsort(-found[0]).tolist() == [3, 2, 1, 0]
    assert len(set(found[0])) == 4


def test_equal_scores_are_candidates_in_the_order_of_the_gallery() -> None:
    assert best(np.zeros((2, 4)), 3).tolist() == [[0, 1, 2]] * 2


@pytest.mark.parametrize("top", [1, 4, 9])
def test_alone_only_the_pairs_of_candidates_are_scored(top: int) -> None:
    model = Near()
    report = measured(model, Rerank(top, alone=True))
    columns = best(NEAR.astype(np.float32), top)
    assert sorted(model.asked) == sorted((i, int(j)) for i in range(12) for j in columns[i])
    assert report.ranks.t2v == wanted_ranks(top)
    assert report.protocol.scores == f"pairs, top {top} of similarity"
    assert report.margin is None
    assert list(report.beside) == ["similarity t2v", "similarity v2t"]


def test_beside_all_pairs_stand_the_same_figures() -> None:
    report, alone = measured(Near(), Rerank(3)), measured(Near(), Rerank(3, alone=True))
    assert report.protocol.scores == "pairs"
    assert report.beside["top 3 of similarity t2v"] == alone.t2v
    assert report.beside["top 3 of similarity v2t"] == alone.v2t
    assert report.ranks.beside["top 3 of similarity t2v"] == wanted_ranks(3)
    plain = measured(Near(), None)
    assert (plain.t2v, plain.v2t) == (report.t2v, report.v2t)
    assert list(plain.beside) == ["similarity t2v", "similarity v2t"]


def test_of_all_candidates_nothing_changes() -> None:
    assert measured(Near(), Rerank(9, alone=True)).t2v == measured(Near(), None).t2v


def test_another_model_chooses_for_one_without_vectors() -> None:
    chooser = Chooser(Near(), Near())
    report = measured(Table(), Rerank(3, alone=True, by="near", chooser=chooser))
    assert report.ranks.t2v == wanted_ranks(3)
    assert report.protocol.scores == "pairs, top 3 of similarity of near (of no weights)"
    assert list(report.beside) == ["similarity of near t2v", "similarity of near v2t"]
    beside = measured(Table(), Rerank(3, by="near", chooser=chooser)).beside
    assert beside["top 3 of similarity of near t2v"] == report.t2v


def test_scores_of_candidates_of_a_model_are_those_of_all_pairs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = find("models", "univl").Config.tiny().build()
    width, source = model.config.features, np.random.default_rng(1)
    clips = {video: source.standard_normal((1 + i % 3, width)) for i, video in enumerate(VIDEOS)}

    class Reader:
        policy = "noise"

        def read(self, pair: Pair) -> np.ndarray:
            return clips[pair.video].astype(np.float32)

    gallery = [Pair(video=v, path=Path(v), caption="") for v in VIDEOS]
    texts = ["a red box", "the disc moves", "blue", "a red box"]
    columns = np.array([[8, 0], [3, 4], [1, 7], [2, 8]])
    found = candidate_scores(model, Reader(), texts, gallery, columns)
    wanted = np.take_along_axis(pair_scores(model, Reader(), texts, gallery), columns, axis=1)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_rows_are_chosen_in_tuples_and_dataclasses() -> None:
    read = Read((torch.arange(4), torch.arange(8).view(4, 2)))
    found = rows_of(read, torch.tensor([2, 0]))
    assert found.number[0].tolist() == [2, 0]
    assert found.number[1].tolist() == [[4, 5], [0, 1]]
    assert found.width == 3


def test_what_cannot_be_reranked_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"table has no vectors .* name a model that has by --by"):
        require_scores(Table(), Asked(rerank=Rerank(3)))
    with pytest.raises(ConfigError, match=r"has no vectors .* --by tiny-clip"):
        measured(Table(), Rerank(3))
    clip = find("models", "clip").Config.tiny().build()
    with pytest.raises(ConfigError, match=r"is judged as retrieval, .* leave it out"):
        require_scores(clip, Asked(rerank=Rerank(3)))
    with pytest.raises(ConfigError, match=r"--rerank 0 leaves no candidate; .* --rerank 100"):
        Rerank(0)
    with pytest.raises(ConfigError, match=r"best 10 of 9 videos; give a number from 1 to 9"):
        Rerank(10).require_fewer(SPLIT)
    with pytest.raises(ConfigError, match=r"--post .* and --alone .* leave out one of the two"):
        Asked(post=("dsl 1",), rerank=Rerank(3, alone=True))
    with pytest.raises(ConfigError, match=r"--by x says how .* give --rerank 100 too"):
        rerank_asked(None, "x", False)
    with pytest.raises(ConfigError, match=r"--alone says how .* give --rerank 100 too"):
        rerank_asked(None, None, True)
    assert rerank_asked(None, None, False) is None
    assert rerank_asked(5, "x", True) == Rerank(5, True, "x")
